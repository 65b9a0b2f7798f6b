"""What a model sees of a record: pairs of pictures, one every few turns."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int, UInt8

from interaction_jax.data import media
from interaction_jax.data.form import Form
from interaction_jax.data.record import NO_FRAMES, Record
from interaction_jax.turns import clock


@dataclasses.dataclass(frozen=True, eq=False)
class Sight:
  """The pairs of a record.

  Attributes:
    frames: all of them.
    pair_of: which of them each turn sees; -1: none.
    lost: the share of each turn's pair that never arrived.
  """

  frames: UInt8[np.ndarray, "I 2 _ _ 3"]
  pair_of: Int[np.ndarray, " J"]
  lost: Float[np.ndarray, " J"]


def pairs(
  record: Record, num_turns: int, *, form: Form, start: int = 0
) -> Sight:
  """The pairs that the first turns of a record see.

  A turn sees if its index in the session is a multiple of `form.every`: the
  newest pictures by its beginning and by its middle, of those taken since the
  last turn that saw. For one that was lost stands the one before it.

  Args:
    start: index of the first turn in its session.
  """
  made: list[np.ndarray] = []
  pair_of = np.full(num_turns, -1, np.int32)
  lost = np.zeros(num_turns, np.float32)
  if form.sees and len(record.frame_times) + len(record.lost_frames):
    times = [(int(at), place) for place, at in enumerate(record.frame_times)]
    times = sorted([*times, *((at, -1) for at in record.lost_frames)])
    before = 0
    for turn in range(-start % form.every, num_turns, form.every):
      begin, end = turn * clock.SAMPLES, (turn + 1) * clock.SAMPLES
      seen = [one for one in times if before <= one[0] < end]
      before = end
      if not seen:
        continue
      lost[turn] = sum(seen[at][1] < 0 for at in _pair(seen, begin)) / 2
      came = [one for one in seen if one[1] >= 0]
      if came:
        pair_of[turn] = len(made)
        chosen = [came[at][1] for at in _pair(came, begin)]
        made.append(np.stack([_fitted(record.frames[i], form) for i in chosen]))
  shape = (0, 2, form.rows, form.columns, 3)
  frames = np.stack(made) if made else np.zeros(shape, np.uint8)
  return Sight(frames, pair_of, lost)


def fitted(record: Record, form: Form) -> Record:
  """A record with pictures as the model sees them; without, if it sees none."""
  if not form.sees or not len(record.frames):
    return dataclasses.replace(
      record,
      frames=NO_FRAMES,
      frame_times=np.zeros(0, np.int64),
      lost_frames=record.lost_frames if form.sees else (),
    )
  frames = np.stack([_fitted(frame, form) for frame in record.frames])
  return dataclasses.replace(record, frames=frames)


def _pair(seen: list[tuple[int, int]], begin: int) -> tuple[int, int]:
  times = [at / clock.SAMPLE_RATE for at, _ in seen]
  return media.pair(times, begin / clock.SAMPLE_RATE)


def _fitted(picture: np.ndarray, form: Form) -> np.ndarray:
  if picture.shape[:2] == (form.rows, form.columns):
    return picture
  return media.fit(picture, rows=form.rows, columns=form.columns)
