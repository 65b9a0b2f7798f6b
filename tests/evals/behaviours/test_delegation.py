import pytest

from interaction_jax.evals.behaviours import delegation, summary

ROWS = {row.name: row for row in delegation.ROWS}


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
    ("search", "wrong", 0),
    ("delegation_context", "wrong", 0),
    ("woven_in", "wrong", 0),
    ("responsive_while_pending", "wrong", 0),
    ("search", "mute", 0),
    ("woven_in", "mute", 0),
    ("responsive_while_pending", "mute", 0),
    ("woven_in", "late", 0),
    ("responsive_while_pending", "late", 0),
  ],
)
def test_who_is_wrong_loses(name, act, most, numbers, acts):
  assert numbers(ROWS[name], acts[act])["score"] <= most
