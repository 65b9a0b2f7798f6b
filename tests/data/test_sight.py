import numpy as np
import pytest

from interaction_jax.data import sight
from interaction_jax.data.form import Form
from interaction_jax.data.record import Record

TURN = 3200
FORM = Form(num_turns=9, rows=4, columns=6, patches=2, every=1)


def _record(times, lost=(), size=(4, 6)):
  """Pictures of one colour each: their number."""
  still = np.zeros(9 * TURN, np.float32)
  frames = np.ones((len(times), *size, 3), np.uint8)
  frames *= np.arange(1, len(times) + 1, dtype=np.uint8)[:, None, None, None]
  return Record(
    heard=still,
    voice=still,
    frames=frames,
    frame_times=np.array(times, np.int64),
    lost_frames=lost,
  )


def _seen(record, num_turns=4, start=0, **form):
  made = sight.pairs(
    record,
    num_turns,
    form=Form(**{**vars(FORM), **form}),
    start=start,
  )
  numbers = made.frames[:, :, 0, 0, 0].tolist()
  return [numbers[i] if i >= 0 else None for i in made.pair_of], made.lost


def test_a_turn_sees_its_beginning_and_its_middle():
  seen, lost = _seen(_record([0, 1600, 3200, 4800, 6400]))
  assert seen == [[1, 2], [3, 4], [5, 5], None]
  assert not lost.any()


@pytest.mark.parametrize(
  ("start", "wanted"),
  [(0, [[1, 2], None, None, [5, 6]]), (4, [None, None, [3, 4], None])],
)
def test_only_some_turns_of_a_session_see(start, wanted):
  record = _record([0, 1600, 4900, 6400, 9600, 11200])
  assert _seen(record, start=start, every=3)[0] == wanted


def test_pictures_are_fitted_into_the_canvas():
  made = sight.pairs(_record([0], size=(8, 12)), 1, form=FORM)
  assert made.frames.shape == (1, 2, 4, 6, 3)
  assert (made.frames == 1).all()


def test_what_was_lost_is_told():
  record = _record([0, 3200, 4800], lost=(1600, 6400, 9600))
  seen, lost = _seen(record)
  # For one that was lost stands the one before it; without any, nothing.
  assert seen == [[1, 1], [2, 3], None, None]
  assert lost.tolist() == [0.5, 0.0, 1.0, 1.0]


def test_a_model_without_eyes_sees_nothing():
  made = sight.pairs(_record([0, 1600]), 3, form=Form(num_turns=9))
  assert made.pair_of.tolist() == [-1, -1, -1]
  assert len(made.frames) == 0
