"""How well a spoken "start" and "stop" enclose what happens.

    happens        |=====================|     (more than once, where it does)
    said              start                 stop
    common            |==================|
    union          |=========================|

IoU = |common| / |union|; nothing said is 0.

Reference: Gao et al. 2017, TALL, arXiv:1705.02101, for IoU and R@1.
"""

import re
from collections.abc import Sequence
from typing import Final

from interaction_jax.evals.harness.output import Word

Interval = tuple[float, float]
"""From when to when, in seconds."""

_BEGIN: Final = frozenset(("start", "starts", "started"))
_END: Final = frozenset(("stop", "stops", "stopped"))

RECALLS: Final = (0.3, 0.5, 0.7)
"""Overlaps that are usually asked for."""


def union(parts: Sequence[Interval]) -> list[Interval]:
  """The same stretches of time in order, none touching another."""
  made: list[Interval] = []
  for begin, end in sorted(one for one in parts if one[1] > one[0]):
    if made and begin <= made[-1][1]:
      made[-1] = (made[-1][0], max(made[-1][1], end))
    else:
      made.append((begin, end))
  return made


def overlap(said: Sequence[Interval], wanted: Sequence[Interval]) -> float:
  """Intersection over union of two sets of stretches; 0 where one is empty."""
  said, wanted = union(said), union(wanted)
  common = sum(
    max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    for one in said
    for other in wanted
  )
  if not common:
    return 0.0
  lengths = sum(end - begin for begin, end in (*said, *wanted))
  return common / (lengths - common)


def first(words: Sequence[Word]) -> list[Interval]:
  """From the first "start" to the next "stop": one stretch, or none."""
  return spoken(words)[:1]


def spoken(
  words: Sequence[Word], *, until: float | None = None
) -> list[Interval]:
  """From every "start" to the next "stop"; a second "start" changes nothing.

  Args:
    until: when a stretch ends that nobody stopped; None: it is none.
  """
  made: list[Interval] = []
  begun: float | None = None
  for word in words:
    plain = re.sub(r"\W", "", word.text.lower())
    if plain in _BEGIN and begun is None:
      begun = word.start
    elif plain in _END and begun is not None:
      made.append((begun, word.start))
      begun = None
  if begun is not None and until is not None and until > begun:
    made.append((begun, until))
  return made
