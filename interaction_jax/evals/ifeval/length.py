"""Instructions about how long a reply is, and in how many parts it comes."""

import re
from typing import Final

from interaction_jax.evals.ifeval import token
from interaction_jax.evals.ifeval.keyword import compare

_DIVIDER: Final = re.compile(r"\s?\*\*\*\s?")
_STOPS: Final = re.compile(r"[.,?!'\"]")


def words(reply: str, *, num_words: int, relation: str) -> bool:
  """So many words."""
  return compare(len(token.words(reply)), relation, num_words)


def sentences(reply: str, *, num_sentences: int, relation: str) -> bool:
  """So many sentences."""
  return compare(len(token.sentences(reply)), relation, num_sentences)


def paragraphs(reply: str, *, num_paragraphs: int) -> bool:
  """Exactly so many paragraphs, with three asterisks between them.

  Only the first and the last may be empty; they do not count then.
  """
  parts = [bool(part.strip()) for part in _DIVIDER.split(reply)]
  if not all(parts[1:-1]):
    return False
  return sum(parts) == num_paragraphs


def first_word(
  reply: str, *, num_paragraphs: int, nth_paragraph: int, first_word: str
) -> bool:
  """So many paragraphs, with empty lines between, one begun by a word.

  Empty paragraphs do not count, but have a number.
  """
  parts = reply.split("\n\n")
  num = sum(bool(part.strip()) for part in parts)
  if nth_paragraph > num or num != num_paragraphs:
    return False
  return _begins(parts[nth_paragraph - 1], first_word)


def exact_first_word(
  reply: str, *, num_paragraphs: int, nth_paragraph: int, first_word: str
) -> bool:
  """The same, with empty paragraphs left out before they are numbered."""
  parts = [part for part in re.split(r"\n\s*\n", reply) if part.strip()]
  if len(parts) != num_paragraphs or nth_paragraph > len(parts):
    return False
  return _begins(parts[nth_paragraph - 1], first_word)


def _begins(paragraph: str, word: str) -> bool:
  """Whether a paragraph begins with a word; a stop in it ends it."""
  first, *_ = [*paragraph.split(), ""]
  first = first.lstrip("'").lstrip('"')
  return bool(first) and _STOPS.split(first)[0].lower() == word.lower()
