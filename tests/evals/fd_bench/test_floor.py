import pytest

from interaction_jax.evals.fd_bench import floor
from interaction_jax.evals.harness.output import Word


def said(*spans):
  return [Word(f"w{n}", *span) for n, span in enumerate(spans)]


@pytest.mark.parametrize(
  ("words", "taken"),
  [
    ([], False),
    # One word of 0.4 s.
    (said((2.0, 2.4)), False),
    # Three words in 2.9 - 2.0 = 0.9 s: less than 1 s, and no more than 3.
    (said((2.0, 2.3), (2.3, 2.6), (2.6, 2.9)), False),
    # The same in 3.0 - 2.0 = 1.0 s.
    (said((2.0, 2.3), (2.3, 2.6), (2.7, 3.0)), True),
    # Four words in 0.8 s.
    (said((2.0, 2.2), (2.2, 2.4), (2.4, 2.6), (2.6, 2.8)), True),
    # One word of 1.2 s.
    (said((2.0, 3.2)), True),
    # Two nods of 0.2 s each, but 8.2 - 1.0 = 7.2 s from first to last.
    (said((1.0, 1.2), (8.0, 8.2)), True),
  ],
)
def test_taking_the_floor_as_published(words, taken):
  assert floor.taken(words) == taken


@pytest.mark.parametrize(
  ("words", "since", "until", "start"),
  [
    ([], 0.0, 9.0, None),
    # Two nods, 6.8 s apart, are two brief utterances.
    (said((1.0, 1.2), (8.0, 8.2)), 0.0, 9.0, None),
    # 1.0 to 2.1 s: 1.1 s long.
    (said((1.0, 1.5), (1.6, 2.1)), 0.0, 9.0, 1.0),
    # It begins before it is time, and goes on: none begins later.
    (said((1.0, 2.0), (2.1, 3.0), (3.1, 4.0)), 2.0, 9.0, None),
    # With 0.6 s of silence another one begins, at 2.6 s.
    (said((1.0, 2.0), (2.6, 3.7)), 2.0, 9.0, 2.6),
    # It begins at 5.0 s, which is not before 5.0 s.
    (said((5.0, 6.5)), 0.0, 5.0, None),
    # Four words in 0.8 s.
    (said((2.0, 2.2), (2.2, 2.4), (2.4, 2.6), (2.6, 2.8)), 0.0, 5.0, 2.0),
  ],
)
def test_an_utterance_takes_it_by_itself(words, since, until, start):
  made = floor.taking(words, since=since, until=until)
  assert (None if made is None else made.start) == start


def test_who_begins_to_listen_hears_the_rest():
  words = said((1.0, 2.0), (2.0, 3.0), (3.0, 3.5))
  # Of the second word only what comes after 2.4 s.
  assert floor.behind(words, 2.4) == [Word("w1", 2.4, 3.0), words[2]]
  assert floor.behind(words, 3.5) == []


@pytest.mark.parametrize(
  ("start", "due", "late"),
  [(3.5, 3.0, 0.5), (2.0, 3.0, 0.0), (3.0, 3.0, 0.0), (None, 3.0, None)],
)
def test_what_is_early_is_not_late(start, due, late):
  assert floor.lateness(start, due) == late
