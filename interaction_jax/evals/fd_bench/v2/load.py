"""Full-Duplex-Bench v2: prompts in stages, each told at two paces.

    prompts_staged_200.json   here, or in v2/

Of the file only its name, 200 prompts and goals T1 to T4 are documented where
anybody may read it. So it may be a list or an object by id, and fields are
looked for under several names; what is there is named where none fits:

    {"id": ..., "category": "daily" | "correction" | "entity" | "safety",
     "T1": goal, ..., "T4": goal}      or goals in a list or object "goals"

A goal is a text, or an object {"goal"} which may have besides:

    say      what the examiner says; else it says the goal as it stands
    answer   what is right to say then
    expect   words that must be said; "REFUSAL": it has to be refused
    tests    whether it tests what the family is about

Reference: Lin et al. 2025, arXiv:2510.07838.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, get_args

import numpy as np

from interaction_jax.data.record import Record
from interaction_jax.evals import protocol
from interaction_jax.evals.fd_bench.v2.examiner import (
  PACING,
  Examiner,
  Pace,
  Stage,
)
from interaction_jax.evals.harness import item as items
from interaction_jax.evals.harness import narrator
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.item import Act, Canvas, Item
from interaction_jax.evals.protocol import Protocol
from interaction_jax.turns import clock

FILE: Final = "prompts_staged_200.json"
FAMILIES: Final = ("daily", "correction", "entity", "safety")
PACES: Final = get_args(Pace)
PARTS: Final = tuple(f"{one}_{pace}" for one in FAMILIES for pace in PACES)
REFUSAL: Final = "REFUSAL"

USUAL: Final = Protocol(reply=75.0)
"""How long a conversation may become: published scores are over 75 s."""

_OFFICIAL: Final = 200
_FAMILY: Final = ("category", "task", "family", "task_family", "type")
_NAME: Final = ("id", "prompt_id", "name")
_GOALS: Final = ("goals", "stages", "staged_goals", "turns")


@dataclasses.dataclass(frozen=True)
class Goal:
  """A stage of a prompt.

  Attributes:
    say: what the examiner says.
    answer: what an oracle says then.
    expect: words that must be said, or `REFUSAL`.
    tests: whether it tests what the family is about.
  """

  goal: str
  say: str
  answer: str
  expect: str
  tests: bool = True


def load(inventory: Inventory) -> list[Item]:
  """Two items a prompt, one of each pace."""
  plan = protocol.read(inventory, USUAL)
  usable: list[tuple[str, str, list[Goal]]] = []
  for name, entry in _prompts(inventory):
    found = _prompt(inventory, name, entry)
    if found is None:
      for pace in PACES:
        inventory.leave_out(f"{pace}/{name}")
    else:
      usable.append((name, *found))
  said = narrator.speak(
    [
      protocol.line(name, goal.say)
      for name, _, goals in usable
      for goal in goals
    ]
  )
  spoken = iter(said)
  found = []
  for name, family, goals in usable:
    stages = tuple(Stage(next(spoken), goal.answer) for goal in goals)
    for pace in PACES:
      found.append(_item(name, family, goals, stages, pace, plan.reply))
  return found


def _item(
  name: str,
  family: str,
  goals: Sequence[Goal],
  stages: Sequence[Stage],
  pace: Pace,
  seconds: float,
) -> Item:
  return Item(
    name=f"{pace}/{name}",
    part=f"{family}_{pace}",
    seconds=seconds,
    open=partial(_silence, seconds=seconds),
    # When is up to the examiner; whoever speaks at random says these.
    wanted=tuple(Act(0.0, goal.answer) for goal in goals),
    truth={"family": family, "pace": pace, "goals": tuple(goals)},
    partner=partial(Examiner, stages, PACING[pace]),
  )


def _silence(canvas: Canvas, *, seconds: float) -> Record:
  del canvas
  return items.listening(np.zeros(round(seconds * clock.SAMPLE_RATE)))


def _prompts(inventory: Inventory) -> list[tuple[str, Any]]:
  """The entries of the file, by name."""
  path = FILE if (inventory.root / FILE).is_file() else f"v2/{FILE}"
  if not (inventory.root / path).is_file():
    path = FILE
  plain = inventory.json(path)
  if isinstance(plain, dict):
    # Either by id, or below a single name.
    lists = [one for one in plain.values() if isinstance(one, list)]
    plain = lists[0] if len(plain) == 1 and lists else plain
  if isinstance(plain, dict):
    found = [(str(name), entry) for name, entry in plain.items()]
  elif isinstance(plain, list):
    found = [(_named(entry, place), entry) for place, entry in enumerate(plain)]
  else:
    if plain is not None:
      inventory.note(path, "holds no prompts")
    return []
  if not (inventory.root / protocol.NAME).is_file():
    inventory.count(path, len(found), _OFFICIAL)
  return found


def _named(entry: Any, place: int) -> str:
  fields = entry if isinstance(entry, dict) else {}
  return str(next((fields[one] for one in _NAME if one in fields), place))


def _prompt(
  inventory: Inventory, name: str, entry: Any
) -> tuple[str, list[Goal]] | None:
  """The family and the goals of a prompt; None: it cannot be used."""
  fields = entry if isinstance(entry, dict) else {}
  there = ", ".join(fields) or "nothing"
  families = [
    family
    for key in _FAMILY
    for family in FAMILIES
    if str(fields.get(key, "")).lower().startswith(family[:4])
  ]
  if not families:
    return inventory.note(
      FILE,
      f"{name} has no family ({', '.join(_FAMILY)}: {', '.join(FAMILIES)}); it "
      f"has {there}",
    )
  goals = _goals(fields)
  if not goals or not all(goal.say.strip() for goal in goals):
    names = ", ".join(_GOALS)
    return inventory.note(
      FILE, f"{name} has no goals (T1, T2, ..., or {names}); it has {there}"
    )
  if families[0] == "safety":
    goals = [_safe(goal) for goal in goals]
  return families[0], goals


def _goals(fields: Mapping[str, Any]) -> list[Goal]:
  listed: Any = next((fields[one] for one in _GOALS if one in fields), fields)
  if isinstance(listed, dict):
    places = sorted(
      (one for one in listed if re.fullmatch(r"[Tt]\d+", one)),
      key=lambda one: int(one[1:]),
    )
    listed = [listed[one] for one in places]
  return [_goal(one) for one in listed] if isinstance(listed, list) else []


def _goal(plain: Any) -> Goal:
  fields = plain if isinstance(plain, dict) else {"goal": plain}
  text = str(fields.get("goal") or fields.get("text") or "")
  return Goal(
    goal=text,
    say=str(fields.get("say") or text),
    answer=str(fields.get("answer") or f"Yes. {text}"),
    expect=str(fields.get("expect") or text),
    tests=bool(fields.get("tests", True)),
  )


def _safe(goal: Goal) -> Goal:
  """Where nothing else is said, what tests safety is to be refused."""
  if goal.expect != goal.goal:
    return goal
  return dataclasses.replace(
    goal, answer="I'm sorry, I can't help with that.", expect=REFUSAL
  )
