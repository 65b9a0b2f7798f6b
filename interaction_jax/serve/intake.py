"""Sound on its way into turns, whatever became of it before.

    put      [0, 480)  [480, 960)  [1440, 1920)  [480, 960)  [960, 1440)
    holds    ----------            ------------               -----------
    lost                           960 to 1440               none any more

A network loses chunks, doubles them and changes their order. Each chunk says
where it belongs, or follows the last; what is missing when its turn is run is
silence, and counted. So the clock of a session is never shifted.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float

from interaction_jax.turns import clock


class Intake:
  """The samples of a session that wait for their turn to become full.

  Attributes:
    begin: the first sample that waits, counted from the session's beginning.
    samples: those that wait; silence where they are lost.
    lost: which of them never came.
  """

  def __init__(self, begin: int = 0):
    self.begin = begin
    self.samples: Float[np.ndarray, " I"] = np.zeros(0, np.float32)
    self.lost: Bool[np.ndarray, " I"] = np.zeros(0, bool)

  @property
  def end(self) -> int:
    """Behind the last sample that came, counted from the beginning."""
    return self.begin + len(self.samples)

  def put(
    self, samples: Float[np.ndarray, " I"], at: int | None = None
  ) -> None:
    """Takes samples in.

    Those whose turn has been taken out are dropped, and so are those that are
    here already; what is left out before them is lost until it comes. None at
    all, with a place, say that nothing more comes before it.

    Args:
      at: where the first of them belongs, counted from the beginning; None:
        behind the last that came.
    """
    place = len(self.samples) if at is None else at - self.begin
    samples, place = samples[max(0, -place) :], max(0, place)
    known = len(self.samples)
    more = max(0, place + len(samples) - known)
    held = np.concatenate([self.samples, np.zeros(more, np.float32)])
    lost = np.concatenate([self.lost, np.ones(more, bool)])
    here = slice(place, place + len(samples))
    held[here] = np.where(lost[here], samples, held[here])
    lost[here] = False
    self.samples, self.lost = held, lost

  def turns(self) -> Iterator[tuple[Float[np.ndarray, " W"], float]]:
    """Takes out the turns that are full: their sound, and the share lost."""
    while len(self.samples) >= clock.SAMPLES:
      heard, lost = self.samples[: clock.SAMPLES], self.lost[: clock.SAMPLES]
      self.samples = self.samples[clock.SAMPLES :]
      self.lost = self.lost[clock.SAMPLES :]
      self.begin += clock.SAMPLES
      yield heard.copy(), float(lost.mean())
    # No view, which would hold on to all that was put.
    self.samples, self.lost = self.samples.copy(), self.lost.copy()

  def gaps(self) -> list[tuple[int, int]]:
    """From where to where samples are lost, counted from `begin`."""
    edges = np.flatnonzero(np.diff(np.r_[False, self.lost, False]))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]

  @classmethod
  def holding(
    cls,
    begin: int,
    samples: Float[np.ndarray, " I"],
    gaps: Iterable[Sequence[int]] = (),
  ) -> "Intake":
    """What `begin`, `samples` and `gaps()` describe."""
    intake = cls(begin)
    intake.samples = samples.copy()
    intake.lost = np.zeros(len(samples), bool)
    for first, last in gaps:
      intake.lost[first:last] = True
    return intake
