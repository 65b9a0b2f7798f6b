import math

import numpy as np
import pytest

from interaction_jax.evals.fd_bench import backchannel
from interaction_jax.evals.fd_bench.backchannel import Nods
from interaction_jax.evals.harness.output import Word


def said(*times):
  return [Word("w", at, at + 0.2) for at in times]


@pytest.mark.parametrize(
  ("spans", "words", "walked", "nodded"),
  [
    ((), (), Nods(False, ()), Nods(False, ())),
    # 0.4 s, one word: a nod.
    (((1.0, 1.4),), said(1.1), Nods(False, (1.0,)), Nods(False, (1.0,))),
    # 0.4 s, three words: too many, but it is counted as published.
    (
      ((1.0, 1.4),), said(0.9, 1.1, 1.3), Nods(True, (1.0,)), Nods(True, ()),
    ),
    # 1.5 s take the floor; 0.3 s behind it give it back, as published.
    (
      ((1.0, 2.5), (6.0, 6.3)), (), Nods(False, (1.0, 6.0)), Nods(True, (6.0,)),
    ),
    # The same the other way round.
    (
      ((1.0, 1.3), (6.0, 7.5)), (), Nods(True, (1.0, 6.0)), Nods(True, (1.0,)),
    ),
    # After 3.1 s nothing is looked at any more, as published.
    (
      ((1.0, 1.3), (2.0, 5.1), (7.0, 7.3)),
      (),
      Nods(True, (1.0,)),
      Nods(True, (1.0, 7.0)),
    ),
    # Exactly 1.0 s is too long, exactly 3.0 s is still counted.
    (
      ((1.0, 2.0), (4.0, 7.0)), (), Nods(True, (1.0, 4.0)), Nods(True, ()),
    ),
  ],
)  # fmt: skip
def test_spans_of_a_voice(spans, words, walked, nodded):
  assert backchannel.walk(spans, words) == walked
  assert backchannel.nods(spans, words) == nodded


def test_how_often_one_nods():
  # 3 in 12 s.
  assert Nods(False, (1.0, 5.0, 9.0)).frequency(12.0) == 0.25


@pytest.mark.parametrize(
  ("made", "wanted", "nats"),
  [
    ((1.0, 0.0), (1.0, 0.0), 0.0),
    # Nothing in common: ln 2.
    ((1.0, 0.0), (0.0, 1.0), math.log(2)),
    # Scale is no matter.
    ((2.0, 2.0), (0.1, 0.1), 0.0),
    # Between them lies (3/4, 1/4):
    # (ln(4/3) + (ln(2/3) + ln 2) / 2) / 2 = 0.2158.
    ((1.0, 0.0), (1.0, 1.0), (math.log(4 / 3) + math.log(4 / 3) / 2) / 2),
    # Between (1/2, 1/2, 0) and (0, 1/2, 1/2) lies (1/4, 1/2, 1/4):
    # each is at ln(2) / 2 from it.
    ((1.0, 1.0, 0.0), (0.0, 1.0, 1.0), math.log(2) / 2),
  ],
)
def test_how_differently_they_are_spread(made, wanted, nats):
  found = backchannel.divergence(made, wanted)
  # 1e-10 is added to all windows; near 0 the root makes 1e-5 of it.
  assert found == pytest.approx(math.sqrt(nats), abs=2e-5)
  bits = backchannel.divergence(made, wanted, base=2)
  assert bits == pytest.approx(math.sqrt(nats / math.log(2)), abs=2e-5)


def test_onsets_fall_into_windows():
  people = [0.0, 0.0, 1.0, 0.0, 1.0]
  # 0.4 s opens the third of five windows, 0.9 s lies in the fifth.
  both = Nods(False, (0.4, 0.9))
  assert both.divergence(people, 1.0) == pytest.approx(0, abs=2e-5)
  # One of two: (1, 0) against (1/2, 1/2), as above.
  one = Nods(False, (0.45,)).divergence(people, 1.0)
  assert one == pytest.approx(math.sqrt(0.215762), abs=1e-4)
  assert Nods(False, ()).divergence(people, 1.0) == 1.0
  # What begins at the very end belongs to the last window.
  assert Nods(False, (1.0,)).divergence(people, 1.0) == pytest.approx(one)


@pytest.mark.parametrize(
  ("wanted", "num", "resized"),
  [
    ((1.0, 2.0, 3.0), 3, (1, 2, 3)),
    ((1.0, 3.0), 3, (1, 2, 3)),
    ((1.0, 2.0, 3.0), 2, (1, 3)),
    ((0.0, 4.0, 0.0), 5, (0, 2, 4, 2, 0)),
    ((5.0,), 3, (5, 5, 5)),
  ],
)
def test_a_distribution_is_stretched(wanted, num, resized):
  np.testing.assert_allclose(backchannel.resized(wanted, num), resized)
