"""Full-Duplex-Bench v1: pauses, nods, turns and interruptions.

    synthetic_pause_handling/ID/     input.wav, pause.json, transcription.json
    candor_pause_handling/ID/        the same
    candor_turn_taking/ID/           input.wav, turn_taking.json,
                                     transcription.json
    icc_backchannel/ID/              input.wav, transcription.json
    icc_gt_distribution.json         {ID: when people nod, window by window};
                                     here, or in icc_backchannel/
    synthetic_user_interruption/ID/  input.wav, context.wav, interrupt.wav,
                                     interrupt.json

Reference: Lin et al. 2025, arXiv:2503.04721.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from interaction_jax.evals.fd_bench import layout
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.item import Act, Item
from interaction_jax.evals.harness.output import Word

PAUSES: Final = ("synthetic_pause_handling", "candor_pause_handling")
TURNS: Final = "candor_turn_taking"
NODS: Final = "icc_backchannel"
INTERRUPTIONS: Final = "synthetic_user_interruption"
SIZES: Final = {
  PAUSES[0]: 137,
  PAUSES[1]: 216,
  NODS: 55,
  TURNS: 119,
  INTERRUPTIONS: 200,
}
PEOPLE: Final = "icc_gt_distribution.json"

_DELAY: Final = 0.4
"""Seconds in which an oracle answers: two turns."""


def load(inventory: Inventory) -> list[Item]:
  """An item a folder."""
  found = []
  people: Mapping[str, Any] | None = None
  for task, name in layout.folders(inventory, SIZES, beside=(PEOPLE,)):
    if task == NODS and people is None:
      people = _people(inventory)
    seconds = inventory.sound(f"{name}/input.wav")
    folder = _Folder(inventory, name, seconds or 0.0, people or {})
    truth = _LOADERS[task](folder)
    if seconds is None or truth is None:
      inventory.leave_out(name)
      continue
    path = inventory.root / name / "input.wav"
    found.append(
      Item(
        name=name,
        part=task,
        seconds=seconds,
        open=partial(layout.opened, sound=path),
        wanted=truth.pop("wanted"),
        truth=truth,
      )
    )
  return found


@dataclasses.dataclass(frozen=True)
class _Folder:
  """A folder of a task.

  Attributes:
    seconds: of its recording.
    people: when people nod, by the names of folders.
  """

  inventory: Inventory
  name: str
  seconds: float
  people: Mapping[str, Any]

  def entry(self, file: str, *wanted: str) -> dict[str, Any] | None:
    """What a file says of a stretch of time."""
    return layout.entry(self.inventory, f"{self.name}/{file}", *wanted)

  def said(self) -> list[Word] | None:
    """The words of the user."""
    return layout.words(self.inventory, f"{self.name}/transcription.json")


def _people(inventory: Inventory) -> Mapping[str, Any]:
  """When people nod, by the names of folders."""
  inside = f"{NODS}/{PEOPLE}"
  there = (inventory.root / inside).is_file()
  return inventory.json(inside if there else PEOPLE) or {}


def _load_pause(folder: _Folder) -> dict[str, Any] | None:
  pause = folder.entry("pause.json")
  said = folder.said()
  if pause is None or said is None:
    return None
  # Nobody has to say anything.
  return {"pause": pause["timestamp"], "end": _end(said), "wanted": ()}


def _load_turn(folder: _Folder) -> dict[str, Any] | None:
  turn = folder.entry("turn_taking.json")
  said = folder.said()
  if turn is None or said is None:
    return None
  end = turn["timestamp"][0]
  answer = str(turn.get("answer", "Yes, I think that is right."))
  return {"end": end, "wanted": (Act(end + _DELAY, answer),)}


def _load_nods(folder: _Folder) -> dict[str, Any] | None:
  said, number = folder.said(), folder.name.split("/")[1]
  wanted = folder.people.get(number)
  try:
    spread = [float(one) for one in wanted or ()]
  except (TypeError, ValueError):
    spread = []
  if not spread or sum(spread) <= 0:
    return folder.inventory.note(
      PEOPLE, f"has no distribution for {number}, but {wanted!r}"
    )
  if said is None:
    return None
  return {"people": spread, "wanted": tuple(_peaks(spread, folder.seconds))}


def _end(said: Sequence[Word]) -> float:
  return max((one.end for one in said), default=0.0)


def _peaks(spread: Sequence[float], seconds: float) -> list[Act]:
  """Nods of an oracle: where most people nod, and at least 2 s apart."""
  width = max(seconds, 1.0) / len(spread)
  enough, acts = 0.5 * max(spread), []
  for place in np.argsort(spread)[::-1]:
    at = (float(place) + 0.2) * width
    free = all(abs(at - one.at) >= 2.0 for one in acts)
    if spread[place] >= enough and free:
      acts.append(Act(at, "right"))
  return sorted(acts, key=lambda act: act.at)


def _load_interruption(folder: _Folder) -> dict[str, Any] | None:
  told = folder.entry("interrupt.json", "context", "interrupt")
  beside = [
    folder.inventory.sound(f"{folder.name}/{file}")
    for file in ("context.wav", "interrupt.wav")
  ]
  if told is None or None in beside:
    return None
  start, end = told["timestamp"]
  answer = told.get("answer")
  said = str(answer or f"Yes. {told['interrupt']}")
  first = (beside[0] or 0.0) + _DELAY
  before = str(told.get("context_answer", "Well, let me tell you about that."))
  wanted = [Act(end + _DELAY, said)]
  if first < start:
    wanted.insert(0, Act(first, before, until=start + _DELAY))
  return {
    "context": str(told["context"]),
    "interrupt": str(told["interrupt"]),
    "answer": answer,
    "span": (start, end),
    "wanted": tuple(wanted),
  }


_LOADERS: Final[Mapping[str, Callable[[_Folder], dict[str, Any] | None]]] = {
  **dict.fromkeys(PAUSES, _load_pause),
  TURNS: _load_turn,
  NODS: _load_nods,
  INTERRUPTIONS: _load_interruption,
}
