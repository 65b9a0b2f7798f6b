import numpy as np
import pytest

from interaction_jax.evals.harness import playback
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.playback import Heard, Playback


@pytest.fixture
def play():
  # Ten samples a second: a part of a number of them is easily counted.
  return Playback(10)


def plain(words):
  return [(x.text, round(x.start, 6), round(x.end, 6)) for x in words]


def test_sound_is_heard_when_it_is_there_and_after_what_came_before(play):
  play.play(np.full(4, 1.0, np.float32), 0.2)
  play.play(np.full(2, 2.0, np.float32), 0.3)
  play.play(np.full(1, 3.0, np.float32), 1.2)
  #                    0  1  2  3  4  5  6  7  8  9 10 11 12 13
  assert play.between(0.0, 1.4).tolist() == [
    0, 0, 1, 1, 1, 1, 2, 2, 0, 0, 0, 0, 3, 0
  ]  # fmt: skip
  assert play.between(0.5, 0.7).tolist() == [1, 2]


def test_what_came_before_the_beginning_begins_with_it(play):
  play.play(np.ones(2, np.float32), -1.0)
  assert play.between(0.0, 0.3).tolist() == [1, 1, 0]


def test_what_is_stopped_is_never_heard(play):
  play.play(np.full(3, 1.0, np.float32), 0.0, run="a")
  play.play(np.full(8, 2.0, np.float32), 0.0, run="b")
  play.play(np.full(8, 2.0, np.float32), 0.1, run="b")
  # At 0.5 s three samples of "a" and two of "b" have been heard.
  assert play.stop(0.5) == Heard("b", 200)
  assert play.between(0.0, 1.0).tolist() == [1, 1, 1, 2, 2, 0, 0, 0, 0, 0]
  assert play.stop(0.5) is None
  play.play(np.full(1, 3.0, np.float32), 0.6, run="c")
  assert play.between(0.4, 0.8).tolist() == [2, 0, 3, 0]


def test_words_of_a_run_share_its_time(play):
  play.play(np.ones(6, np.float32), 1.0, run="a")
  play.tell_of("a", "one two")
  play.play(np.ones(6, np.float32), 1.1, run="a")
  play.tell_of("a", " three")
  # 12 samples for three words, from 1.0 s on: 0.4 s each.
  assert plain(play.words()) == [
    ("one", 1.0, 1.4), ("two", 1.4, 1.8), ("three", 1.8, 2.2)
  ]  # fmt: skip


def test_words_that_were_not_heard_are_no_words(play):
  play.play(np.ones(12, np.float32), 1.0, run="a")
  play.tell_of("a", "one two three")
  play.stop(1.5)
  assert plain(play.words()) == [("one", 1.0, 1.4), ("two", 1.4, 1.5)]
  play.tell_of("b", "never")
  assert len(play.words()) == 2


@pytest.mark.parametrize(
  ("pieces", "words"),
  [
    ([(" cat", 1.0), (" dog", 2.0)], [("cat", 1.0, 1.2), ("dog", 2.0, 2.2)]),
    ([(" ca", 1.0), ("t", 1.2)], [("cat", 1.0, 1.4)]),
    ([("a cat", 1.0)], [("a", 1.0, 1.2), ("cat", 1.0, 1.2)]),
    ([("cat ", 1.0), ("dog", 1.2)], [("cat", 1.0, 1.2), ("dog", 1.2, 1.4)]),
    ([(" ", 1.0), ("cat", 1.2)], [("cat", 1.2, 1.4)]),
    ([], []),
  ],
)
def test_pieces_of_text_become_words(pieces, words):
  given = [Word(text, at, at + 0.2) for text, at in pieces]
  assert plain(playback.joined(given)) == words


def test_pieces_with_times_are_said_then(play):
  play.tell(" one", 0.2, 0.4)
  play.tell(" two", 0.4, 0.6)
  assert [word.text for word in play.words()] == ["one", "two"]
