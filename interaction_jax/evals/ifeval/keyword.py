"""Instructions about words and letters that a reply must or must not have.

Every function says whether a reply follows an instruction. Those called
`exact_` do what the instruction says where the field's scorer does not quite.
"""

import re
from collections.abc import Sequence
from typing import Final

RELATIONS: Final = ("less than", "at least")
"""How a number may be compared with the one that is wanted."""


def compare(number: int, relation: str, wanted: int) -> bool:
  """Whether a number is "less than" another, or "at least" as large.

  Raises:
    ValueError: there is no such relation.
  """
  if relation not in RELATIONS:
    raise ValueError(
      f"relation={relation!r} must be one of {', '.join(RELATIONS)}."
    )
  return number < wanted if relation == "less than" else number >= wanted


def existence(reply: str, *, keywords: Sequence[str]) -> bool:
  """All are there. Each is a pattern, and may be a part of a word."""
  return all(re.search(one, reply, re.IGNORECASE) for one in keywords)


def exact_existence(reply: str, *, keywords: Sequence[str]) -> bool:
  """All are there, as words."""
  return all(_whole(one).search(reply) for one in keywords)


def frequency(
  reply: str, *, keyword: str, frequency: int, relation: str
) -> bool:
  """One comes up so often, be it as part of a word."""
  found = re.findall(keyword.strip(), reply, re.IGNORECASE)
  return compare(len(found), relation, frequency)


def exact_frequency(
  reply: str, *, keyword: str, frequency: int, relation: str
) -> bool:
  """One comes up so often as a word."""
  found = _whole(keyword.strip()).findall(reply)
  return compare(len(found), relation, frequency)


def forbidden(reply: str, *, forbidden_words: Sequence[str]) -> bool:
  """None is there, as a word; each is a pattern."""
  return not any(
    re.search(rf"\b{one}\b", reply, re.IGNORECASE) for one in forbidden_words
  )


def exact_forbidden(reply: str, *, forbidden_words: Sequence[str]) -> bool:
  """None is there, as a word, whatever signs it has in it."""
  return not any(_whole(one).search(reply) for one in forbidden_words)


def letter_frequency(
  reply: str, *, letter: str, let_frequency: int, let_relation: str
) -> bool:
  """A letter, large or small, comes up so often."""
  found = reply.lower().count(letter.strip().lower())
  return compare(found, let_relation, let_frequency)


def _whole(word: str) -> re.Pattern[str]:
  """A word that nothing continues on either side."""
  return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
