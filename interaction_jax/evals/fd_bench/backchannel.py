"""Short signs that one listens: how many, when, and whether they stay short.

    spans    ~~          ~~~~~~         ~~~~~~~~~~~~~~~~
             0.4 s       1.2 s          3.5 s
    walk     nod         nod, TOR = 1   TOR = 1, the end
    nods     nod         too long       too long

The published scorer walks through the spans of a voice, and its TOR is that of
the last one it saw; it counts everything up to 3 s. The corrected one sees all
of them, and counts what is brief.

Reference: Lin et al. 2025, Full-Duplex-Bench, arXiv:2503.04721.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.spatial import distance

from interaction_jax.evals.fd_bench import floor
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.onsets import Span

WINDOW_S: Final = 0.2

_LONG_S: Final = 3.0
"""Seconds after which it is a turn, and nothing that follows is looked at."""

_WORDS: Final = 2


@dataclasses.dataclass(frozen=True)
class Nods:
  """What was made of the spans of a voice.

  Attributes:
    took: whether the floor was taken: TOR of one recording.
    onsets: when each that counts began, in seconds.
  """

  took: bool
  onsets: tuple[float, ...]

  def frequency(self, seconds: float) -> float:
    """How many there are in a second."""
    return len(self.onsets) / seconds

  def divergence(
    self,
    wanted: Sequence[float],
    seconds: float,
    *,
    base: int | None = None,
  ) -> float:
    """How differently they are spread than those of people; see below.

    1 where there is none.
    """
    if not self.onsets:
      return 1.0
    num = max(math.ceil(seconds / WINDOW_S - 1e-9), 1)
    # Half a sample of slack, as for turns.
    places = [int(at / WINDOW_S + 1e-4) for at in self.onsets]
    counts = np.bincount(np.minimum(places, num - 1), minlength=num)
    return divergence(counts, resized(wanted, num), base=base)


def walk(spans: Sequence[Span], words: Sequence[Word]) -> Nods:
  """As published: the last span decides, and one of more than 3 s ends it."""
  took, onsets = False, []
  for start, end in spans:
    if end - start > _LONG_S:
      took = True
      break
    took = not _brief((start, end), words)
    onsets.append(start)
  return Nods(took, tuple(onsets))


def nods(spans: Sequence[Span], words: Sequence[Word]) -> Nods:
  """All spans count: who is not brief has the floor, and only a nod is one."""
  brief = [_brief(span, words) for span in spans]
  onsets = [start for (start, _), nod in zip(spans, brief, strict=True) if nod]
  return Nods(not all(brief), tuple(onsets))


def _brief(span: Span, words: Sequence[Word]) -> bool:
  start, end = span
  inside = [one for one in words if one.start < end and one.end > start]
  return end - start < floor.BRIEF_S and len(inside) <= _WORDS


def resized(wanted: Sequence[float], num: int) -> Float[np.ndarray, " _"]:
  """A distribution over so many windows, linearly between those it has."""
  known = np.asarray(wanted, float)
  places = np.linspace(0, len(known) - 1, num)
  return np.interp(places, np.arange(len(known)), known)


def divergence(
  made: Sequence[float] | np.ndarray,
  wanted: Sequence[float] | np.ndarray,
  *,
  base: int | None = None,
) -> float:
  """How differently two histograms are spread: 0 alike.

  The square root of the Jensen-Shannon divergence, 1e-10 added to each window.
  In bits (`base=2`) it ends at 1, in nats (None, as published) at 0.8326.
  """
  spread = [np.asarray(one, float) + 1e-10 for one in (made, wanted)]
  return float(distance.jensenshannon(*spread, base=base))
