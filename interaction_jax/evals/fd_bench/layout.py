"""Folders of Full-Duplex-Bench: `TASK/ID/`, with a sound and what is in it.

input.wav            what is played
transcription.json   [{"text", "timestamp": [s, e]}, ...], or the same
                     under "chunks"
pause.json, ...      [{"text" or others, "timestamp": [s, e]}]
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from interaction_jax.data.record import Record
from interaction_jax.evals import clip, protocol
from interaction_jax.evals.harness import inventory as inventories
from interaction_jax.evals.harness import item as items
from interaction_jax.evals.harness import output
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.item import Canvas
from interaction_jax.evals.harness.output import Word
from interaction_jax.turns import clock


def folders(
  inventory: Inventory,
  sizes: Mapping[str, int],
  *,
  beside: tuple[str, ...] = (),
) -> Iterator[tuple[str, str]]:
  """Names of tasks that are there, and of their folders, `TASK/ID`.

  A task may be left out by whoever has only others; if there is none, all are
  missing.

  Args:
    sizes: folders that each task has in the official release.
    beside: names of files that may lie among the folders of a task.
  """
  official = not (inventory.root / protocol.NAME).is_file()
  there = [task for task in sizes if (inventory.root / task).is_dir()]
  for task in () if there else sizes:
    inventory.note(task, "missing")
  for task in there:
    names = inventories.numbered(inventory.root / task)
    if official:
      inventory.count(task, len(names), sizes[task])
    inventory.extra(task, [*names, *beside])
    yield from ((task, f"{task}/{name}") for name in names)


def words(inventory: Inventory, path: str) -> list[Word] | None:
  """Words with their times; None: they cannot be used, which is noted."""
  plain = inventory.json(path)
  if plain is None:
    return None
  try:
    return output.words_in(plain)
  except (KeyError, TypeError, ValueError) as error:
    return inventory.note(path, f"corrupt, it holds no words ({error!r})")


def entry(
  inventory: Inventory, path: str, *wanted: str, span: str = "timestamp"
) -> dict[str, Any] | None:
  """The first object of a file, its `span` a pair of seconds.

  None: it cannot be used, which is noted.

  Args:
    wanted: fields that have to be there besides.
  """
  plain = inventory.json(path)
  if plain is None:
    return None
  first: Any = plain[0] if isinstance(plain, list) and plain else plain
  try:
    missing = sorted({*wanted, span} - set(first))
    if missing:
      return inventory.note(path, f"has no {', '.join(missing)}")
    start, end = (float(at) for at in first[span])
    if not 0 <= start <= end:
      return inventory.note(path, f"{span} {start} to {end} s is no span")
    return {**first, span: (start, end)}
  except (KeyError, TypeError, ValueError) as error:
    return inventory.note(path, f"corrupt, it is no entry ({error!r})")


def opened(canvas: Canvas, *, sound: Path) -> Record:
  """A file of sound, as it is played."""
  del canvas
  return items.listening(clip.soundtrack(sound))


def write_sound(path: Path, sound: Float[np.ndarray, " _"]) -> None:
  """Writes a sound of a twin, at 16 kHz."""
  import soundfile

  path.parent.mkdir(parents=True, exist_ok=True)
  soundfile.write(path, sound, clock.SAMPLE_RATE, subtype="PCM_16")
