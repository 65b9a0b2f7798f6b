import pytest

from interaction_jax.evals.behaviours import summary, vision

ROWS = {row.name: row for row in vision.ROWS}

CEILING = {"temporal_localisation": 0.5}
"""Nobody can say "start" before something has begun to move."""


@pytest.mark.parametrize("name", ROWS)
def test_who_does_all_right_gets_all(name, numbers, acts):
  found = numbers(ROWS[name], acts["right"])
  assert found["score"] >= CEILING.get(name, 1)
  assert found["n"] >= 12 and found["false_alarms"] == 0
  assert summary.passed(ROWS[name], found)


@pytest.mark.parametrize("name", ROWS)
def test_who_is_silent_gets_nothing(name, numbers, acts):
  found = numbers(ROWS[name], acts["silent"])
  assert found["score"] == 0 and found["false_alarms"] == 0


@pytest.mark.parametrize(
  ("name", "act", "most"),
  [
    ("visual_interjection", "wrong", 0),
    ("visual_interjection", "mute", 0),
    ("rep_counting", "wrong", 0),
    ("rep_counting", "mute", 0),
    ("temporal_localisation", "wrong", 0),
    ("temporal_localisation", "mute", 0),
    ("monitoring", "wrong", 0),
    ("monitoring", "mute", 0),
    ("presence", "wrong", 0),
    ("presence", "mute", 0),
    ("visual_interjection", "late", 0),
    ("temporal_localisation", "late", 0.2),
    ("monitoring", "late", 0.1),
    ("presence", "late", 0),
    ("visual_interjection", "restless", 0),
    ("monitoring", "restless", 0),
  ],
)
def test_who_is_wrong_loses(name, act, most, numbers, acts):
  assert numbers(ROWS[name], acts[act])["score"] <= most
