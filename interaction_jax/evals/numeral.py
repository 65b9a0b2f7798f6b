"""Whole numbers in what somebody said: "twenty three", "23", "a hundred"."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Final

from interaction_jax.evals.harness.output import Word

_ONES: Final = {
  name: value
  for value, name in enumerate(
    (
      *("zero", "one", "two", "three", "four", "five", "six", "seven"),
      *("eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen"),
      *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
    )
  )
}
_TENS: Final = {
  name: 10 * value
  for value, name in enumerate(
    ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty",
     "ninety"), 2
  )
}  # fmt: skip
_THOUSAND: Final = 1000


@dataclasses.dataclass(frozen=True)
class Numeral:
  """A number, and the word at which it begins.

  Attributes:
    place: of that word, among all.
  """

  place: int
  value: int


def find(words: Sequence[str]) -> list[Numeral]:
  """The numbers that words say, in order.

  Words go together as far as they can make one number: "twenty three" is 23,
  "three twenty" is 3 and 20, "one two" is 1 and 2.
  """
  found: list[Numeral] = []
  state: _Sum | None = None
  begin = 0
  for place, part in _parts(words):
    if state is not None and state.take(part):
      continue
    if state is not None:
      found.append(Numeral(begin, state.value))
    state = _Sum.begun_by(part)
    begin = place
  if state is not None:
    found.append(Numeral(begin, state.value))
  return found


def told(words: Sequence[Word], *, after: float = 0.0) -> list[int]:
  """The numbers of words that begin at a time or later, in order."""
  late = [word.text for word in words if word.start >= after]
  return [one.value for one in find(late)]


def _parts(words: Sequence[str]) -> list[tuple[int, str]]:
  """Words in small letters, in parts where a hyphen joins them.

  Where a sentence or a clause ends there is an empty part: nothing goes
  together across it.
  """
  parts: list[tuple[int, str]] = []
  for place, word in enumerate(words):
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", word.lower())
    for piece in re.split(r"[^\w.,;!?]+", plain):
      bare = piece.strip(".,;!?_")
      if bare:
        parts.append((place, bare))
    if plain and plain[-1] in ".,;!?":
      parts.append((place, ""))
  return parts


class _Sum:
  """A number as its words come in."""

  def __init__(self, value: int, room: int):
    # `room` is what may still be added: less than it.
    self._thousands, self._value, self._room = 0, value, room
    self._joined = False

  @property
  def value(self) -> int:
    return self._thousands + self._value

  @classmethod
  def begun_by(cls, part: str) -> "_Sum | None":
    if part.isdecimal():
      return cls(int(part), 0)
    if part in _ONES:
      return cls(_ONES[part], 0)
    if part in _TENS:
      return cls(_TENS[part], 10)
    if part == "hundred":
      return cls(100, 100)
    if part == "thousand":
      return cls._of_thousands(1)
    return None

  @classmethod
  def _of_thousands(cls, number: int) -> "_Sum":
    made = cls(0, _THOUSAND)
    made._thousands = number * _THOUSAND
    return made

  def take(self, part: str) -> bool:
    """Whether a further word belongs to it; then it has been added."""
    if part == "and" and self._room >= 100 and not self._joined:
      self._joined = True
      return True
    if part == "hundred" and 0 < self._value < 10:
      self._value, self._room = 100 * self._value, 100
      return True
    if part == "thousand" and not self._thousands and self._value:
      self._thousands, self._value = _THOUSAND * self._value, 0
      self._room = _THOUSAND
      return True
    more = _ONES.get(part) or _TENS.get(part)
    if more is None or more >= self._room:
      return False
    self._value += more
    self._room = 10 if part in _TENS else 0
    self._joined = False
    return True
