"""The table of Audio MultiChallenge, read.

data/test-*-of-*.parquet    id, axis, rubric, user_turn_{1..8}_audio,
                            user_turn_{1..8}_transcript,
                            assistant_turn_{1..7}_transcript
data/test.jsonl             the same, audio being a file beside it
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from interaction_jax.evals import table
from interaction_jax.evals.audio_multichallenge import rubric
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.turns import clock

AXES: Final = (
  "inference_memory",
  "instruction_retention",
  "self_coherence",
  "voice_editing",
)
TURNS: Final = 8
"""Turns of the user, at most."""

FOLDER: Final = "data"

_AUDIO: Final = tuple(f"user_turn_{n}_audio" for n in range(1, TURNS + 1))


@dataclasses.dataclass(frozen=True)
class Conversation:
  """A conversation up to its last turn of the user.

  Attributes:
    place: its file, and the row in it.
    said: what the user says, turn by turn.
    replies: what the assistant said to each turn but the last.
    seconds: how long each turn of the user is.
    audio: names of files of sound; None: the sound is in the table.
  """

  name: str
  axis: str
  place: tuple[str, int]
  said: tuple[str, ...]
  replies: tuple[str, ...]
  rubrics: tuple[str, ...]
  seconds: tuple[float, ...]
  audio: tuple[str, ...] | None


def conversations(inventory: Inventory) -> list[Conversation]:
  """Those of all files; what cannot be used is noted and left out."""
  found = []
  for path in table.find(inventory, FOLDER, "test"):
    wanted = ("id", "axis", "rubric", _AUDIO[0], "user_turn_1_transcript")
    rows = table.read(inventory, path, wanted=wanted, apart=_AUDIO)
    lengths = _lengths(inventory, path, rows)
    for number, row in enumerate(rows):
      made = _conversation(inventory, path, number, row, lengths[number])
      if made is None:
        inventory.leave_out(str(row["id"]))
      else:
        found.append(made)
  return found


def _lengths(
  inventory: Inventory, path: str, rows: Sequence[Mapping[str, Any]]
) -> list[list[float | None]]:
  """Seconds of every turn of every row; None: its sound cannot be used.

  A table lies column by column; so it is read in that order, once.
  """
  found: list[list[float | None]] = [[] for _ in rows]
  for turn in range(TURNS):
    for number, row in enumerate(rows):
      if turn < _num_turns(row):
        where = f"{path}: row {number}, turn {turn + 1}"
        value = row[_AUDIO[turn]]
        sound = _sound(inventory, where, path, number, turn, value)
        seconds = None if sound is None else len(sound) / clock.SAMPLE_RATE
        found[number].append(seconds)
  return found


def _num_turns(row: Mapping[str, Any]) -> int:
  """Turns up to the first that has no text."""
  for turn in range(TURNS):
    if not row.get(f"user_turn_{turn + 1}_transcript"):
      return turn
  return TURNS


def _conversation(
  inventory: Inventory,
  path: str,
  number: int,
  row: Mapping[str, Any],
  seconds: Sequence[float | None],
) -> Conversation | None:
  num = _num_turns(row)
  axis = str(row["axis"]).strip().lower().replace(" ", "_")
  rubrics = tuple(rubric.read(row["rubric"]))
  replies = tuple(
    str(row.get(f"assistant_turn_{turn}_transcript") or "")
    for turn in range(1, num)
  )
  where = f"{path}: row {number}"
  known = [one for one in seconds if one is not None]
  if axis not in AXES:
    return inventory.note(
      where, f"axis={row['axis']!r} is none of {', '.join(AXES)}"
    )
  if not num or not rubrics:
    what = "turn of the user with a transcript" if not num else "rubric"
    return inventory.note(where, f"has no {what}")
  if not all(replies):
    turn = replies.index("") + 1
    return inventory.note(where, f"has no assistant_turn_{turn}_transcript")
  if len(known) < num:
    return None
  audio = None
  if not path.endswith(".parquet"):
    audio = tuple(str(row[name]) for name in _AUDIO[:num])
  said = tuple(str(row[f"user_turn_{n + 1}_transcript"]) for n in range(num))
  return Conversation(
    name=str(row["id"]),
    axis=axis,
    place=(path, number),
    said=said,
    replies=replies,
    rubrics=rubrics,
    seconds=tuple(known),
    audio=audio,
  )


def sounds(root: Path, one: Conversation) -> list[Float[np.ndarray, " _"]]:
  """What the user says in each turn, at 16 kHz."""
  path, number = one.place
  found = []
  for turn in range(len(one.said)):
    value = None if one.audio is None else one.audio[turn]
    sound = _sound(Inventory(root), path, path, number, turn, value)
    assert sound is not None, f"{path}: row {number} was whole before"
    found.append(sound)
  return found


def _sound(
  inventory: Inventory,
  where: str,
  path: str,
  number: int,
  turn: int,
  value: Any,
) -> Float[np.ndarray, " _"] | None:
  if path.endswith(".parquet"):
    value = table.cell(inventory.root / path, number, _AUDIO[turn])
  elif isinstance(value, str):
    value = f"{FOLDER}/{value}"
  return table.sound(inventory, where, value)
