"""Numbers in words, sums, and units.

"seventeen times 23"      391
"20 percent of 45"        9
"3 miles in kilometres"   4.828
"""

import ast
import math
import operator
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from interaction_jax.serve.background.job import Context, Finding

_WORDS: Final = (
  "zero one two three four five six seven eight nine ten eleven twelve "
  "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_ROUND: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL: Final = {word: number for number, word in enumerate(_WORDS.split())}
_TENS: Final = {
  word: 10 * number for number, word in enumerate(_ROUND.split(), 2)
}
_WORD: Final = r"[a-z]+|\d+(?:\.\d+)?(?:e[-+]?\d+)?|\S"
_LARGE: Final = {"hundred": 100, "thousand": 1000, "million": 10**6}

_SIGNS: Final = (
  (r"\bto the power of\b", "**"),
  (r"\b(divided by|over)\b", "/"),
  (r"\b(multiplied by|times|x)\b", "*"),
  (r"\bplus\b", "+"),
  (r"\b(minus|less)\b", "-"),
  (r"(\bpercent|%) of\b", "/100*"),
  (r"\bsquare root of\b", "sqrt"),
  (r"\bpercent\b|%", "/100"),
  (r"\bsqrt\s+(\d+\.?\d*)", r"sqrt(\1)"),
)

_SIGN: Final = re.compile(
  r"sqrt(?=\s*\()|\*\*|[-+*/()]"
  r"|(?<![\w.])(?:0|[1-9]\d*)(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.])"
)
"""What a sum is made of; dates and codes begin with zeros."""

_PAIRS: Final[Mapping[type, Callable[[Any, Any], Any]]] = {
  ast.Add: operator.add,
  ast.Sub: operator.sub,
  ast.Mult: operator.mul,
  ast.Div: operator.truediv,
  ast.Pow: operator.pow,
}

_ALONE: Final[Mapping[type, Callable[[float], float]]] = {
  ast.USub: operator.neg,
  ast.UAdd: operator.pos,
}

_MOST: Final = 1e15
"""Of what a sum may come to; beyond it floats are no longer exact."""

_UNITS: Final[Mapping[str, tuple[str, float, float]]] = {
  # To the unit of its kind: times the first, plus the second.
  **dict.fromkeys(("m", "metre", "meter"), ("length", 1.0, 0.0)),
  **dict.fromkeys(("km", "kilometre", "kilometer"), ("length", 1000.0, 0.0)),
  **dict.fromkeys(("cm", "centimetre", "centimeter"), ("length", 0.01, 0.0)),
  **dict.fromkeys(("mm", "millimetre", "millimeter"), ("length", 0.001, 0.0)),
  **dict.fromkeys(("mi", "mile"), ("length", 1609.344, 0.0)),
  **dict.fromkeys(("ft", "foot", "feet"), ("length", 0.3048, 0.0)),
  **dict.fromkeys(("in", "inch", "inche"), ("length", 0.0254, 0.0)),
  **dict.fromkeys(("yd", "yard"), ("length", 0.9144, 0.0)),
  **dict.fromkeys(("kg", "kilo", "kilogram"), ("mass", 1.0, 0.0)),
  **dict.fromkeys(("g", "gram"), ("mass", 0.001, 0.0)),
  **dict.fromkeys(("lb", "pound"), ("mass", 0.45359237, 0.0)),
  **dict.fromkeys(("oz", "ounce"), ("mass", 0.028349523125, 0.0)),
  **dict.fromkeys(("l", "litre", "liter"), ("volume", 1.0, 0.0)),
  **dict.fromkeys(("ml", "millilitre"), ("volume", 0.001, 0.0)),
  "gallon": ("volume", 3.785411784, 0.0),
  "cup": ("volume", 0.2365882365, 0.0),
  **dict.fromkeys(("s", "second"), ("time", 1.0, 0.0)),
  **dict.fromkeys(("min", "minute"), ("time", 60.0, 0.0)),
  **dict.fromkeys(("h", "hour"), ("time", 3600.0, 0.0)),
  "day": ("time", 86_400.0, 0.0),
  "week": ("time", 604_800.0, 0.0),
  **dict.fromkeys(("c", "celsius"), ("temperature", 1.0, 0.0)),
  **dict.fromkeys(("f", "fahrenheit"), ("temperature", 5 / 9, -32 * 5 / 9)),
  **dict.fromkeys(("k", "kelvin"), ("temperature", 1.0, -273.15)),
}


def digits(text: str) -> str:
  """The text with its numbers in digits: "two hundred and five" is 205."""
  plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text.lower())
  plain = re.sub(r"\ban? (?=hundred\b|thousand\b|million\b)", "one ", plain)
  done: list[str] = []
  total = part = 0
  inside = False
  # A space behind ends a number that stands last.
  for word in [*re.findall(_WORD, plain), ""]:
    known = word in _SMALL or word in _TENS
    if known and inside and not _goes_on(total, part, word):
      done.append(str(total + part))
      inside = False
    if known or (inside and word in _LARGE):
      if not inside:
        total, part, inside = 0, 0, True
      if word in _LARGE and _LARGE[word] > 100:
        total, part = total + max(part, 1) * _LARGE[word], 0
      elif word in _LARGE:
        part = max(part, 1) * 100
      else:
        part += _SMALL.get(word, 0) + _TENS.get(word, 0)
    elif inside and word == "and":
      continue
    else:
      if inside:
        done.append(str(total + part))
      inside = False
      done.append(word)
  line = " ".join(word for word in done if word)
  line = re.sub(r"(\d+) (?:and )?a half\b", r"\1.5", line)
  return re.sub(r"(\d+) point (\d+)", r"\1.\2", line)


def _goes_on(total: int, part: int, word: str) -> bool:
  """Whether a word belongs to the number before it: "twenty" "three" does."""
  if part % 100 == 0:
    return total + part > 0
  return part % 10 == 0 and part % 100 > 10 and 0 < _SMALL.get(word, 10) < 10


def readable(number: float) -> str:
  """A number as one says it: no more digits than it has, ten at most."""
  if number == int(number):
    return str(int(number))
  return f"{number:.10g}"


def value(expression: str) -> float:
  """What a sum in digits and signs comes to.

  Raises:
    ValueError: it is none, or comes to no number that can be said.
  """
  if len(expression) > 200:
    raise ValueError("that is too long for a sum")
  try:
    found = _value(ast.parse(expression, mode="eval").body)
  except (SyntaxError, RecursionError, MemoryError) as error:
    raise ValueError(f"{expression!r} is no sum") from error
  except (ZeroDivisionError, OverflowError) as error:
    raise ValueError(f"{expression!r} comes to nothing: {error}") from error
  if not math.isfinite(found) or abs(found) > _MOST:
    raise ValueError(f"{expression!r} comes to more than can be said")
  return found


def _value(node: ast.expr) -> float:
  found: Any = None
  if isinstance(node, ast.Constant) and type(node.value) in (int, float):
    found = float(node.value)  # pyright: ignore[reportArgumentType]
  elif isinstance(node, ast.UnaryOp) and type(node.op) in _ALONE:
    found = _ALONE[type(node.op)](_value(node.operand))
  elif isinstance(node, ast.BinOp) and type(node.op) in _PAIRS:
    left, right = _value(node.left), _value(node.right)
    found = _PAIRS[type(node.op)](left, right)
  elif isinstance(node, ast.Call) and ast.unparse(node.func) == "sqrt":
    found = sum(map(_value, node.args)) ** 0.5
  if isinstance(found, complex):
    raise ValueError("there is no such root")
  if found is None:
    raise ValueError("a sum has numbers and signs only")
  return found


def sum_in(task: str) -> str | None:
  """The sum that a task asks for, in digits and signs; None: there is none.

  Of several the longest.
  """
  text = digits(task[:400])
  for pattern, sign in _SIGNS:
    text = re.sub(pattern, sign, text)
  runs, end = [""], 0
  for found in _SIGN.finditer(text):
    # Two numbers in a row are not one.
    row = (runs[-1][-1:] + found.group()[0]).isdecimal() and runs[-1]
    if row or text[end : found.start()].strip():
      runs.append("")
    runs[-1] += found.group()
    end = found.end()
  sums = [run for run in runs if _is_sum(run)]
  return max(sums, key=len, default=None)


def _is_sum(run: str) -> bool:
  """Whether it is complete, and there is something to work out."""
  try:
    parsed = ast.parse(run, mode="eval").body
  except (SyntaxError, RecursionError, MemoryError):
    return False
  return isinstance(parsed, ast.BinOp | ast.Call)


class Calculator:
  """Sums in digits or in words."""

  name = "calculator"
  summary = "Works out a sum."
  parameters: Mapping[str, Any] = {
    "type": "object",
    "properties": {"expression": {"type": "string"}},
    "required": ["expression"],
  }

  def match(self, task: str) -> Mapping[str, Any] | None:
    """Any task with a number, a sign and a number."""
    found = sum_in(task)
    return None if found is None else {"expression": found}

  async def call(
    self, context: Context, *, expression: str
  ) -> AsyncIterator[Finding]:
    """Finds what it comes to."""
    yield Finding(readable(value(sum_in(expression) or expression)))


class Units:
  """Lengths, weights, volumes, times and temperatures."""

  name = "units"
  summary = "Converts a quantity into another unit."
  parameters: Mapping[str, Any] = {
    "type": "object",
    "properties": {
      "amount": {"type": "number"},
      "unit": {"type": "string"},
      "into": {"type": "string"},
    },
    "required": ["amount", "unit", "into"],
  }

  def match(self, task: str) -> Mapping[str, Any] | None:
    """Tasks such as "3 miles in km" or "how many feet are two metres"."""
    text = digits(task[:400])
    number = r"(-?\s?\d+\.?\d*|\ban?)\s*(?:degrees?\s+)?"
    many = r"how many ([a-z]+) (?:are|is|in)(?: there)?(?: in)? "
    forms = (
      (number + r"([a-z]+)\s+(?:in|into|to|as)\s+([a-z]+)", (1, 2, 3)),
      (many + number + "([a-z]+)", (2, 3, 1)),
    )
    for form, order in forms:
      found = re.search(form, text)
      if found is not None:
        amount, unit, into = (found.group(place) for place in order)
        if _unit(unit) and _unit(into):
          amount = 1.0 if amount[0] == "a" else amount.replace(" ", "")
          return {"amount": float(amount), "unit": unit, "into": into}
    return None

  async def call(
    self, context: Context, *, amount: float, unit: str, into: str
  ) -> AsyncIterator[Finding]:
    """Converts it."""
    source, target = _unit(unit), _unit(into)
    if source is None or target is None or source[0] != target[0]:
      raise ValueError(f"{unit} cannot be turned into {into}")
    plain = float(amount) * source[1] + source[2]
    found = (plain - target[2]) / target[1]
    yield Finding(f"{readable(float(f'{found:.5g}'))} {into}")


def _unit(name: str) -> tuple[str, float, float] | None:
  name = name.lower()
  return _UNITS.get(name) or _UNITS.get(name.removesuffix("s"))
