"""Rows of annotations as they are published: Parquet, JSON lines or CSV.

Sound that lies within a table is read from it; sound beside it by name.
"""

import csv
import functools
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from interaction_jax.data import resample
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.turns import clock

Row = dict[str, Any]


def find(inventory: Inventory, folder: str, stem: str) -> list[str]:
  """The files of a table, which may come in several parts.

  They are called `STEM.parquet`, `STEM-00000-of-00002.parquet`, or as much
  with `.jsonl` or `.csv`. A number that is missing is noted.
  """
  place = inventory.root / folder
  names = []
  for suffix in ("parquet", "jsonl", "csv"):
    names = sorted(
      path.relative_to(inventory.root).as_posix()
      for pattern in (f"{stem}.{suffix}", f"{stem}-*-of-*.{suffix}")
      for path in place.glob(pattern)
    )
    if names:
      break
  else:
    inventory.note(f"{folder}/{stem}.parquet".lstrip("/"), "missing")
    return []
  parts = names[0].rsplit("-of-", 1)
  if len(parts) == 2:
    total = int(parts[1].split(".")[0])
    for number in range(total):
      name = f"{parts[0][:-5]}{number:05d}-of-{parts[1]}"
      if name not in names:
        inventory.note(name, "missing")
  return names


def read(
  inventory: Inventory,
  path: str,
  *,
  wanted: tuple[str, ...],
  apart: tuple[str, ...] = (),
) -> list[Row]:
  """The rows of a file; none if it cannot be used, which is noted then.

  Args:
    wanted: columns that have to be there.
    apart: columns of Parquet that are too large; `cell` reads them.

  Raises:
    ModuleNotFoundError: it is Parquet, and pyarrow is not installed.
  """
  rows = _rows(inventory, path, apart)
  if not rows:
    return []
  missing = sorted(set(wanted) - set(rows[0]))
  if missing:
    inventory.note(
      path, f"has no column {', '.join(missing)}; it has {', '.join(rows[0])}"
    )
    return []
  return rows


def write(path: Path, rows: list[Row]) -> None:
  """Writes rows as Parquet, for a twin.

  Raises:
    ModuleNotFoundError: pyarrow is not installed.
  """
  arrow, parquet = _arrow()
  path.parent.mkdir(parents=True, exist_ok=True)
  parquet.write_table(arrow.Table.from_pylist(rows), path)


def write_lines(path: Path, rows: list[Row]) -> None:
  """Writes rows as JSON lines, for a twin."""
  path.parent.mkdir(parents=True, exist_ok=True)
  lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
  path.write_text("".join(lines), encoding="utf-8")


def sound(
  inventory: Inventory, where: str, value: Any
) -> Float[np.ndarray, " _"] | None:
  """The sound of a cell, at 16 kHz; None: it cannot be used.

  Args:
    where: it is, for a note.
    value: {"bytes", "path"} as published, or the name of a file beside it.
  """
  import soundfile

  data = value.get("bytes") if isinstance(value, dict) else None
  name = value.get("path") if isinstance(value, dict) else value
  if data is None and isinstance(name, str):
    if inventory.sound(name) is None:
      return None
    data = (inventory.root / name).read_bytes()
  if not data:
    inventory.note(where, "missing, the cell holds no sound")
    return None
  try:
    samples, rate = soundfile.read(
      io.BytesIO(data), dtype="float32", always_2d=True
    )
  except soundfile.SoundFileError as error:
    inventory.note(where, f"corrupt, it cannot be read as sound ({error})")
    return None
  if not len(samples):
    inventory.note(where, "empty, it has no samples")
    return None
  mono = samples.mean(axis=1)
  if rate == clock.SAMPLE_RATE:
    return mono
  resampler = resample.Resampler(rate)
  return np.concatenate([resampler.push(mono), resampler.flush()])


def number(value: Any) -> float | None:
  """A number of a cell, None where there is none."""
  try:
    made = float(value)
  except (TypeError, ValueError):
    return None
  return made if math.isfinite(made) else None


def cell(file: Path, number: int, column: str) -> Any:
  """What stands in a row of a file of Parquet, read without all the others."""
  rows, at = _group(file, number, column)
  return rows[at]


@functools.lru_cache(maxsize=2)
def _groups(file: Path) -> list[int]:
  """How many rows each part of a file has."""
  _, parquet = _arrow()
  known = parquet.ParquetFile(file).metadata
  return [known.row_group(n).num_rows for n in range(known.num_row_groups)]


def _group(file: Path, number: int, column: str) -> tuple[list[Any], int]:
  """The part of a column that holds a row, and its place in that part."""
  for place, size in enumerate(_groups(file)):
    if number < size:
      return _column(file, place, column), number
    number -= size
  raise IndexError(f"{file} has no such row, {number} too many.")


@functools.lru_cache(maxsize=2)
def _column(file: Path, group: int, column: str) -> list[Any]:
  _, parquet = _arrow()
  part = parquet.ParquetFile(file).read_row_group(group, columns=[column])
  return part.column(column).to_pylist()


def _rows(inventory: Inventory, path: str, apart: tuple[str, ...]) -> list[Row]:
  file = inventory.root / path
  if not file.is_file():
    inventory.note(path, "missing")
    return []
  if path.endswith(".jsonl"):
    return inventory.json(path, lines=True) or []
  if path.endswith(".csv"):
    try:
      with file.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))
    except (UnicodeDecodeError, csv.Error) as error:
      inventory.note(path, f"corrupt, it is no CSV ({error})")
      return []
  arrow, parquet = _arrow()
  try:
    names = parquet.read_schema(file).names
    part = parquet.read_table(
      file, columns=[x for x in names if x not in apart]
    )
    rows = part.to_pylist()
    # That a column is there is known, even where it is left out.
    here = dict.fromkeys(name for name in apart if name in names)
    return [{**row, **here} for row in rows]
  except (arrow.ArrowInvalid, OSError) as error:
    reason = " ".join(str(error).split())[:120]
    inventory.note(path, f"corrupt, it is no Parquet ({reason})")
    return []


def _arrow() -> tuple[Any, Any]:
  try:
    import pyarrow
    import pyarrow.parquet
  except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
      "tables of Parquet need pyarrow, which comes with "
      "pip install 'interaction-jax[eval]'."
    ) from error
  return pyarrow, pyarrow.parquet
