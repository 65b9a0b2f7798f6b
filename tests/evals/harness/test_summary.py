import pytest

from interaction_jax.evals.harness import summary
from interaction_jax.evals.harness.suite import Row, Score

ROW = Row("hit", "whether it is")


def test_kinds_count_alike():
  scores = [Score("hit", f"{n}", 1.0, "many") for n in range(3)]
  scores += [Score("hit", "x", 0.0, "few"), Score("hit", "y", None, "few")]
  found = summary.numbers(ROW, scores, seed=0)
  # (3 / 3 + 0 / 1) / 2
  assert found["score"] == 0.5 and found["kinds"] == {"few": 0, "many": 1}
  assert (found["n"], found["misses"]) == (4, 1)
  assert found["ci"][0] <= 0.5 <= found["ci"][1]


@pytest.mark.parametrize(
  ("better", "scores", "first", "holds"),
  [
    ("more", {"oracle": 1.0, "silent": 0.0, "talking": 0.4}, "oracle", True),
    ("less", {"oracle": 0.1, "silent": None, "talking": 0.4}, "oracle", True),
    ("more", {"oracle": 0.3, "silent": 0.0, "talking": 0.4}, "talking", False),
    (None, {"oracle": 0.3, "silent": 0.5}, "silent", None),
  ],
)
def test_an_oracle_has_to_be_best(better, scores, first, holds):
  row = Row("hit", "whether it is", better=better)
  assert summary.ranking(row, scores)[0] == first
  assert summary.holds(row, scores) is holds


def test_a_latency_counts_those_that_never_came():
  row = Row("late", "how late", better="less", unit="s")
  scores = [Score("late", "a", 0.2), Score("late", "b", None)]
  found = summary.numbers(row, scores, seed=0)
  assert found["score"] == pytest.approx(0.2)
  assert found["latency"]["misses"] == 1
  assert found["latency"]["p90_with_misses"] is None


def test_two_systems_are_compared_item_by_item():
  ours = [Score("hit", f"{n}", 1.0) for n in range(12)]
  theirs = [Score("hit", f"{n}", float(n < 2)) for n in range(12)]
  found = summary.against([ROW], ours, theirs, seed=0)["hit"]
  assert found["difference"] == pytest.approx(10 / 12) and found["real"]
  same = summary.against([ROW], ours, ours, seed=0)["hit"]
  assert same["difference"] == 0 and not same["real"]
