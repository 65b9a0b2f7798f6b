"""Which of the things that should be said were said, and when.

    user       ~~~~~~~~~~~~ gato ~~~~~~~~~~~~~~~~~~
    window                      [-------]
    utterances                    cat         well        one hit, one too many

Every event takes at most one utterance that begins within its window and means
what it should; as many events as possible are served, and of several ways to
do that the one with the least delay. What serves nothing is a false alarm,
unless it begins where anything may be said.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from scipy import optimize

from interaction_jax.evals import utterance
from interaction_jax.evals.utterance import Utterance

Span = tuple[float, float]
"""From when to when, in seconds."""

_NEVER: Final = 1e6
"""Seconds that no delay has."""


@dataclasses.dataclass(frozen=True)
class Event:
  """Something that should be said.

  Attributes:
    t_ref: the best time, in seconds.
    window: in which it has to begin.
    accept: what will do: all words of one of these.
    say: what an oracle says.
    overlap: whether it has to begin while the user speaks.
  """

  t_ref: float
  window: Span
  accept: tuple[str, ...]
  say: str
  overlap: bool = False

  def means(self, text: str) -> bool:
    """Whether a text says it, by its words."""
    words = set(utterance.plain(text))
    return any(set(utterance.plain(one)) <= words for one in self.accept)


@dataclasses.dataclass(frozen=True)
class Outcome:
  """What became of an item.

  Attributes:
    offsets: of each event, the seconds from its best time; None: a miss.
    false_alarms: utterances that nobody wanted.
  """

  offsets: tuple[float | None, ...]
  false_alarms: int

  @property
  def hits(self) -> int:
    """Events that were served."""
    return sum(one is not None for one in self.offsets)

  def correct(self, max_extra: int) -> bool:
    """Whether all was said, and not more than so many things besides."""
    return self.hits == len(self.offsets) and self.false_alarms <= max_extra


def match(
  events: Sequence[Event],
  said: Sequence[Utterance],
  *,
  user: Sequence[Span] = (),
  free: Sequence[Span] = (),
  means: Callable[[Event, Utterance], bool] | None = None,
) -> Outcome:
  """What became of events.

  Args:
    user: when the user speaks.
    free: when anything may be said, as after a request.
    means: whether an utterance says what an event wants; None: by its words.
      It is asked only of utterances that begin in time.
  """
  means = means or (lambda event, one: event.means(one.text))
  cost = np.full((len(events), len(said)), _NEVER)
  for row, event in enumerate(events):
    for column, one in enumerate(said):
      if _in_time(event, one.start, user) and means(event, one):
        cost[row, column] = abs(one.start - event.t_ref)
  rows, columns = optimize.linear_sum_assignment(cost)
  served = {
    int(row): int(column)
    for row, column in zip(rows, columns, strict=True)
    if cost[row, column] < _NEVER
  }
  taken = set(served.values())
  return Outcome(
    tuple(
      said[served[n]].start - event.t_ref if n in served else None
      for n, event in enumerate(events)
    ),
    sum(
      place not in taken and not within(one.start, free)
      for place, one in enumerate(said)
    ),
  )


def _in_time(event: Event, at: float, user: Sequence[Span]) -> bool:
  first, last = event.window
  return first <= at <= last and (not event.overlap or within(at, user))


def within(at: float, spans: Sequence[Span]) -> bool:
  """Whether a time lies in one of some spans."""
  return any(first <= at <= last for first, last in spans)
