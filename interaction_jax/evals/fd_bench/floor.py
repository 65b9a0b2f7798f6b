"""Who has the floor: what counts as taking it, and when it is taken.

    words   one two            three four five six
            ~~~~~~~            ~~~~~~~~~~~~~~~~~~~~
            brief              takes the floor, from "three" on

The published rule looks at all words of a recording at once, from the first to
the last; the corrected one at utterances, and at when they begin.

Reference: Lin et al. 2025, Full-Duplex-Bench, arXiv:2503.04721.
"""

import math
from collections.abc import Sequence
from typing import Final

from interaction_jax.evals import utterance
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.utterance import Utterance

BRIEF_S: Final = 1.0
"""Seconds that take the floor."""

BRIEF_WORDS: Final = 3
"""Words that do not take it yet, if they are over sooner."""

EARLY_S: Final = 0.2
"""Seconds before the end of a turn at which an answer may begin: a turn of
ours, and about what an annotation is exact to."""


def taken(words: Sequence[Word]) -> bool:
  """Whether words take the floor, as published: TOR of one recording.

  They do not where there is none, or where at most 3 are over within less than
  1 s, counted from the first to the last.
  """
  if not words:
    return False
  first = min(one.start for one in words)
  last = max(one.end for one in words)
  return last - first >= BRIEF_S or len(words) > BRIEF_WORDS


def taking(
  words: Sequence[Word], *, since: float = -math.inf, until: float = math.inf
) -> Utterance | None:
  """The first utterance that takes the floor by itself; None: there is none.

  Args:
    since, until: it has to begin from the one on, and before the other.
  """
  for one in utterance.split(words):
    brief = len(one.text.split()) <= BRIEF_WORDS
    if since <= one.start < until and not (
      brief and one.end - one.start < BRIEF_S
    ):
      return one
  return None


def behind(words: Sequence[Word], at: float) -> list[Word]:
  """What is heard of words by somebody who listens from a time on."""
  return [
    Word(one.text, max(one.start, at), one.end) for one in words if one.end > at
  ]


def lateness(start: float | None, due: float) -> float | None:
  """How long after its time something began; what is early is not late."""
  return None if start is None else max(start - due, 0.0)
