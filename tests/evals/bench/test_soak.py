import numpy as np
import pytest

from interaction_jax.evals.bench import soak, subject
from interaction_jax.serve.session import Session

TURNS = 6 * soak.MINUTE
"""A tenth of an hour."""


@pytest.fixture(scope="module")
def tiny():
  return subject.find("tiny", None, usual="tiny")


@pytest.fixture(scope="module")
def told():
  return []


@pytest.fixture(scope="module")
def report(tiny, told):
  progress = lambda done, total: told.append((done, total))  # noqa: E731
  return soak.run(tiny, num_turns=TURNS, progress=progress)


def test_nothing_is_compiled_in_a_conversation(report):
  # `step` and `absorb`, and the one that draws the first state.
  assert report["programs"] == 3
  assert report["compiled_in_talk"] == 0


def test_a_conversation_grows_nowhere(report):
  first, last = report["state_bytes"]
  assert first == last > 0
  # 1,500 turns: a leak of 11 KB in each, a tenth of a state, would show.
  assert report["growth_mib"] < 16
  assert len(report["resident_mib"]) == 6 and report["resident_mib"][0] > 10


def test_a_conversation_has_all_that_one_can_have(report):
  assert report["turns"] == TURNS and report["finite"]
  assert 0 < report["speaking"] <= TURNS
  assert report["written"] > TURNS / 10
  assert report["typed"] > 10 and report["read"] > 2 * report["typed"]
  # Every third turn sees a pair: of the 30 in a minute with pictures, and of
  # the one behind them, which still finds the last pair.
  assert report["seen"] == 6 * 11


def test_rows_compare_old_and_new(report, told):
  last, paired = report["rows"]
  assert (last["what"], last["peer"]) == ("turn, minute 6", "minute 1")
  assert paired["peer"] == "a new session"
  for row, num in zip(report["rows"], (300, 180), strict=True):
    assert row["ours_ms"] > 0 and row["ratio"] > 0 and row["n"] == num
  assert len(report["minutes_ms"]) == 6 and min(report["minutes_ms"]) > 0
  assert told == [(300 * (minute + 1), TURNS) for minute in range(6)]
  shown = soak.summary(report)
  assert "1800 turns" in shown and "0 in the conversation" in shown


def test_users_are_drawn(tiny):
  one, same, other = (soak.User(tiny, seed=seed) for seed in (1, 1, 2))
  loud = []
  for _ in range(200):
    pushed, again = one.next(), same.next()
    assert pushed["text"] == again["text"]
    np.testing.assert_array_equal(pushed["audio"], again["audio"])
    loud.append(np.abs(pushed["audio"]).max() > 0.01)
  assert 40 < sum(loud) < 160
  assert not np.array_equal(one.next()["audio"], other.next()["audio"])


def test_a_user_may_be_pushed(tiny):
  session = Session(tiny, sampling=soak.LIVELY)
  pushed = soak.User(tiny, seed=3).next()
  assert len(pushed["frames"]) == 2
  (turn,) = session.push(**pushed).turns
  assert turn.saw and turn.index == 0


def test_no_turns_are_refused(tiny):
  with pytest.raises(ValueError, match="turns=0 must be 1 or more"):
    soak.run(tiny, num_turns=0)
