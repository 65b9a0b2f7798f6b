import pytest

from interaction_jax.evals.bench import engine

NUM = 4
"""Sessions, as many as in `test_network.py`: so programs are the same."""


@pytest.fixture(scope="module")
def report(model):
  with pytest.MonkeyPatch.context() as patch:
    # A plan that is not bound by the slots that were measured has a limit.
    patch.setattr(engine, "_MOST", NUM)
    return engine.run(model, sessions=[NUM], num_turns=6, churn=20)


def test_every_turn_is_counted(report):
  (row,) = report["rows"]
  assert (row["n"], row["batch"], row["churned"]) == (6 * NUM, NUM, 20)
  assert 0 < row["ours_ms"] <= row["p95_ms"] <= row["p99_ms"]
  assert 0 <= row["missed"] <= 1 and row["ticks"] >= 6
  assert row["first_audio_ms"] > 200


def test_nothing_is_left_over(report):
  (row,) = report["rows"]
  assert (row["tasks_left"], row["slots_left"]) == (0, 0)


def test_the_plan_stands_beside_it(report):
  (row,) = report["rows"]
  assert row["tick_ms"] > 0 and row["planned_p95_ms"] >= row["planned_ms"] > 0
  assert 0 <= report["planned_sessions"] <= NUM
  text = engine.summary(report)
  assert "4 live sessions" in text and "this machine holds" in text


@pytest.mark.parametrize("first", [1, 8, 21, 60])
@pytest.mark.parametrize("held", [0, 1, 7, 21, 37, 300])
def test_the_largest_number_that_holds_is_found(first, held):
  tried = []

  def holds(num):
    tried.append(num)
    return num <= held

  found = engine.seek(first, holds)
  # To an eighth, and no further than anybody asks.
  assert found <= held and min(held, 200) < found + max(1, found // 8)
  # None is tried twice: each takes minutes.
  assert len(tried) == len(set(tried)) <= 24


def test_what_was_sought_is_told(report):
  (row,) = report["rows"]
  told = {**report, "held_sessions": 3, "trials": [row]}
  assert "it held 3; tried were 4" in engine.summary(told)


def test_there_are_turns(model):
  with pytest.raises(ValueError, match="turns=0 must be"):
    engine.run(model, sessions=[NUM], num_turns=0)
