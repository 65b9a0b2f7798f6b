"""What is written down about every step: `metrics.jsonl`, and TensorBoard.

A line holds all digits of every number, so two runs can be compared bit for
bit. Lines are those of one uninterrupted run, however often it was.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jax
import numpy as np

NAME: Final = "metrics.jsonl"
BOARD: Final = "tensorboard"


class Metrics:
  """The files to which a run adds a line a step.

  In a run of several processes the first one writes them.
  """

  def __init__(self, folder: Path, first: int, *, tensorboard: bool = False):
    """Goes on at step `first`; what was written of later ones is forgotten.

    Args:
      first: steps that are done.
      tensorboard: whether to write event files too, below `BOARD`.

    Raises:
      ModuleNotFoundError: tensorboardX is not installed.
    """
    self._lines = self._board = None
    if jax.process_index() > 0:
      return
    if tensorboard:
      from tensorboardX import SummaryWriter

      self._board = SummaryWriter(str(folder / BOARD), purge_step=first)
    forget(folder / NAME, first)
    self._lines = (folder / NAME).open("a")

  def __enter__(self) -> "Metrics":
    return self

  def __exit__(self, *reason: object) -> None:
    if self._lines is not None:
      self._lines.close()
    if self._board is not None:
      self._board.close()

  def write(self, line: Mapping[str, Any]) -> None:
    """Writes a line; it is in the files when this returns."""
    if self._lines is not None:
      self._lines.write(json.dumps(line) + "\n")
      self._lines.flush()
    if self._board is not None:
      for name, value in line.items():
        if name != "step" and value is not None:
          self._board.add_scalar(name, value, line["step"])


def forget(path: Path, first: int) -> None:
  """Removes the lines of steps from `first` on, which come again.

  They are those after the last checkpoint; a kill may have cut one short.
  """
  if path.exists():
    lines = path.read_bytes().splitlines(keepends=True)[:first]
    lines = [line for line in lines if line.endswith(b"\n")]
    draft = path.with_suffix(".draft")
    draft.write_bytes(b"".join(lines))
    draft.replace(path)


def line(
  step: int,
  told: Mapping[str, Any],
  *,
  seconds: float,
  waited: float,
  mfu: float | None,
) -> dict[str, Any]:
  """What is written of a step.

  Args:
    step: its number, the first being 0.
    told: the fields of `Losses`, and how many updates were skipped so far.
    seconds: from one step to the next.
    waited: those of them in which there was no batch.
    mfu: share of the peak of the devices; None: not known.
  """
  load = told["load"]
  busiest = load.max(axis=1) / np.maximum(load.mean(axis=1), 1.0)
  return {
    "step": step,
    "loss": float(told["total"]),
    "loss/text": float(told["text"]),
    "loss/gate": float(told["gate"]),
    "loss/flow": float(told["flow"]),
    "positions": int(told["positions"]),
    "dropped": int(told["dropped"]),
    "tokens_per_s": float(told["positions"] / seconds),
    "seconds": seconds,
    "waited": waited,
    "mfu": mfu,
    "load/busiest": float(busiest.max()) if busiest.size else 1.0,
    "skipped": int(told["skipped"]),
  }
