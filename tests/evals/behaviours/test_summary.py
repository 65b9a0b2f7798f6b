import pytest

from interaction_jax.evals.behaviours import summary
from interaction_jax.evals.behaviours.exchange import Judgement
from interaction_jax.evals.behaviours.row import Limit, Row

ROW = Row(
  "row", "about", 0.5, {}, lambda one: None, limits=(Limit("late_s", 0.3),)
)


def test_numbers():
  judged = [
    (0, Judgement(1.0, "a", 2, (0.2,), {"late_s": 0.1, "named": 1.0})),
    (0, Judgement(0.0, "a", 0, (-0.4, 0.4), {"late_s": 0.2, "named": 0.0})),
    (1, Judgement(1.0, "b", 0, (), {"late_s": 0.9, "named": 0.0})),
    (1, Judgement(None, false_alarms=1)),
  ]
  found = summary.numbers(judged, minutes=1.5, seed=0)
  # Kinds count alike: the mean of one half and of one.
  assert found["score"] == 0.75
  assert found["kinds"] == {"a": 0.5, "b": 1.0}
  assert found["n"] == 3
  assert found["ci"][0] <= 0.75 <= found["ci"][1]
  assert found["false_alarms"] == 3
  assert found["false_alarms_per_minute"] == 2.0
  assert found["timing_error_s"] == {
    "median": pytest.approx(0.2),
    "mean_abs": pytest.approx(1 / 3),
    "n": 3,
  }
  assert found["late_s"] == pytest.approx(0.2)
  assert found["named"] == pytest.approx(1 / 3)
  assert summary.passed(ROW, found)


@pytest.mark.parametrize(
  ("score", "late", "passed"),
  [(0.5, 0.3, True), (0.4, 0.1, False), (0.9, 0.4, False), (None, 0.1, False)],
)
def test_a_row_is_passed_if_all_holds(score, late, passed):
  assert summary.passed(ROW, {"score": score, "late_s": late}) == passed


def test_of_nothing():
  found = summary.numbers([], minutes=0.0, seed=0)
  assert found["score"] is None and found["ci"] == [None, None]
  assert found["false_alarms_per_minute"] is None
  assert "kinds" not in found
