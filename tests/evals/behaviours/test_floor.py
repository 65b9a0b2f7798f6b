import pytest

from interaction_jax.evals.behaviours import floor, summary

ROWS = {row.name: row for row in floor.ROWS}


@pytest.mark.parametrize("name", ROWS)
def test_who_does_all_right_gets_all(name, numbers, acts):
  found = numbers(ROWS[name], acts["right"])
  assert found["score"] == 1
  assert found["n"] >= 12 and found["false_alarms"] == 0
  assert summary.passed(ROWS[name], found)


@pytest.mark.parametrize("name", ROWS)
def test_who_is_silent_gets_nothing(name, numbers, acts):
  found = numbers(ROWS[name], acts["silent"])
  assert found["score"] == 0 and found["false_alarms"] == 0


@pytest.mark.parametrize(
  ("name", "act", "most"),
  [
    ("listens_while_speaking", "late", 0),
    ("listens_while_speaking", "wrong", 0),
    ("listens_while_speaking", "mute", 0),
    ("turn_taking", "late", 0),
    ("turn_taking", "mute", 0),
    ("turn_taking", "restless", 0),
    ("waits_through_pauses", "late", 0),
    ("waits_through_pauses", "mute", 0),
    ("waits_through_pauses", "restless", 0),
    ("backchannel", "late", 0),
    ("backchannel", "mute", 0),
    ("backchannel", "restless", 0),
    ("barge_in", "late", 0.3),
    ("barge_in", "wrong", 0.5),
    ("barge_in", "mute", 0),
    ("barge_in", "restless", 0.4),
    ("ignores_side_talk", "wrong", 0),
    ("ignores_side_talk", "mute", 0),
  ],
)
def test_who_is_wrong_loses(name, act, most, numbers, acts):
  assert numbers(ROWS[name], acts[act])["score"] <= most
