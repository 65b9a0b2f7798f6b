"""Answers calls of tools: mock ones, which know what is expected of an item.

The published mock tools are not free to be used. What arguments of later calls
refer to is in the answers of ours, made up; else they say that it is done.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from interaction_jax.evals.fd_bench.v3 import call as calls
from interaction_jax.evals.fd_bench.v3.call import Call, Reader

TOOLS: Final = (
  *("search_flights", "book_flight", "update_identity_doc"),
  *("get_card_benefits", "get_exchange_rate", "modify_autopay"),
  *("search_apartments", "calculate_commute", "update_search_filter"),
  *("track_order", "search_products", "add_to_cart"),
)
"""Those of the four published domains."""

DELAY_S: Final = 0.4
"""Seconds until a call is answered."""


def results(
  expected: Sequence[Call], known: Sequence[Mapping[str, Any] | None] = ()
) -> list[dict[str, Any]]:
  """What each expected call brings.

  Args:
    known: what the data says of that, call by call.
  """
  made = [
    dict(known[n] or {}) if n < len(known) else {} for n in range(len(expected))
  ]
  for number, field in calls.references(expected):
    if number < len(made):
      made[number].setdefault(field, _made_up(expected[number].name, field))
  return made


def _made_up(name: str, field: str) -> str:
  return (
    f"{field[0].upper()}{100 + zlib.crc32(f'{name} {field}'.encode()) % 900}"
  )


class Desk:
  """Reads calls as they are written, and answers each once it is complete."""

  def __init__(
    self,
    expected: Sequence[Call],
    results: Sequence[Mapping[str, Any]],
    known: Sequence[str] = TOOLS,
  ):
    """Begins with all answers unused.

    Args:
      known: names of tools that there are besides.
    """
    self._reader = Reader()
    self._left = list(zip(expected, results, strict=True))
    self._last: dict[str, Mapping[str, Any]] = {}
    self._known = {*known, *(one.name for one in expected)}

  def write(self, at: float, text: str) -> Sequence[tuple[float, str]]:
    """What is read of the calls that a piece completes."""
    return [
      (at + DELAY_S, json.dumps(self._answer(one), separators=(",", ":")))
      for one in self._reader.write(at, text)
    ]

  def _answer(self, made: Call) -> Mapping[str, Any]:
    if made.name not in self._known:
      return {"error": f"there is no tool {made.name}"}
    for place, (one, result) in enumerate(self._left):
      if one.name == made.name:
        del self._left[place]
        self._last[made.name] = {"status": "ok", **result}
        break
    # Called again, it says the same again.
    return self._last.get(made.name, {"status": "ok"})
