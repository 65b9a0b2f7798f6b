"""Closed answers in free replies: a letter, or yes and no.

The published scorers try some two hundred phrases in turn and toss a coin
where none fits. Here rules read the same things, and what says nothing is
wrong.

Reference: Chen et al. 2024, VoiceBench, arXiv:2410.17196.
"""

import re
from typing import Final

_CLAIMS: Final = (
  r"(?:answer|choice|option|choose|select|pick|say|go with|it's|it is|is)"
)

# What is claimed to be the answer goes before what merely occurs.
_LETTERS: Final = tuple(
  re.compile(pattern)
  for pattern in (
    r"\b(?:answer|choice)\b[^.\n]*?\bis\b\W*(?:option\s+)?\W*([A-D])\b(?!')",
    rf"\b{_CLAIMS}\b\W*(?:option\s+|choice\s+|letter\s+)?\W*([A-D])\b(?!')",
    r"\(([A-D])\)",
    r"^\W*([A-D])\b(?![' ]\w)",
    r"\b([B-D])\b(?!')",
  )
)

_YES: Final = re.compile(
  r"\b(?:yes|true|correct|plausible|is possible|likely|does return"
  r"|you return|tells? the truth)\b"
)
_NO: Final = re.compile(
  r"\b(?:no|not|false|incorrect|implausible|impossible|unlikely|lies|lying)\b"
  r"|n't\b"
)


def letter(reply: str) -> str | None:
  """The letter from A to D that a reply chooses; None: none is clear."""
  text = re.sub(r"\b([a-d])(?=[.):,]|$)", lambda m: m[1].upper(), reply)
  text = re.sub(
    r"(?i)\b(?:option|choice|answer is|letter)\s+([a-d])\b",
    lambda m: m[0][:-1] + m[1].upper(),
    text,
  )
  for pattern in _LETTERS:
    found = {one.upper() for one in pattern.findall(text)}
    if len(found) == 1:
      return found.pop()
    if found:
      # Somebody who changes his mind means the last one.
      return pattern.findall(text)[-1].upper() if _is_claim(pattern) else None
  return None


def _is_claim(pattern: re.Pattern[str]) -> bool:
  return pattern in _LETTERS[:2]


def yes_or_no(reply: str) -> str | None:
  """What a reply says as it begins or ends, yes or no; None: neither is clear.

  A reply that begins with one of the two means it. Otherwise its last
  sentence that says something decides.
  """
  text = reply.lower().replace("’", "'")
  begins = re.match(r"\W*(yes|no)\b", text)
  if begins is not None:
    return begins[1]
  for sentence in reversed(re.split(r"[.!?\n]+", text)):
    if _NO.search(sentence):
      return "no"
    if _YES.search(sentence):
      return "yes"
  return None


def closed(reply: str, reference: str) -> bool:
  """Whether a reply gives the answer: (a) and (b), or yes and no."""
  wanted = reference.strip().lower().strip("().")
  if wanted in ("yes", "no"):
    return yes_or_no(reply) == wanted
  return letter(reply) == wanted.upper()
