"""Whether a reply gives a closed answer: by rules, which need no judge.

    formal_fallacies        valid or invalid
    navigate, web_of_lies   yes or no
    object_counting         a whole number

The published judge is told to look at the final answer where there is working;
so the last sentence that answers decides.
"""

import re
from typing import Final

from interaction_jax.evals import numeral
from interaction_jax.evals.voicebench import answer

ANSWERS: Final = {
  "formal_fallacies": ("valid", "invalid"),
  "navigate": ("yes", "no"),
  "web_of_lies": ("yes", "no"),
  "object_counting": (),
}
"""Categories, and the answers each may have; none named: a whole number."""

_INVALID: Final = re.compile(
  r"\b(?:in\W?valid|invalidly)\b"
  r"|(?:\bnot|n't|\bnever)\b(?:\s+\w+){0,3}?\s+(?:valid|follow)\b"
)
_VALID: Final = re.compile(r"\b(?:valid|validly|follows)\b")


def given(category: str, reply: str) -> str | None:
  """The answer that a reply gives; None: none is clear.

  Raises:
    KeyError: there is no such category.
  """
  if category == "formal_fallacies":
    return _validity(reply)
  if ANSWERS[category]:
    return answer.yes_or_no(reply)
  told = numeral.find(reply.split())
  return str(told[-1].value) if told else None


def right(category: str, reply: str, official: str) -> bool:
  """Whether it is the official one, which may be a number in words."""
  wanted = official.strip().strip(".").lower()
  if not ANSWERS[category]:
    value = number(wanted)
    wanted = wanted if value is None else str(value)
  return given(category, reply) == wanted


def number(text: str) -> int | None:
  """The whole number that a text is; None: it is none."""
  told = numeral.find(text.split())
  return told[0].value if len(told) == 1 else None


def _validity(reply: str) -> str | None:
  text = reply.lower().replace("’", "'")
  for sentence in reversed(re.split(r"[.!?\n]+", text)):
    if _INVALID.search(sentence):
      return "invalid"
    if _VALID.search(sentence):
      return "valid"
  return None
