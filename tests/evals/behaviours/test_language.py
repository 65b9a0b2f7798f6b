import pytest

from interaction_jax.evals.behaviours import language, summary

ROWS = {row.name: row for row in language.ROWS}


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
    ("simultaneous_translation", "wrong", 0),
    ("simultaneous_translation", "mute", 0),
    ("verbal_correction", "wrong", 0),
    ("verbal_correction", "mute", 0),
    ("tool_call", "wrong", 0),
    ("tool_call", "mute", 0),
    ("generative_ui", "wrong", 0),
    ("generative_ui", "mute", 0),
    ("concurrent_text_audio", "wrong", 0),
    ("concurrent_text_audio", "mute", 0),
    ("refusal", "wrong", 0),
    ("refusal", "mute", 0),
    ("verbal_correction", "late", 0),
    ("tool_call", "late", 0),
    ("generative_ui", "late", 0),
  ],
)
def test_who_is_wrong_loses(name, act, most, numbers, acts):
  assert numbers(ROWS[name], acts[act])["score"] <= most
