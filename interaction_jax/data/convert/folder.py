"""The way all converters go: what can be read is written, the rest reported.

{"converted": 2, "seconds": 61.4,
 "dropped": [{"name": "c.wav", "reason": "c.json does not exist."}],
 "notes": {"words without times of their own": 12}}
"""

import collections
import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from interaction_jax.data import records, workers
from interaction_jax.data.entry import encode
from interaction_jax.data.record import Record


@dataclasses.dataclass(frozen=True)
class Found:
  """A recording that is read.

  Attributes:
    notes: what was not as it should be, each with how often.
  """

  record: Record
  notes: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Refused:
  """A recording that cannot be taken, and why."""

  name: str
  reason: str


def convert(
  items: Iterable[tuple[str, Any]],
  read: Callable[[Any], Found],
  target: str | Path,
  *,
  family: str,
  source: str | Path,
  overwrite: bool = False,
  num_workers: int | None = None,
) -> dict[str, Any]:
  """Reads every item and writes a folder of records; returns the report.

  Args:
    items: of each recording its name, and what `read` takes; or, in its
      place, a `Refused`.
    read: raises ValueError or OSError for what cannot be taken.
    family: of the layout, for the index.
    source: what is converted, for the index.
    overwrite: whether a folder of records at `target` is replaced.
    num_workers: processes; None: one for each core.

  Raises:
    FileExistsError: something lies at `target`.
    ValueError: nothing of it can be taken. Nothing is written then.
  """
  dropped: list[dict[str, str]] = []
  notes: collections.Counter[str] = collections.Counter()

  def entries() -> Iterator[bytes]:
    for made in _each(items, read, num_workers or os.cpu_count() or 1):
      if isinstance(made, Refused):
        dropped.append({"name": made.name, "reason": made.reason})
      else:
        notes.update(made[1])
        yield made[0]

  try:
    folder = records.write_entries(
      target,
      entries(),
      made={"by": f"convert {family}", "source": Path(source).name},
      force=overwrite,
    )
  except ValueError as error:
    reasons = "; ".join(f"{one['name']}: {one['reason']}" for one in dropped)
    raise ValueError(
      f"nothing in {source} can be converted. {reasons or error}"
    ) from error
  return {
    "converted": len(folder),
    "seconds": folder.index["seconds"],
    "dropped": dropped,
    "notes": dict(notes),
  }


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
  """The objects of a file of JSON lines, .gz or not, each with its number.

  A line that is none comes as a `Refused`.

  Raises:
    FileNotFoundError: there is no such file.
  """
  import gzip

  if not path.is_file():
    raise FileNotFoundError(f"{path} does not exist.")
  content = path.read_bytes()
  if path.suffix == ".gz":
    content = gzip.decompress(content)
  for number, line in enumerate(content.splitlines(), 1):
    if not line.strip():
      continue
    try:
      item = json.loads(line)
      if not isinstance(item, dict):
        raise ValueError("it is no object")
    except ValueError as error:
      reason = f"the line is no JSON object: {error}."
      item = Refused(f"{path.name}:{number}", reason)
    yield number, item


def _each(
  items: Iterable[tuple[str, Any]],
  read: Callable[[Any], Found],
  num_workers: int,
) -> Iterator[Refused | tuple[bytes, Mapping[str, int]]]:
  listed = list(items)
  jobs = [(read, name, item) for name, item in listed]
  if num_workers == 1 or len(jobs) < 2 * num_workers:
    yield from map(_one, jobs)
    return
  with workers.pool(num_workers) as pool:
    yield from pool.map(_one, jobs)


def _one(
  job: tuple[Callable[[Any], Found], str, Any],
) -> Refused | tuple[bytes, Mapping[str, int]]:
  read, name, item = job
  if isinstance(item, Refused):
    return item
  try:
    found = read(item)
    return encode(found.record), found.notes
  except (ValueError, OSError) as error:
    return Refused(name, " ".join(str(error).split()))
