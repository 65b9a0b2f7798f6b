import numpy as np
import pytest

from interaction_jax.evals.cued import script
from interaction_jax.evals.cued.script import Plan, Script
from interaction_jax.evals.harness.narrator import Spoken
from interaction_jax.evals.harness.output import Word


def spoken(*ends):
  times = (0.0, *ends)
  words = tuple(
    Word("w", float(times[n]), float(times[n + 1]))
    for n in range(len(times) - 1)
  )
  return Spoken(np.ones(round(ends[-1] * 16_000), np.float32), words)


@pytest.fixture
def laid():
  made = Script(("go on", "a b c d"), (spoken(0.5, 1.0), spoken(1, 2, 3, 4)))
  made.say(0, pause=0.5)
  made.free(made.now)
  made.due(made.now + 3.0, "now", "now", "go")
  made.say(1, pause=5.0)
  made.cued(1, 1, "b")
  made.cued(1, 2, "c")
  return made


def test_lines_follow_each_other(laid):
  entry = laid.entry()
  assert entry["user"] == [
    {"text": "go on", "start": 0.5, "end": 1.5},
    {"text": "a b c d", "start": 6.5, "end": 10.5},
  ]
  assert entry["free"] == [[1.5, 3.5]]
  # 2.5 s after the last thing, which is the user: 13.0 s.
  assert entry["seconds"] == 13.0 and entry["max_extra"] == 0


def test_words_have_the_times_of_their_lines(laid):
  words = laid.words()
  # "go on" from 0.5 s, the four words of the other line from 6.5 s on.
  assert [word.start for word in words] == [0.5, 1.0, 6.5, 7.5, 8.5, 9.5]
  assert words[-1].end == 10.5
  assert len(laid.line_sound(1)) == 4 * 16_000


def test_windows_are_as_stated(laid):
  due, early, late = laid.entry()["events"]
  assert due == {
    "t_ref": 4.5, "window": [3.9, 5.7], "accept": ["now", "go"], "say": "now",
    "overlap": False,
  }  # fmt: skip
  # Word 1 of a line from 6.5 s on ends at 8.5 s.
  assert (early["t_ref"], early["window"]) == (8.5, [8.5, 10.1])
  # Not when the user has ended: 9.5 to 10.5, not to 11.1.
  assert (late["t_ref"], late["window"]) == (9.5, [9.5, 10.5])
  assert late["overlap"] and late["accept"] == ["c"]


def test_the_sound_is_where_the_lines_are(laid):
  sound = laid.sound(13.0)
  assert len(sound) == 13 * 16_000
  edges = np.flatnonzero(np.diff(np.r_[0, sound != 0, 0])) / 16_000
  np.testing.assert_allclose(edges, [0.5, 1.5, 6.5, 10.5])


def test_the_user_may_be_silent_for_long(laid):
  laid.wait(5.0)
  assert laid.now == 10.5
  laid.wait(20.0)
  assert laid.now == 20.0


def test_a_request_is_followed_by_free_time():
  made = Script(("go on",), (spoken(0.5, 1.0),))
  assert made.ask(0, pause=0.5) == 1.5
  made.due(4.0, "now")
  assert made.entry()["free"] == [[1.5, 3.5]]


def test_something_has_to_be_said():
  made = Script(("go on",), (spoken(0.5, 1.0),))
  made.say(0)
  with pytest.raises(AssertionError, match="silence would be right"):
    made.entry()


def test_words_and_times_belong_together():
  made = Script(("go on then",), (spoken(0.5, 1.0),))
  made.say(0)
  with pytest.raises(AssertionError, match="have 2 times"):
    made.word_end(0, 1)


def test_plans_are_spoken_by_voices_of_their_own():
  plans = {
    name: Plan(("say it now", "stop"), lambda s: (s.say(0), s.say(1)))
    for name in ("a", "b", "c")
  }
  scripts = script.speak(plans)
  assert list(scripts) == ["a", "b", "c"]
  ends = {one.now for one in scripts.values()}
  assert len(ends) > 1 and all(0.8 < end < 3.5 for end in ends)
  for one in scripts.values():
    # Words and their times are those of the sound.
    assert one.word_end(0, 2) == pytest.approx(one.line_span(0)[1])
    assert one.word_end(0, 0) < one.word_end(0, 1) < one.word_end(0, 2)
