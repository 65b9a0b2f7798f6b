"""Recorded conversations on disk: a folder of ArrayRecord files and an index.

    index.json             what is there; see below
    00000.arrayrecord ...  the conversations, one entry each, in order

**An entry** is a ZIP archive whose members are stored, not deflated, in this
order, each dated 1980-01-01. Those in brackets may be missing.

    record.json   UTF-8: all that is no sound and no picture
    heard.flac    the user's microphone: one channel, 16 kHz, 16 bits
    voice.flac    the assistant's sound, as long, on the same clock
    [frames.z]    pictures: each its rows x columns x RGB bytes, deflated (zlib,
                  RFC 1950), one behind the other

`record.json` holds an object. Times are samples at 16 kHz from the beginning
of the conversation, whole numbers that ascend; spans `[from, to]` are in order
and apart.

    num_samples   length of both sounds
    speech        spans in which the assistant speaks
    lost          spans of `heard` that never arrived; it is silent there
    frames        {"rows", "columns", "times": [...], "bytes": [...]}: size of
                  all pictures, when each was taken, how long it is deflated
    lost_frames   times of pictures that never arrived
    text_in       [{"at", "speaker", "text"}]: what the assistant reads;
                  speaker is "user", "background" or "instruction" (at 0)
    text_out      [{"at", "channel", "text"}]: what it writes; channel is
                  "say", "show", "call" or "delegate"; `at` is when a spoken
                  word begins to sound, or a written one is there to be read
    background    [{"at", "kind", ...}]: what became of background jobs
    labels        a list of objects: what a judge knows
    source        what it was made from, for people

**The index** is an object, sealed as `core/manifest.py` seals a manifest:

    kind          "records"
    format        1
    version       of the library that wrote it
    made          what it was made from, and how
    records, seconds   number of conversations, and how long they are together
    files         {name: {"bytes", "sha256", "lengths", "pinned"}}: each
                  ArrayRecord file, the samples of each conversation in it,
                  and the places in it of those with instructions

An ArrayRecord file is written with `group_size:1,uncompressed`, since its
entries are compressed already. A folder is written under another name and
renamed when it is whole.

`docs/format.md` says the same with every type, the labels of synthetic
conversations, and a reader of twenty lines that needs none of this library.
"""

import collections
import contextlib
import dataclasses
import functools
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

from interaction_jax.core import manifest
from interaction_jax.data.entry import Entry, encode
from interaction_jax.data.record import Channel, Record, Speaker
from interaction_jax.data.record import problems as check
from interaction_jax.turns import clock

FORMAT: Final = 1
"""The version of what is written here."""

INDEX: Final = "index.json"

SUFFIX: Final = ".arrayrecord"

_OPTIONS: Final = "group_size:1,uncompressed"
_KIND: Final = "records"
_TOLD: Final = ("kind", "format", "version", "made", "records", "seconds")

_MOST: Final = 256 * 2**20
"""Bytes after which a file is full, however few conversations it holds."""


@dataclasses.dataclass(frozen=True, eq=False)
class Folder:
  """The conversations of a folder; each is read when it is needed.

  Attributes:
    path: of the folder.
    index: what its index says.
  """

  path: Path
  index: dict[str, Any]

  def __len__(self) -> int:
    return self.index["records"]

  def __getitem__(self, place: int) -> Entry:
    """The conversation number `place`.

    Raises:
      ValueError: it is damaged.
    """
    try:
      return Entry(self._source[place])
    except (ValueError, RuntimeError) as error:
      raise ValueError(f"{self.path}, record {place}: {error}") from error

  @functools.cached_property
  def lengths(self) -> list[int]:
    """The samples of each conversation."""
    return [n for file in self._files for n in file["lengths"]]

  @functools.cached_property
  def pinned(self) -> frozenset[int]:
    """The conversations that begin with instructions."""
    found, before = set(), 0
    for file in self._files:
      found.update(before + place for place in file["pinned"])
      before += len(file["lengths"])
    return frozenset(found)

  @property
  def _files(self) -> list[dict[str, Any]]:
    return [self.index["files"][name] for name in sorted(self.index["files"])]

  @functools.cached_property
  def _source(self) -> Any:
    from grain import sources

    names = sorted(self.index["files"])
    return sources.ArrayRecordDataSource([str(self.path / n) for n in names])


def load(path: str | Path, *, verify: bool = True) -> Folder:
  """Opens a folder of records.

  Args:
    verify: whether every byte is read and compared with the checksums;
      otherwise only the presence and the size of files are.

  Raises:
    FileNotFoundError: there is no such folder.
    ValueError: it is damaged, or another version wrote it.
  """
  path = Path(path)
  index = _index(path)
  for line in manifest.damage(path, index, digests=verify):
    raise ValueError(f"{path} is damaged: {line}.")
  return Folder(path, index)


def is_folder(path: str | Path) -> bool:
  """Whether something looks like a folder of records, damaged or not."""
  try:
    index = json.loads((Path(path) / INDEX).read_bytes())
  except (OSError, ValueError):
    return False
  return isinstance(index, dict) and index.get("kind") == _KIND


def inspect(path: str | Path) -> dict[str, Any]:
  """What a folder of records holds, every byte and every record verified.

  Returns:
    what the index says, `files` shortened to a count; `intact`, and
    `problems`, a line for each; `streams`: how much there is of each.

  Raises:
    FileNotFoundError, ValueError: there is no index that can be trusted.
  """
  folder = Folder(Path(path), _index(Path(path)))
  problems = list(manifest.damage(folder.path, folder.index))
  streams: collections.Counter[str] = collections.Counter()
  if not problems:
    for place in range(len(folder)):
      try:
        one = folder[place].record()
      except ValueError as error:
        problems.append(str(error))
        continue
      problems += [f"record {place}: {line}" for line in check(one)]
      if len(one.heard) != folder.lengths[place]:
        problems.append(
          f"record {place} has {len(one.heard)} samples; {INDEX} says "
          f"{folder.lengths[place]}."
        )
      streams.update(_amounts(one))
  report = {key: folder.index[key] for key in _TOLD}
  return {
    **report,
    "files": len(folder.index["files"]),
    "intact": not problems,
    "problems": problems,
    "streams": dict(streams),
  }


def summary(report: Mapping[str, Any]) -> str:
  """What `inspect` returned, for people to read."""
  lines = [
    f"{'records':<20}{report['records']:>20,}",
    f"{'hours':<20}{report['seconds'] / 3600:>20,.2f}",
    f"{'files':<20}{report['files']:>20,}",
    f"{'intact':<20}{'yes' if report['intact'] else 'no':>20}",
  ]
  lines += [f"  {problem}" for problem in report["problems"]]
  lines += [
    f"{name:<20}{amount:>20,.{1 if name.endswith('_s') else 0}f}"
    for name, amount in report["streams"].items()
  ]
  made = " ".join(f"{name}={value}" for name, value in report["made"].items())
  return "\n".join([*lines, f"made: {made}"])


def _amounts(record: Record) -> dict[str, float]:
  """How much a record has of each stream."""
  spoken = sum(last - first for first, last in record.speech)
  written = collections.Counter(text.channel for text in record.text_out)
  read = collections.Counter(text.speaker for text in record.text_in)
  return {
    "heard_s": record.seconds,
    "speech_s": spoken / clock.SAMPLE_RATE,
    "frames": len(record.frames),
    **{f"text_in/{name}": read[name] for name in get_args(Speaker)},
    **{f"text_out/{name}": written[name] for name in get_args(Channel)},
    "background": len(record.background),
    "labels": len(record.labels),
    "lost_s": sum(b - a for a, b in record.lost) / clock.SAMPLE_RATE,
  }


def _index(path: Path) -> dict[str, Any]:
  file = path / INDEX
  if not file.is_file():
    raise FileNotFoundError(
      f"{path} is not a folder of records: it has no {INDEX}."
    )
  content = file.read_bytes()
  try:
    index = json.loads(content)
  except ValueError:
    index = None
  if not isinstance(index, dict) or index.get("kind") != _KIND:
    raise ValueError(f"{path} is not a folder of records: see its {INDEX}.")
  if index["format"] != FORMAT:
    raise ValueError(
      f"{path} has format={index['format']!r}; this version of "
      f"interaction_jax reads format={FORMAT}."
    )
  if not manifest.is_sealed(index, content):
    raise ValueError(f"{path}: {INDEX} has changed since it was written.")
  return index


# Writing.


@contextlib.contextmanager
def draft(path: str | Path, *, force: bool = False) -> Iterator[Path]:
  """A folder to write files into; it becomes `path` when all went well.

  Args:
    force: whether a folder of records at `path` is replaced; nothing else
      ever is.

  Raises:
    FileExistsError: something lies at `path`.
  """
  path = Path(path).absolute()
  if path.exists() and not (force and is_folder(path)):
    hint = "--force replaces it" if is_folder(path) else "choose another name"
    raise FileExistsError(f"{path} exists already; {hint}.")
  path.parent.mkdir(parents=True, exist_ok=True)
  folder = path.with_name(f".{path.name}.writing")
  # What an earlier run left that was killed.
  shutil.rmtree(folder, ignore_errors=True)
  folder.mkdir()
  try:
    yield folder
    old = path.with_name(f".{path.name}.old")
    if path.exists():
      path.rename(old)
    folder.rename(path)
    shutil.rmtree(old, ignore_errors=True)
  finally:
    shutil.rmtree(folder, ignore_errors=True)


def write_file(
  folder: Path, number: int, entries: Iterable[bytes]
) -> dict[str, Any]:
  """Writes one ArrayRecord file; returns its name and what the index says.

  Raises:
    OSError: it could not be written, as where a disk is full.
  """
  import array_record.python.array_record_module as array_records

  file = folder / f"{number:05d}{SUFFIX}"
  lengths, pinned = [], []
  with _told(file):
    writer = array_records.ArrayRecordWriter(str(file), _OPTIONS)
    with contextlib.closing(writer):
      for place, entry in enumerate(entries):
        outline = Entry(entry).outline()
        lengths.append(len(outline.heard))
        if any(text.speaker == "instruction" for text in outline.text_in):
          pinned.append(place)
        writer.write(entry)
  return {"name": file.name, "lengths": lengths, "pinned": pinned}


@contextlib.contextmanager
def _told(file: Path) -> Iterator[None]:
  """Says in a line what the writer of ArrayRecord files could not do."""
  try:
    yield
  except RuntimeError as error:
    reason = " ".join(str(error).split("; writing")[0].split())
    raise OSError(
      f"{file.parent.parent}: {file.name} could not be written ({reason}). "
      "Nothing is left of it."
    ) from error


def write_index(
  folder: Path,
  written: Iterable[Mapping[str, Any]],
  *,
  made: Mapping[str, Any],
) -> dict[str, Any]:
  """Writes the index of a draft; returns it.

  Args:
    written: what `write_file` returned for each file.
    made: what the records were made from, and how.
  """
  import interaction_jax

  files = manifest.files(folder)
  for about in written:
    files[about["name"]] |= {
      "lengths": about["lengths"],
      "pinned": about["pinned"],
    }
  lengths = [n for file in files.values() for n in file["lengths"]]
  index = {
    "kind": _KIND,
    "format": FORMAT,
    "version": interaction_jax.__version__,
    "made": dict(made),
    "records": len(lengths),
    "seconds": sum(lengths) / clock.SAMPLE_RATE,
    "files": files,
  }
  (folder / INDEX).write_bytes(manifest.sealed(index))
  return index


def write(
  path: str | Path,
  records: Iterable[Record],
  *,
  made: Mapping[str, Any],
  force: bool = False,
  each: int = 256,
) -> Folder:
  """Writes records into a new folder, all of them or nothing.

  Args:
    made: what they were made from, and how.
    each: conversations in a file.

  Raises:
    FileExistsError: the folder exists.
    ValueError: there are no records, or one of them is none.
  """
  entries = (encode(one) for one in records)
  return write_entries(path, entries, made=made, force=force, each=each)


def write_entries(
  path: str | Path,
  entries: Iterable[bytes],
  *,
  made: Mapping[str, Any],
  force: bool = False,
  each: int = 256,
) -> Folder:
  """Does what `write` does with records that are encoded already."""
  with draft(path, force=force) as folder:
    written, waiting = [], []
    for entry in entries:
      waiting.append(entry)
      if len(waiting) == each or sum(map(len, waiting)) > _MOST:
        written.append(write_file(folder, len(written), waiting))
        waiting = []
    if waiting:
      written.append(write_file(folder, len(written), waiting))
    if not written:
      raise ValueError(f"there are no records to write into {path}.")
    write_index(folder, written, made=made)
  return load(path, verify=False)
