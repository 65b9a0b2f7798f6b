import pytest

from interaction_jax.evals import suites


@pytest.mark.parametrize("name", suites.SUITES)
def test_every_suite_can_be_run(name):
  suite = suites.find(name)
  assert callable(suite.run)
  with pytest.raises(ValueError, match="items=0 must be 1 or more"):
    suite.Options(num_items=0)


@pytest.mark.parametrize("name", ["behaviors", None])
def test_an_unknown_suite_lists_all(name):
  with pytest.raises(ValueError, match=r"there is behaviours\.$"):
    suites.find(name)
