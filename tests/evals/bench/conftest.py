"""A model that is compiled quickly, as the benchmarks take it."""

import pytest

from interaction_jax.core import settings
from interaction_jax.evals.bench import subject


@pytest.fixture(scope="session")
def model(root):
  small = settings.load(root / "tests" / "small.py").model
  return subject.drawn(small, name="small")
