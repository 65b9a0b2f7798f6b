import pytest

from interaction_jax.evals.behaviours.row import Limit


@pytest.mark.parametrize(
  ("limit", "value", "holds"),
  [
    (Limit("x", 0.5), 0.5, True),
    (Limit("x", 0.5), 0.6, False),
    (Limit("x", 0.5, most=False), 0.6, True),
    (Limit("x", 0.5, most=False), 0.4, False),
    (Limit("x", 0.5), None, False),
    (Limit("y", 0.5), 0.1, False),
  ],
)
def test_limits(limit, value, holds):
  assert limit.holds({"x": value}) == holds
