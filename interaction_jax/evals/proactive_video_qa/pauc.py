"""PAUC: the area under how well a question has been answered so far.

    2 |                   +------------------
      |                   |
    1 |         +---------+
      |         |                               area / (2 (te - ts))
  0.5 +---------+
      +---------+---------+-----------------+
     ts        t1        t2                te

An answer that was rated s in {0, 1, 2} holds until the next one. Times are
drawn towards `ts` by a factor 1 - omega: with omega=0 timing counts in full,
with omega=1 not at all.

Reference: Wang et al. 2025, ProactiveVideoQA, arXiv:2507.09313, section 4.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

OMEGAS: Final = (0.0, 0.5, 1.0)
"""Those that are reported; 0.5 is the published one."""

BEST: Final = 2
"""The best rating. Judges say 1 to 3; one less is what counts."""

_BEFORE: Final = 0.5
"""What is worth to have said nothing yet: more than something wrong."""


@dataclasses.dataclass(frozen=True)
class Turn:
  """Something that should be answered.

  Attributes:
    reply: from when to when an answer counts, in seconds.
    related: when it is to be seen; None: the same.
  """

  reply: tuple[float, float]
  related: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class Rating:
  """How well it has been answered by a moment: 0, 1 or 2."""

  at: float
  value: int


def curve(turn: Turn, ratings: Sequence[Rating]) -> list[Rating]:
  """The ratings that count, in order of time.

  Once what is to be seen is over, an answer cannot make things worse than the
  last one before that was: whoever repeats himself briefly loses nothing.
  """
  begin, end = turn.reply
  over = (turn.related or turn.reply)[1]
  inside = sorted(
    (one for one in ratings if begin <= one.at <= end), key=lambda one: one.at
  )
  early = [one.value for one in inside if one.at <= over]
  floor = early[-1] if early else 0
  # As in the published scorer a single rating always counts.
  if len(inside) < 2:
    return inside
  return [one for one in inside if one.at <= over or one.value >= floor]


def area(turn: Turn, ratings: Sequence[Rating], *, omega: float = 0.5) -> float:
  """PAUC of one turn, from 0 to 1, as the published scorer computes it.

  Nothing rated is worth 1/4. Where the span has no length it is 0.

  Raises:
    ValueError: omega is not from 0 to 1.
  """
  if not 0 <= omega <= 1:
    raise ValueError(f"omega={omega} must be from 0 to 1; 0.5 is published.")
  kept = curve(turn, ratings)
  if not kept:
    return _BEFORE / BEST
  begin, end = turn.reply
  if end <= begin:
    return 0.0
  total, x, height = 0.0, 0.0, _BEFORE
  for one in kept:
    at = (one.at - begin) * (1 - omega)
    total += (at - x) * height
    x, height = at, one.value
  total += (end - begin - x) * height
  return total / (BEST * (end - begin))


def exact_area(
  turn: Turn, ratings: Sequence[Rating], *, omega: float = 0.5
) -> float:
  """The same without its oddities.

  A span without length is worth its last rating, and answers after what is to
  be seen count like all others.
  """
  begin, end = turn.reply
  open_turn = Turn(turn.reply)
  if end > begin:
    return area(open_turn, ratings, omega=omega)
  kept = curve(open_turn, ratings)
  return kept[-1].value / BEST if kept else _BEFORE / BEST
