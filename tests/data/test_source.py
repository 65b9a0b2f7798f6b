import pytest

from interaction_jax.data.source import Source


def test_sources_weigh_the_same_unless_told():
  assert Source("x").weight == Source("y").weight == 1.0


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_weights_are_positive(weight):
  with pytest.raises(ValueError, match="weight="):
    Source("x", weight)
