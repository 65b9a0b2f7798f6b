import pytest

from interaction_jax.evals.behaviours import duration, summary

ROWS = {row.name: row for row in duration.ROWS}


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
    ("elapsed_time", "wrong", 0),
    ("elapsed_time", "mute", 0),
    ("interval_reminder", "wrong", 0),
    ("interval_reminder", "mute", 0),
    ("condition_alert", "wrong", 0),
    ("condition_alert", "mute", 0),
    ("stays_quiet", "wrong", 0),
    ("stays_quiet", "mute", 0),
    ("interval_reminder", "late", 0),
    ("condition_alert", "late", 0),
    ("stays_quiet", "late", 0),
    ("stays_quiet", "restless", 0),
  ],
)
def test_who_is_wrong_loses(name, act, most, numbers, acts):
  assert numbers(ROWS[name], acts[act])["score"] <= most
