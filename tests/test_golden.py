"""The shipped configs, number for number, so that no change goes unseen."""

import pytest

from interaction_jax.core import settings
from interaction_jax.model import cost

NAMES = sorted(settings.shipped())


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_as_kept(name, golden):
  golden(f"configs/{name}.json", settings.to_dict(settings.load(name)))


@pytest.mark.parametrize("name", NAMES)
def test_parameter_counts_are_as_kept(name, golden):
  counts = cost.parameters(settings.load(name).model)
  golden(f"parameters/{name}.json", counts)


def test_nothing_kept_is_stale(root):
  for folder in ("configs", "parameters"):
    kept = {path.stem for path in (root / "tests/golden" / folder).iterdir()}
    assert kept == set(NAMES)
