"""What every suite writes: `report.json`, and a table for people."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from interaction_jax.serve import machine
from interaction_jax.serve.models import Model

NAME: Final = "report.json"
RUN: Final = "run.json"
"""What a run that can go on leaves in its folder at once."""


def checkpoint(model: Model) -> dict[str, Any]:
  """Which model it was, and where it ran."""
  return {
    "name": model.name,
    "path": None if model.path is None else str(model.path),
    "digest": model.digest,
    "quantise": dict(model.quantise),
    "machine": machine.describe(),
  }


def write(folder: Path, report: Mapping[str, Any]) -> Path:
  """Writes a report; it is there whole or not at all."""
  path = folder / NAME
  draft = folder / f".{NAME}"
  draft.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
  draft.replace(path)
  return path


def claim(folder: Path, run: Mapping[str, Any]) -> None:
  """Takes a folder for a run, or goes on with what it holds of it.

  Args:
    run: what tells it from others.

  Raises:
    ValueError: the folder holds part of another run.
  """
  path = folder / RUN
  text = json.dumps(run, indent=2) + "\n"
  if path.is_file() and path.read_text() != text:
    raise ValueError(
      f"{folder} holds part of another run; --force replaces it, another "
      "folder keeps it."
    )
  path.write_text(text)


def prepare(folder: str | Path, *, force: bool, resume: bool = False) -> Path:
  """A folder for a report, made if there is none.

  Args:
    resume: whether a run that was cut short, and left `run.json` and no
      report, may go on in it.

  Raises:
    FileExistsError: it holds a report, and is not to be replaced, or it holds
      something else.
  """
  folder = Path(folder)
  if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
    begun = resume and (folder / RUN).is_file()
    if begun and not force and not (folder / NAME).is_file():
      return folder
    if not (folder / NAME).is_file() and not begun:
      raise FileExistsError(
        f"{folder} holds something that is not a report and is left alone; "
        "choose another folder."
      )
    if not force:
      raise FileExistsError(
        f"{folder} holds a report already; --force replaces it."
      )
    # What was kept of its items would pass for that of the new one.
    shutil.rmtree(folder)
  folder.mkdir(parents=True, exist_ok=True)
  return folder


def medians(values: Mapping[str, Sequence[float]]) -> dict[str, float | None]:
  """Medians of what is called "_s", means of all else; None of nothing."""
  return {
    name: _middle(name, x) if len(x) else None for name, x in values.items()
  }


def _middle(name: str, values: Sequence[float]) -> float:
  return float(np.median(values) if name.endswith("_s") else np.mean(values))


def table(report: Mapping[str, Any]) -> str:
  """The rows of a report in columns, in per cent."""
  lines = [
    f"{'':<26}{'score':>6}  {'95 %':<11}{'n':>5}{'want':>6}{'':>6}"
    f"{'chance':>8}{'silent':>8}{'oracle':>8}{'wall s':>8}"
  ]
  for name, row in report["rows"].items():
    low, high = row["ci"]
    lines.append(
      f"{name:<26}{_percent(row['score']):>6}  "
      f"{_percent(low) + ' to ' + _percent(high):<11}{row['n']:>5}"
      f"{_percent(row['threshold']):>6}{'ok' if row['passed'] else '':>6}"
      + "".join(
        f"{_percent(row[who]):>8}" for who in ("chance", "silent", "oracle")
      )
      + f"{row['wall_s']:>8.0f}"
    )
  passed = sum(row["passed"] for row in report["rows"].values())
  lines.append(
    f"{passed} of {len(report['rows'])} rows passed; "
    f"{report['wall_s']:.0f} s on this machine."
  )
  return "\n".join(lines)


def _percent(share: float | None) -> str:
  return "-" if share is None else f"{100 * share:.0f}"
