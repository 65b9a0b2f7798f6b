"""What a client wrote, read with care: every field has the type it must have.

    {"type": "x", "session": {"rate": "loud"}}
    -> session.rate="loud" must be a whole number.

Whatever comes, the worst that follows is a `Refusal`, which a protocol tells
in its own words.
"""

import base64
import binascii
import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NoReturn, TypeVar, cast

Value = TypeVar("Value", str, int, float, bool, dict, list)

_KINDS: Final[Mapping[type, str]] = {
  str: "a text",
  int: "a whole number",
  float: "a number",
  bool: "true or false",
  dict: "an object",
  list: "a list",
}

_SHOWN: Final = 60
"""Characters of a wrong value that are repeated."""


class Refusal(Exception):  # noqa: N818 - it is an answer, no failure
  """Something a client asked for is not done.

  Attributes:
    code: for programs.
    message: for people.
    param: the field that is wrong; None: it is none in particular.
    kind: `invalid_request_error`, or `server_error` where it is our doing.
  """

  def __init__(
    self,
    code: str,
    message: str,
    param: str | None = None,
    *,
    kind: str = "invalid_request_error",
  ):
    super().__init__(message)
    self.code, self.message = code, message
    self.param, self.kind = param, kind


@dataclasses.dataclass(frozen=True, eq=False)
class Fields:
  """An object of a message.

  Attributes:
    values: as JSON has them.
    path: of the object in its message; empty: it is the message.
  """

  values: Mapping[str, Any]
  path: str = ""

  def has(self, name: str) -> bool:
    """Whether a field is there and is not null."""
    return self.values.get(name) is not None

  def get(
    self, name: str, kind: type[Value], default: Value | None = None
  ) -> Value:
    """A field; the default, if there is one, where it is missing or null.

    Raises:
      Refusal: it has another type, or is missing and has no default.
    """
    value = self.values.get(name)
    if value is None:
      if default is None:
        raise Refusal(
          "missing_required_parameter",
          f"{self.at(name)} is missing; {_KINDS[kind]} is wanted.",
          self.at(name),
        )
      return default
    if kind is float and type(value) is int:
      # Whole numbers are numbers; those that no float holds are not.
      value = float(value) if abs(value) < 2**53 else value
    if type(value) is not kind:
      self.refuse(name, f"must be {_KINDS[kind]}")
    if isinstance(value, str):
      self._check_text(name, value)
    return cast(Value, value)

  def maybe(self, name: str, kind: type[Value]) -> Value | None:
    """A field, or None where it is missing or null."""
    return self.get(name, kind) if self.has(name) else None

  def choice(
    self, name: str, known: Collection[str], default: str | None = None
  ) -> str:
    """A text that is one of those known."""
    value = self.get(name, str, default)
    if value not in known:
      self.refuse(name, f"is not known; there is {', '.join(sorted(known))}")
    return value

  def object(self, name: str, *, needed: bool = False) -> "Fields":
    """An object within; an empty one where it is missing, unless needed."""
    values = self.get(name, dict, None if needed else {})
    return Fields(values, self.at(name))

  def objects(self, name: str, *, most: int) -> "Iterator[Fields]":
    """The objects of a list; none where it is missing."""
    values = self.get(name, list, [])
    if len(values) > most:
      raise Refusal(
        "invalid_value",
        f"{self.at(name)} has {len(values)} entries; {most} are the most.",
        self.at(name),
      )
    for place, value in enumerate(values):
      within = f"{self.at(name)}[{place}]"
      if type(value) is not dict:
        raise Refusal("invalid_type", f"{within} must be an object.", within)
      yield Fields(value, within)

  def content(self, name: str) -> bytes:
    """Bytes, written as base64."""
    text = self.get(name, str)
    try:
      return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
      raise Refusal(
        "invalid_value", f"{self.at(name)} is not base64.", self.at(name)
      ) from None

  def at(self, name: str) -> str:
    """The path of a field."""
    return f"{self.path}.{name}" if self.path else name

  def refuse(self, name: str, why: str) -> NoReturn:
    """Refuses a field for what it holds.

    Raises:
      Refusal: always.
    """
    shown = json.dumps(self.values.get(name))[:_SHOWN]
    raise Refusal(
      "invalid_value", f"{self.at(name)}={shown} {why}.", self.at(name)
    )

  def _check_text(self, name: str, value: str) -> None:
    # Half of a surrogate pair is no character, and no tokenizer takes it.
    if not value.isascii():
      try:
        value.encode()
      except UnicodeEncodeError:
        self.refuse(name, "holds a character that Unicode does not have")


def parse(text: str | bytes) -> Fields:
  """Reads a message.

  Raises:
    Refusal: it is not JSON, not an object, or nested too deep.
  """
  try:
    values = json.loads(text, parse_constant=_no_number)
  except (ValueError, RecursionError):
    raise Refusal(
      "invalid_json", "The message is not JSON, or is nested too deep."
    ) from None
  if type(values) is not dict:
    raise Refusal("invalid_json", "The message is not a JSON object.")
  return Fields(values)


def write(event: Mapping[str, Any]) -> str:
  """An event as a message."""
  return json.dumps(event, separators=(",", ":"))


def _no_number(name: str) -> NoReturn:
  raise ValueError(f"{name} is no number of JSON")
