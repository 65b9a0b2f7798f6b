"""Full-Duplex-Bench v3: spoken requests that take calls of tools.

    ID_SPEAKER/input.wav       at 48 kHz
    ID_SPEAKER/metadata.json   {"scenario": ..., "expected_tool_calls": [...]}

A call is an object in any of the forms that `call.py` reads; further fields of
twins are named in `twin.py`.

Reference: Lin et al. 2026, arXiv:2604.04847.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from interaction_jax.data.record import Record, TextIn
from interaction_jax.evals import clip, protocol
from interaction_jax.evals.fd_bench.v3 import call as calls
from interaction_jax.evals.fd_bench.v3 import desk
from interaction_jax.evals.fd_bench.v3.call import Call
from interaction_jax.evals.fd_bench.v3.desk import Desk
from interaction_jax.evals.harness import inventory as inventories
from interaction_jax.evals.harness import item as items
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.item import Act, Canvas, Item
from interaction_jax.evals.protocol import Protocol

PARTS: Final = ("easy", "medium", "hard")
"""One call, two, or more."""

USUAL: Final = Protocol(
  "You can call tools. A call is one line of JSON: "
  '{{"tool": NAME, ARGUMENT: VALUE}}. There is {tools}.',
  reply=20.0,
)
"""The prompt is an instruction, which is read before the first turn."""

_OFFICIAL: Final = 100
_DELAY: Final = 0.4


def load(inventory: Inventory) -> list[Item]:
  """An item a folder."""
  plan = protocol.read(inventory, USUAL)
  names = inventories.numbered(inventory.root)
  official = not (inventory.root / protocol.NAME).is_file()
  if official or not names:
    inventory.count("folders", len(names), _OFFICIAL)
  usable = []
  for name in names:
    seconds = inventory.sound(f"{name}/input.wav")
    told = inventory.json(f"{name}/metadata.json")
    expected = None if told is None else _expected(inventory, name, told)
    if seconds is None or expected is None:
      inventory.leave_out(name)
      continue
    usable.append((name, seconds, told, expected))
  known = _tools([expected for *_, expected in usable])
  instruction = plan.says(tools=known)
  return [
    _item(inventory.root / name, seconds, fields, expected, instruction, plan)
    for name, seconds, fields, expected in usable
  ]


def _expected(inventory: Inventory, name: str, told: Any) -> list[Call] | None:
  """The calls that are expected; None: there are none, which is noted."""
  path = f"{name}/metadata.json"
  listed = told.get("expected_tool_calls") if isinstance(told, dict) else None
  if not isinstance(listed, list) or not listed:
    return inventory.note(path, "has no expected_tool_calls")
  try:
    return [calls.parse(_plain(one)) for one in listed]
  except ValueError as error:
    return inventory.note(path, f"corrupt, {error}")


def _plain(one: Any) -> Any:
  """An expected call without what it brings."""
  if not isinstance(one, dict):
    return one
  return {name: value for name, value in one.items() if name != "result"}


def _tools(expected: Sequence[Sequence[Call]]) -> str:
  """All tools, with the arguments that they take, as far as the data tells."""
  known: dict[str, dict[str, None]] = {name: {} for name in desk.TOOLS}
  for one in (one for listed in expected for one in listed):
    known.setdefault(one.name, {}).update(dict.fromkeys(one.arguments))
  return ", ".join(
    f"{name}({', '.join(arguments)})" for name, arguments in known.items()
  )


def _item(
  place: Path,
  seconds: float,
  told: Mapping[str, Any],
  expected: Sequence[Call],
  instruction: str,
  plan: Protocol,
) -> Item:
  length = seconds + plan.reply
  listed = told["expected_tool_calls"]
  results = desk.results(
    expected,
    [one.get("result") if isinstance(one, dict) else None for one in listed],
  )
  end = float(told.get("user_end", seconds))
  answer = told.get("answer")
  said = str(answer or "It is done, and here is what I have found for you.")
  acts = [
    Act(
      end + _DELAY + 0.2 * number,
      json.dumps({"tool": one.name, **calls.resolved(one, results)}),
      "call",
    )
    for number, one in enumerate(expected)
  ]
  begins = acts[-1].at + desk.DELAY_S
  return Item(
    name=place.name,
    part=PARTS[min(len(expected), len(PARTS)) - 1],
    seconds=length,
    open=partial(
      _open, sound=place / "input.wav", seconds=length, told=instruction
    ),
    wanted=(*acts, Act(begins, said)),
    truth={
      "scenario": told.get("scenario"),
      "expected": tuple(expected),
      "results": results,
      "answer": answer,
    },
    tools=partial(Desk, expected, results),
  )


def _open(canvas: Canvas, *, sound: Path, seconds: float, told: str) -> Record:
  del canvas
  heard = clip.joined([(0.0, clip.soundtrack(sound))], seconds)
  texts = (TextIn(0, "instruction", told),) if told else ()
  return items.listening(heard, text_in=texts)
