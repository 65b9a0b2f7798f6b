import pytest

from interaction_jax.evals.cued import cuespeak, timespeak


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
  """Both benchmarks, with four items of each kind."""
  made = {}
  for one in (timespeak, cuespeak):
    name = one.SUITE.name
    made[name] = tmp_path_factory.mktemp(name)
    one.generate(made[name], 4, 0)
  return made
