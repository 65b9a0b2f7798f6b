"""Charts out of words and numbers, in the grammar of the `show` channel.

    "a pie chart of rent 40 percent and food 35 percent"
    {"chart": "pie", "data": {"rent": 40, "food": 35}, "unit": "%"}

    {"chart": "bar" | "line" | "pie" | "scatter",
     "data": {"red": 1, "blue": 2}                      one series
           | {"sold": {"may": 1, "june": 2}, ...}       several
           | [[0, 1.5], [1, 2.5], ...],                 points
     "title"?: text, "x"?: text, "y"?: text, "unit"?: text}

The page draws exactly this (`web/static/chart.js`); what it would not draw is
refused here.
"""

import math
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from interaction_jax.serve.background.job import Context, Finding
from interaction_jax.serve.background.tools import numbers

KINDS: Final = ("bar", "line", "pie", "scatter")
WORDS: Final = ("title", "x", "y", "unit")

_BY_LABEL: Final = ("bar", "pie")

_MOST_SERIES: Final = 6
_MOST_BARS: Final = 40
_MOST_POINTS: Final = 500

_ASKED: Final = re.compile(
  r"\b(?:(bar|line|pie|scatter) )?(?:charts?|graphs?|plots?|diagrams?)\b"
)

_NUMBER: Final = r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])"

_UNITS: Final = {"percent": "%", "%": "%", "euros": "€", "dollars": "$"}


def check(spec: Mapping[str, Any]) -> dict[str, Any]:
  """A chart that can be drawn, without what it need not have.

  Raises:
    ValueError: it cannot; the message says what is wrong.
  """
  kind = spec.get("chart")
  if kind not in KINDS:
    raise ValueError(f"chart={kind!r} is not {', '.join(KINDS)}")
  for name in WORDS:
    if not isinstance(spec.get(name, ""), str):
      raise ValueError(f"{name}={spec[name]!r} is no text")
  data = spec.get("data")
  if isinstance(data, Mapping):
    num, values = _check_series(data)
  else:
    num, values = _check_points(data)
    if kind in _BY_LABEL:
      raise ValueError(f"a {kind} chart has numbers by names, not points")
  if kind == "pie":
    inner = data.values() if isinstance(data, Mapping) else ()
    several = any(isinstance(one, Mapping) for one in inner)
    if several or min(values) < 0 or max(values) <= 0:
      raise ValueError("a pie has one series of parts, and none below 0")
  most = _MOST_BARS if kind in _BY_LABEL else _MOST_POINTS
  if num > most:
    raise ValueError(f"{num} numbers are too many for a {kind} chart: {most}")
  words = {name: spec[name] for name in WORDS if spec.get(name)}
  return {"chart": kind, "data": data, **words}


def _check_series(data: Mapping[str, Any]) -> tuple[int, list[Any]]:
  several = bool(data) and all(isinstance(v, Mapping) for v in data.values())
  if several and len(data) > _MOST_SERIES:
    raise ValueError(f"{len(data)} series are too many: {_MOST_SERIES}")
  series = list(data.values()) if several else [data]
  values = [value for one in series for value in one.values()]
  if not values or not all(map(len, series)):
    raise ValueError("there are no numbers to be drawn")
  return len(values), _numbers(values)


def _check_points(data: Any) -> tuple[int, list[Any]]:
  pairs = isinstance(data, list) and all(
    isinstance(one, list) and len(one) == 2 for one in data
  )
  if not pairs or not data:
    raise ValueError(
      f"data={data!r:.60} is neither numbers by names nor points"
    )
  return len(data), _numbers([value for one in data for value in one])


def _numbers(values: list[Any]) -> list[Any]:
  for value in values:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if not plain or not math.isfinite(value):
      raise ValueError(f"{value!r:.60} is no number that can be drawn")
  return values


def spec_in(task: str) -> dict[str, Any] | None:
  """The chart that a task asks for; None: it asks for none."""
  lower = task[:2000].lower()
  asked = _ASKED.search(lower)
  if asked is None:
    return None
  text = numbers.digits(lower[asked.end() :])
  title = re.match(r"\s*(?:of|for|about|with|titled)?\s*([^:\d]+?)\s*:", text)
  if title is not None:
    text = text[title.end() :]
  pairs = _pairs(re.sub(r"^\s*(?:of|for|about|with|from|where)\b", " ", text))
  if not pairs:
    return None
  spec: dict[str, Any] = {"chart": asked.group(1) or "bar", "data": pairs}
  if spec["chart"] == "scatter":
    # What has names is no scatter of points.
    spec["chart"] = "bar"
  if title is not None:
    spec["title"] = title.group(1)
  units = {sign for word, sign in _UNITS.items() if _has(text, word)}
  if len(units) == 1:
    spec["unit"] = units.pop()
  return spec


def _has(text: str, word: str) -> bool:
  return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def _pairs(text: str) -> dict[str, Any]:
  """Names and numbers in turn, whichever is first."""
  text = re.sub(rf"(?:{'|'.join(map(re.escape, _UNITS))})(?!\w)", " ", text)
  text = re.sub(rf"\bminus\s+(?={_NUMBER})", "-", text)
  text = re.sub(r"(?<!\w)-\s+(?=\d)", "-", text)
  found = list(re.finditer(_NUMBER, text))
  if not found:
    return {}
  before = _label(text[: found[0].start()])
  ends = [one.end() for one in found]
  if before:
    names = [
      _label(text[begin : one.start()])
      for begin, one in zip([0, *ends], found, strict=False)
    ]
  else:
    starts = [one.start() for one in found[1:]]
    names = [
      _label(text[end:start])
      for end, start in zip(ends, [*starts, len(text)], strict=True)
    ]
  pairs: dict[str, Any] = {}
  for name, one in zip(names, found, strict=True):
    if name and name not in pairs:
      number = float(one.group())
      pairs[name] = int(number) if number == int(number) else number
  return pairs if len(pairs) == len(found) else {}


def _label(text: str) -> str:
  """The name in some words: "and the blue ones is" is "blue ones"."""
  words = re.findall(r"[^\W_][\w'-]*", text)
  idle = ("and", "the", "then", "is", "are", "was", "were", "has", "have", "at")
  while words and words[0] in idle:
    words.pop(0)
  while words and words[-1] in (*idle, "with", "of", "to", "please"):
    words.pop()
  return " ".join(words)


class Chart:
  """Draws numbers."""

  name = "chart"
  summary = "Draws a chart on the user's screen."
  parameters: Mapping[str, Any] = {
    "type": "object",
    "properties": {
      "chart": {"type": "string", "enum": list(KINDS)},
      "data": {
        "description": "numbers by names, such as {'red': 1}; several such "
        "objects by the names of series; or points [[x, y], ...]"
      },
      **{name: {"type": "string"} for name in WORDS},
    },
    "required": ["chart", "data"],
  }

  def match(self, task: str) -> Mapping[str, Any] | None:
    """Tasks such as "a chart with red two blue five"."""
    return spec_in(task)

  async def call(
    self, context: Context, *, chart: str, data: Any, **words: str
  ) -> AsyncIterator[Finding]:
    """Shows it."""
    spec = check({"chart": chart, "data": data, **words})
    what = f"a {chart} chart"
    if spec.get("title"):
      what += f" of {spec['title']}"
    yield Finding(f"{what} is on the screen", shown=spec)
