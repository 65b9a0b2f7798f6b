"""A folder of documents: searched, read, and cited by file and line.

    folder/plans/garden.txt   "the pears are ripe in september"
    "when are pears ripe"     the pears are ... (plans/garden.txt, line 1)

Nothing outside the folder is ever opened, whatever links lie in it, and
nothing whose name begins with a dot. Files that change are read anew.
"""

import asyncio
import codecs
import collections
import dataclasses
import os
import stat
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from interaction_jax.serve.background.job import Context, Finding
from interaction_jax.serve.background.tools import index
from interaction_jax.serve.background.tools.index import Hit, Index

_ENOUGH: Final = 0.5
"""Of the words that were asked for, what a passage must have at least."""

_SAID: Final = 300
"""Letters of a passage that are read out, about."""

_BOMS: Final = {
  codecs.BOM_UTF8: "utf-8-sig",
  codecs.BOM_UTF16_LE: "utf-16",
  codecs.BOM_UTF16_BE: "utf-16",
}

_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""A link that took a file's place is not followed, a pipe not waited for."""

_Mark = tuple[int, int, int]
"""By which a file is known to be the same: its number, size and time."""


@dataclasses.dataclass(frozen=True)
class LibraryConfig:
  """How much is read.

  Attributes:
    file_bytes: of a file; of a larger one so much is read.
    files: at most.
    bytes: of all of them.
  """

  file_bytes: int = 2 * 2**20
  files: int = 20_000
  bytes: int = 64 * 2**20


class Library:
  """The texts of a folder, in an index that follows what becomes of them.

  Attributes:
    folder: where they lie, links resolved.
    left_out: how many files are not searched, by the reason.

  Raises:
    NotADirectoryError: there is no such folder.
  """

  def __init__(
    self,
    folder: str | Path,
    *,
    cfg: LibraryConfig = LibraryConfig(),
  ):
    if not Path(folder).is_dir():
      raise NotADirectoryError(
        f"documents={str(folder)!r} is no folder; one with texts is wanted."
      )
    self.folder = Path(folder).resolve()
    self.left_out: collections.Counter[str] = collections.Counter()
    self._cfg = cfg
    self._index = Index()
    self._known: dict[str, _Mark] = {}
    self._texts: dict[str, list[str]] = {}
    self._lock = threading.Lock()

  def find(self, question: str, *, most: int) -> list[Hit]:
    """The passages that fit best, in what there is now."""
    with self._lock:
      self._refresh()
      return self._index.find(question, most=most)

  def read(self, file: str, *, line: int, num: int) -> list[str]:
    """Some lines of a document, from a line on, counted from 1.

    Raises:
      ValueError: there is no such document, or it is shorter.
    """
    with self._lock:
      self._refresh()
      # By a name that was found here: none leads out of the folder.
      lines = self._texts.get(file)
    if lines is None:
      raise ValueError(f"there is no document {file!r}")
    if not 1 <= line <= len(lines):
      raise ValueError(f"{file} has {len(lines)} lines, and no line {line}")
    return lines[line - 1 : line - 1 + num]

  def __len__(self) -> int:
    return len(self._texts)

  def _refresh(self) -> None:
    self.left_out.clear()
    seen, room = set(), self._cfg.bytes
    for name, folder, entry, mark in self._walk():
      if len(seen) == self._cfg.files or room <= 0:
        self.left_out["too many"] += 1
        continue
      seen.add(name)
      known = (mark.st_ino, mark.st_size, mark.st_mtime_ns)
      room -= min(mark.st_size, self._cfg.file_bytes)
      if self._known.get(name) != known:
        self._known[name] = known
        self._take(name, self._content(folder, entry))
      if name not in self._texts:
        self.left_out["no text"] += 1
      elif mark.st_size > self._cfg.file_bytes:
        self.left_out["read in part"] += 1
    for name in set(self._known) - seen:
      del self._known[name]
      self._take(name, None)

  def _take(self, name: str, text: str | None) -> None:
    if text is None:
      self._texts.pop(name, None)
      self._index.drop(name)
    else:
      self._texts[name] = text.split("\n")
      self._index.put(name, text)

  def _walk(self) -> Iterator[tuple[str, int, str, os.stat_result]]:
    """The files: their names, where they are to be opened, and their marks.

    Folders are held open on the way, so none can be exchanged for a link.
    """
    for path, folders, files, folder in os.fwalk(self.folder):
      folders[:] = sorted(one for one in folders if not one.startswith("."))
      place = Path(path).relative_to(self.folder)
      for entry in sorted(files):
        mark = None if entry.startswith(".") else _file(folder, entry)
        if mark is not None:
          yield (place / entry).as_posix(), folder, entry, mark

  def _content(self, folder: int, entry: str) -> str | None:
    """A file as text; None: it is none, or cannot be read."""
    try:
      number = os.open(entry, _OPEN, dir_fd=folder)
    except OSError:
      return None
    with os.fdopen(number, "rb") as file:
      if not stat.S_ISREG(os.fstat(number).st_mode):
        return None
      try:
        content = file.read(self._cfg.file_bytes)
      except OSError:
        return None
    return decode(content, whole=len(content) < self._cfg.file_bytes)


def _file(folder: int, entry: str) -> os.stat_result | None:
  """What is known of a file; None: it is a link, a pipe or a device."""
  try:
    mark = os.stat(entry, dir_fd=folder, follow_symlinks=False)
  except OSError:
    # It went while we looked.
    return None
  return mark if stat.S_ISREG(mark.st_mode) else None


def decode(content: bytes, *, whole: bool = True) -> str | None:
  """Bytes as text, lines ending alike; None: they are none.

  What is no UTF-8 is taken for the usual encoding of western Europe.

  Args:
    whole: False: there is more, and the last character may be cut.
  """
  encoding = next(
    (name for bom, name in _BOMS.items() if content.startswith(bom)), None
  )
  if encoding is None:
    if b"\0" in content:
      return None
    encoding = "utf-8"
  decoder = codecs.getincrementaldecoder(encoding)()
  try:
    text = decoder.decode(content, final=whole)
  except UnicodeDecodeError:
    text = content.decode("cp1252", errors="replace")
  return text.replace("\r\n", "\n").replace("\r", "\n")


class Documents:
  """Searches a library."""

  name = "documents"
  summary = (
    "Searches the user's documents; tells passages with their file and line."
  )
  parameters: Mapping[str, Any] = {
    "type": "object",
    "properties": {
      "query": {"type": "string"},
      "most": {"type": "integer", "description": "passages, 3 if left out"},
    },
    "required": ["query"],
  }

  def __init__(self, library: Library):
    self._library = library

  def match(self, task: str) -> Mapping[str, Any] | None:
    """Whatever has words."""
    if not index.words(task[:400]):
      return None
    return {"query": task[:400], "most": 1}

  async def call(
    self, context: Context, *, query: str, most: int = 3
  ) -> AsyncIterator[Finding]:
    """Finds the passages that fit best."""
    if not 1 <= most <= 10:
      raise ValueError(f"most={most} passages must lie in 1 to 10")
    hits = await asyncio.to_thread(
      self._library.find, query[:2000], most=max(most, 3)
    )
    good = [hit for hit in hits if hit.share >= _ENOUGH]
    if not good:
      raise ValueError(self._nothing())
    wanted = index.asked(query)
    yield Finding(
      "\n".join(cited(hit, wanted) for hit in good[:most]),
      shown={
        "documents": [
          {
            "file": hit.passage.source,
            "line": hit.passage.line,
            "text": hit.passage.text,
          }
          for hit in good
        ]
      },
    )

  def _nothing(self) -> str:
    left = ", ".join(
      f"{count} {reason}" for reason, count in self._library.left_out.items()
    )
    told = f"nothing is found in {len(self._library)} documents"
    return f"{told} ({left})" if left else told


class Reader:
  """Reads on in a document of a library."""

  name = "read_document"
  summary = "Reads lines of one of the user's documents."
  parameters: Mapping[str, Any] = {
    "type": "object",
    "properties": {
      "file": {"type": "string", "description": "as documents tells it"},
      "line": {"type": "integer", "description": "the first, from 1 on"},
      "num": {"type": "integer", "description": "lines, 40 if left out"},
    },
    "required": ["file"],
  }

  def __init__(self, library: Library):
    self._library = library

  def match(self, task: str) -> Mapping[str, Any] | None:
    """None: nobody asks for lines in words."""
    return None

  async def call(
    self, context: Context, *, file: str, line: int = 1, num: int = 40
  ) -> AsyncIterator[Finding]:
    """Reads them."""
    if not 1 <= num <= 200:
      raise ValueError(f"num={num} lines must lie in 1 to 200")
    lines = await asyncio.to_thread(
      self._library.read, file, line=line, num=num
    )
    last = line + len(lines) - 1
    text = "\n".join(lines)
    yield Finding(f"{text}\n({file}, lines {line} to {last})")


def cited(hit: Hit, wanted: list[str]) -> str:
  """What a passage says of what is asked for, and where it stands."""
  passage = hit.passage
  lines = passage.text.split("\n")
  at = passage.best_line(wanted)
  text = " ".join(lines)
  if len(text) > _SAID:
    text = " ".join(lines[at - passage.line :])
  if len(text) > _SAID:
    text = text[:_SAID].rsplit(" ", 1)[0] + " ..."
  return f"{text} ({passage.source}, line {at})"
