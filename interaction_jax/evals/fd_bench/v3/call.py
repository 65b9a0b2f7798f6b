"""Calls of tools: read as they are written, and compared with what is expected.

    {"tool": "timer", "minutes": 5}                          as ours write them
    {"name": "timer", "arguments": {"minutes": 5}}           or as others do

An expected argument `$RESULT_0.id` stands for the field `id` of what the call
that was expected first brought.

Reference: Lin et al. 2026, Full-Duplex-Bench-v3, arXiv:2604.04847.
"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from interaction_jax.evals import numeral, utterance

_NAMES: Final = ("tool", "name", "function", "tool_name")
_ARGUMENTS: Final = ("arguments", "args", "parameters")
_REFERENCE: Final = re.compile(r"\$RESULT_(\d+)\.([\w.\[\]]+)")

NEAR: Final = 0.05
"""By how much a number may be off where formats are judged leniently."""


@dataclasses.dataclass(frozen=True)
class Call:
  """A call, or an expected one.

  Attributes:
    at: when it was written to the end, in seconds.
  """

  name: str
  arguments: Mapping[str, Any]
  at: float = 0.0


def parse(plain: Any, at: float = 0.0) -> Call:
  """A call of an object in any of the usual forms.

  Raises:
    ValueError: it is none.
  """
  fields = plain if isinstance(plain, dict) else {}
  if isinstance(fields.get("function"), dict):
    fields = fields["function"]
  key = next((one for one in _NAMES if one in fields), None)
  if key is None or not isinstance(fields[key], str):
    raise ValueError(f"{plain!r} names no tool ({', '.join(_NAMES)}).")
  rest = {one: fields[one] for one in fields if one != key}
  inside = next((one for one in _ARGUMENTS if one in rest), None)
  arguments = rest if inside is None else rest[inside]
  if isinstance(arguments, str):
    arguments = json.loads(arguments or "{}")
  if not isinstance(arguments, dict):
    raise ValueError(f"{plain!r} has arguments that are no object.")
  return Call(fields[key], arguments, at)


class Reader:
  """Finds calls in text that comes piece by piece.

  Whatever stands outside of braces, or is no call, is passed over.
  """

  def __init__(self):
    self._text, self._depth, self._quoted, self._escaped = "", 0, False, False

  def write(self, at: float, text: str) -> list[Call]:
    """The calls that a piece completes.

    Args:
      at: when it was written, in seconds.
    """
    found = []
    for sign in text:
      if self._depth or sign == "{":
        self._text += sign
      self._take(sign)
      if self._text and not self._depth:
        found += _calls(self._text, at)
        self._text = ""
    return found

  def _take(self, sign: str) -> None:
    if self._escaped:
      self._escaped = False
    elif self._quoted:
      self._escaped, self._quoted = sign == "\\", sign != '"'
    elif sign == "{":
      self._depth += 1
    elif self._depth:
      self._quoted = sign == '"'
      self._depth -= sign == "}"


def _calls(text: str, at: float) -> list[Call]:
  try:
    return [parse(json.loads(text), at)]
  except ValueError:
    return []


def read(pieces: Sequence[tuple[float, str]]) -> list[Call]:
  """All calls of what was written, piece by piece."""
  reader = Reader()
  return [one for piece in pieces for one in reader.write(*piece)]


def references(calls: Sequence[Call]) -> list[tuple[int, str]]:
  """What arguments refer to: which expected call, and which field of it."""
  found = {
    (int(number), field)
    for call in calls
    for value in call.arguments.values()
    for number, field in _REFERENCE.findall(json.dumps(value))
  }
  return sorted(found)


def resolved(
  call: Call, results: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any]:
  """The arguments of a call, fields of results in place of references.

  One that there is no result for stays as it is.
  """

  def value(one: Any) -> Any:
    if isinstance(one, list):
      return [value(part) for part in one]
    if isinstance(one, dict):
      return {name: value(part) for name, part in one.items()}
    fits = _REFERENCE.fullmatch(one) if isinstance(one, str) else None
    if fits is None:
      return one
    number, field = int(fits[1]), fits[2]
    known = results[number] if number < len(results) else {}
    return known.get(field, one)

  return value(dict(call.arguments))


def same(wanted: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
  """Whether arguments are the same, in case and form as well; none more."""
  return dict(wanted) == dict(made)


def alike(wanted: Mapping[str, Any], made: Mapping[str, Any]) -> bool:
  """Whether all that is wanted is there, whatever its form; the lenient rule.

  Case, signs and numbers in words are no matter, numbers may be off by 5 %, and
  there may be more arguments.
  """
  return all(
    name in made and _alike(one, made[name]) for name, one in wanted.items()
  )


def _alike(wanted: Any, made: Any) -> bool:
  if isinstance(wanted, list):
    listed = made if isinstance(made, list) else [made]
    return len(wanted) == len(listed) and all(
      any(_alike(one, other) for other in listed) for one in wanted
    )
  if isinstance(wanted, dict):
    return isinstance(made, dict) and alike(wanted, made)
  one, other = _plain(wanted), _plain(made)
  if isinstance(one, float) and isinstance(other, float):
    return abs(one - other) <= NEAR * abs(one) + 1e-9
  return one == other


def _plain(value: Any) -> float | str:
  """A number where it is one, in digits or in words; else words."""
  if isinstance(value, bool) or value is None:
    return str(value).lower()
  text = str(value).strip().lower()
  try:
    return float(re.sub(r"[$€£%,\s]", "", text))
  except ValueError:
    words = text.replace("-", " ").replace("_", " ").split()
  numbers = numeral.find(words)
  spoken = [one for one in numbers if one.place == 0]
  if spoken and len(numbers) == 1 and not _rest(words):
    return float(spoken[0].value)
  return " ".join(utterance.plain(" ".join(words)))


def _rest(words: Sequence[str]) -> bool:
  """Whether a text has words that are no part of a number."""
  return any(not numeral.find([one]) for one in words if one != "and")
