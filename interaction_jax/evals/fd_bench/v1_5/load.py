"""Full-Duplex-Bench v1.5: four kinds of sound into an answer.

    user_interruption/ID/    input.wav, clean_input.wav, metadata.json
    user_backchannel/ID/     the same
    talking_to_other/ID/     the same
    background_speech/ID/    the same
    metadata.json            {"context_text", "current_turn_text",
                              "timestamps": [s, e]}: what is asked first, what
                             comes into the answer, and when

The clean recording is the same without what comes into it. Each is played; both
outputs are of one item.

Reference: Lin et al. 2025, arXiv:2507.23159.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from interaction_jax.evals.fd_bench import layout, transcript
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.item import Act, Item
from interaction_jax.evals.harness.output import Word

INTERRUPTION: Final = "user_interruption"
SIZES: Final = {
  INTERRUPTION: 200,
  # One of 99 has no recordings in the archive.
  "user_backchannel": 98,
  "talking_to_other": 100,
  "background_speech": 100,
}
CLEAN: Final = "clean_"

_DELAY: Final = 0.4
"""Seconds in which an oracle answers, or stops."""

_ANSWER: Final = (
  "Well, let me tell you about that. There is a lot to be said, so I will take "
  "one thing after the other, and you can stop me whenever you like."
)
"""What an oracle says where nothing says what is right."""


def load(inventory: Inventory) -> list[Item]:
  """Two items a folder, one of each recording."""
  found = []
  for task, name in layout.folders(inventory, SIZES):
    told = layout.entry(
      inventory,
      f"{name}/metadata.json",
      "context_text",
      "current_turn_text",
      span="timestamps",
    )
    lengths = {
      take: inventory.sound(f"{name}/{take}input.wav") for take in ("", CLEAN)
    }
    if told is None or None in lengths.values():
      inventory.leave_out(name)
      continue
    truth = _truth(inventory, name, told)
    for take, seconds in lengths.items():
      found.append(
        Item(
          name=name,
          part=task,
          seconds=seconds or 0.0,
          open=partial(
            layout.opened, sound=inventory.root / name / f"{take}input.wav"
          ),
          wanted=_wanted(task, take, truth),
          truth=truth,
          take=take,
        )
      )
  return found


def _truth(
  inventory: Inventory, name: str, told: Mapping[str, Any]
) -> dict[str, Any]:
  start, end = told["timestamps"]
  context = str(told["context_text"])
  # Only twins know when the first request is over.
  asked = float(told.get("context_end", max(start - 2.0, 0.0)))
  told_first = transcript.spread(context, 0.0, asked)
  into = transcript.spread(str(told["current_turn_text"]), start, end)
  return {
    "context": context,
    "into": str(told["current_turn_text"]),
    "span": (start, end),
    "asked": asked,
    "context_answer": str(told.get("context_answer", _ANSWER)),
    "answer": told.get("answer"),
    "input": _heard(inventory, f"{name}/input.json", [*told_first, *into]),
    "clean_input": _heard(inventory, f"{name}/clean_input.json", told_first),
  }


def _heard(
  inventory: Inventory, path: str, otherwise: list[Word]
) -> tuple[Word, ...]:
  """What a recogniser heard of the user, where somebody has asked one."""
  if (inventory.root / path).is_file():
    return tuple(layout.words(inventory, path) or ())
  return tuple(otherwise)


def _wanted(task: str, take: str, truth: Mapping[str, Any]) -> tuple[Act, ...]:
  start, end = truth["span"]
  first = Act(truth["asked"] + _DELAY, truth["context_answer"])
  if take == CLEAN or task != INTERRUPTION:
    # It goes on, whatever comes into it.
    return (first,)
  answer = str(truth["answer"] or f"Yes. {truth['into']}")
  yields = Act(first.at, first.text, until=max(start + _DELAY, first.at))
  return (yields, Act(end + _DELAY, answer))
