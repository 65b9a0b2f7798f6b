"""Turns by hand; a line takes two of them, and a reply is a loud turn."""

import numpy as np
import pytest

from interaction_jax.evals.fd_bench.v2 import examiner
from interaction_jax.evals.fd_bench.v2.examiner import (
  PACING,
  Examiner,
  Pacing,
  Stage,
)
from interaction_jax.evals.harness.item import Partner
from interaction_jax.evals.harness.narrator import Spoken
from interaction_jax.evals.harness.output import Word

LINE = Spoken(
  np.full(5000, 0.1, np.float32), (Word("a", 0.0, 0.1), Word("b", 0.1, 0.3))
)
QUIET = np.zeros(3200, np.float32)
LOUD = np.full(3200, 0.1, np.float32)


def converse(pacing, loud, num_stages=2, most=80):
  """In which turns it speaks, wants something, and when it is over.

  Args:
    loud: turns in which the system speaks.
  """
  stages = [Stage(LINE, f"answer {n}") for n in range(num_stages)]
  made = Examiner(stages, pacing)
  spoken, wanted = [], []
  for turn in range(most):
    sound = made.speak(LOUD if turn in loud else QUIET)
    if sound is None:
      return spoken, wanted, turn, made
    if sound.any():
      spoken.append(turn)
    want = made.wants()
    if want is not None:
      wanted.append((turn, want))
  return spoken, wanted, None, made


def test_it_is_a_partner():
  assert isinstance(Examiner([Stage(LINE, "")], PACING["slow"]), Partner)


@pytest.mark.parametrize(
  ("pacing", "loud", "spoken", "over"),
  [
    # It speaks in turns 2 and 3. Of a reply in 5 and 6, turns 7 and 8 are
    # the gap, so that it goes on in 9; the next reply, in 12, ends in 14.
    (Pacing(2, 9), {5, 6, 12}, [2, 3, 9, 10], 15),
    # A pause of one turn within the reply is no gap: 5, 7, then 8 and 9.
    (Pacing(2, 9), {5, 7, 13}, [2, 3, 10, 11], 16),
    # No reply: 4 to 7 are four turns of patience; again 10 to 13.
    (Pacing(2, 4), set(), [2, 3, 8, 9], 14),
    # A reply that goes on from 4: after three turns it is interrupted in 7,
    # and goes on over the line; three more turns, 9 to 11, and it is over.
    (Pacing(2, 9, 3), set(range(4, 80)), [2, 3, 7, 8], 12),
    # Who does not interrupt waits to the end.
    (Pacing(2, 9), set(range(4, 80)), [2, 3], None),
    # What is said into its own line is not heard.
    (Pacing(2, 4), {2, 3}, [2, 3, 8, 9], 14),
  ],
)
def test_when_it_goes_on(pacing, loud, spoken, over):
  found = converse(pacing, loud)
  assert (found[0], found[2]) == (spoken, over)


def test_what_it_wants_and_has_said():
  spoken, wanted, _, made = converse(Pacing(2, 4), set())
  # Told in the turn in which a line ends.
  assert wanted == [(3, "answer 0"), (9, "answer 1")]
  # The second line begins with turn 8, at 1.6 s.
  assert spoken[2] == 8
  assert [(word.text, word.start) for word in made.said()] == [
    ("a", pytest.approx(0.4)),
    ("b", pytest.approx(0.5)),
    ("a", pytest.approx(1.6)),
    ("b", pytest.approx(1.7)),
  ]


def test_it_does_not_know_what_it_has_not_heard():
  # The sound of a turn is the same, whatever is heard in that very turn.
  loud = {5, 6}
  for turn in range(2, 12):
    calm = Examiner([Stage(LINE, "")] * 2, Pacing(2, 9))
    other = Examiner([Stage(LINE, "")] * 2, Pacing(2, 9))
    for before in range(turn):
      heard = LOUD if before in loud else QUIET
      calm.speak(heard)
      other.speak(heard)
    np.testing.assert_array_equal(calm.speak(QUIET), other.speak(LOUD))


def test_fast_is_more_eager_than_slow():
  fast, slow = PACING["fast"], PACING["slow"]
  assert fast.gap < slow.gap and fast.patience < slow.patience
  assert fast.longest is not None and slow.longest is None
  assert examiner.FIRST == 2
