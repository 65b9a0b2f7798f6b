"""What somebody said, in utterances: words with little silence between them."""

import dataclasses
import math
import re
from collections.abc import Iterable, Sequence
from typing import Final

from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Reply

GAP_S: Final = 0.6
"""Seconds of silence that end an utterance."""

_SMALL: Final = frozenset(
  (
    *("a", "an", "and", "are", "as", "at", "be", "been", "by", "do", "does"),
    *("for", "from", "has", "have", "he", "her", "his", "i", "in", "is", "it"),
    *("its", "of", "on", "or", "she", "so", "that", "the", "their", "there"),
    *("they", "this", "to", "was", "were", "with", "you"),
  )
)


@dataclasses.dataclass(frozen=True)
class Utterance:
  """Words that belong together, from when to when, in seconds."""

  text: str
  start: float
  end: float


def split(
  words: Sequence[Word], *, gap: float = GAP_S, longest: float = math.inf
) -> list[Utterance]:
  """Utterances, in order.

  Args:
    longest: seconds after which one who does not stop begins another one.
  """
  found: list[Utterance] = []
  for word in sorted(words, key=lambda one: one.start):
    last = found[-1] if found else None
    if (
      last is not None
      and word.start - last.end < gap
      and word.start - last.start < longest
    ):
      found[-1] = Utterance(
        f"{last.text} {word.text}", last.start, max(last.end, word.end)
      )
    else:
      found.append(Utterance(word.text, word.start, word.end))
  return found


def written(reply: Reply) -> str:
  """What a system answered in writing: on the screen, else what it spoke.

  Where it tells neither, it is what was heard of it.
  """
  for kind in ("show", "say"):
    text = reply.written(kind).strip()
    if text:
      return text
  return reply.text


def plain(text: str) -> list[str]:
  """The words of a text in small letters, without signs."""
  return re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text.lower().replace("’", "'"))


def content(text: str) -> list[str]:
  """The same, without small words that say nothing by themselves."""
  return [word for word in plain(text) if word not in _SMALL]


def share(wanted: str, made: str) -> float:
  """How many of the words of one text that say something another one has.

  Where there is none, all its words count; of no words at all it has all.
  """
  words = set(content(wanted)) or set(plain(wanted))
  return _share(words, plain(made))


def _share(wanted: set[str], made: Iterable[str]) -> float:
  return len(wanted & set(made)) / len(wanted) if wanted else 1.0
