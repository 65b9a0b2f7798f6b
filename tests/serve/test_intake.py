import itertools

import numpy as np
import pytest

from interaction_jax.serve.intake import Intake
from interaction_jax.turns import clock

SOUND = np.arange(1, 3 * clock.SAMPLES + 1, dtype=np.float32)


def taken(intake):
  return [(heard.tolist(), lost) for heard, lost in intake.turns()]


def test_what_follows_is_put_behind():
  intake = Intake()
  intake.put(SOUND[:5000])
  assert (intake.begin, intake.end) == (0, 5000)
  assert taken(intake) == [(SOUND[:3200].tolist(), 0.0)]
  assert (intake.begin, intake.end) == (3200, 5000)
  intake.put(SOUND[5000:])
  assert [heard[0] for heard, _ in taken(intake)] == [3201, 6401]
  assert intake.end == 3 * clock.SAMPLES


@pytest.mark.parametrize("seed", range(3))
def test_any_order_gives_the_same_turns(seed):
  rng = np.random.default_rng(seed)
  cuts = np.r_[0, np.sort(rng.choice(6400, 9, replace=False)), 6400]
  pieces = list(itertools.pairwise(cuts)) * 2
  rng.shuffle(pieces)
  intake = Intake()
  for first, last in pieces:
    intake.put(SOUND[first:last], int(first))
  assert intake.end == 6400 and intake.gaps() == []
  assert taken(intake) == [
    (SOUND[:3200].tolist(), 0.0),
    (SOUND[3200:6400].tolist(), 0.0),
  ]


def test_what_is_missing_is_silence():
  intake = Intake()
  intake.put(SOUND[1600:2400], 1600)
  intake.put(SOUND[2400:2800])
  intake.put(SOUND[:0], 3200)
  assert intake.gaps() == [(0, 1600), (2800, 3200)]
  [(heard, lost)] = taken(intake)
  assert lost == 2000 / 3200
  assert np.flatnonzero(heard).tolist() == list(range(1600, 2800))


def test_what_is_too_late_or_doubled_is_dropped():
  intake = Intake()
  intake.put(SOUND[:4000])
  assert len(taken(intake)) == 1
  intake.put(-SOUND[:3200], 0)
  # Partly of the turn that was run, partly here already, partly new.
  intake.put(np.where(SOUND[3000:5000] > 4000, 1, -1) * SOUND[3000:5000], 3000)
  assert (intake.begin, intake.end) == (3200, 5000)
  np.testing.assert_array_equal(intake.samples, SOUND[3200:5000])


def test_what_waits_can_be_kept_and_restored():
  intake = Intake()
  intake.put(SOUND[:3500])
  assert len(taken(intake)) == 1
  intake.put(SOUND[4000:4200], 4000)
  back = Intake.holding(intake.begin, intake.samples, intake.gaps())
  for each in (intake, back):
    each.put(SOUND[3500:6400], 3500)
    assert each.gaps() == []
  assert taken(back) == taken(intake)


def test_nothing_holds_on_to_what_is_gone():
  intake = Intake()
  intake.put(SOUND[:6500])
  assert len(taken(intake)) == 2
  assert intake.samples.base is None and intake.lost.base is None
