import pytest

from interaction_jax.evals.bench import engine, subject


@pytest.fixture(scope="module")
def tiny():
  return subject.find("tiny", None, usual="tiny")


@pytest.fixture(scope="module")
def report(tiny):
  return engine.run(tiny, sessions=[2], num_turns=6, churn=20)


def test_every_turn_is_counted(report):
  (row,) = report["rows"]
  assert (row["n"], row["batch"], row["churned"]) == (12, 2, 20)
  assert 0 < row["ours_ms"] <= row["p95_ms"] <= row["p99_ms"]
  assert 0 <= row["missed"] <= 1 and row["ticks"] >= 6
  assert row["first_audio_ms"] > 200


def test_nothing_is_left_over(report):
  (row,) = report["rows"]
  assert (row["tasks_left"], row["slots_left"]) == (0, 0)


def test_the_plan_stands_beside_it(report):
  (row,) = report["rows"]
  assert row["tick_ms"] > 0 and row["planned_p95_ms"] >= row["planned_ms"] > 0
  assert 0 <= report["planned_sessions"] <= 2
  text = engine.summary(report)
  assert "2 live sessions" in text and "this machine holds" in text


def test_there_are_turns(tiny):
  with pytest.raises(ValueError, match="turns=0 must be"):
    engine.run(tiny, sessions=[2], num_turns=0)
