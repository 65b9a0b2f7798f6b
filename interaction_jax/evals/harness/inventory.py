"""Whether the data of a benchmark is all there and whole, before anything runs.

A loader asks for each file through an `Inventory`, which notes what is
missing, damaged, cut short, or too much. It goes through all of it, so that
one list names everything.
"""

import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

_SHOWN: Final = 40
"""Problems that a message names; a report has them all."""


class Inventory:
  """Goes through a folder of data.

  Attributes:
    root: the folder.
    problems: a line each: the file, and what is wrong with it.
    left_out: items that cannot be used, by name.
  """

  def __init__(self, root: Path):
    self.root = root
    self.problems: list[str] = []
    self.left_out: list[str] = []

  def note(self, path: str | Path, what: str) -> None:
    """Notes a problem."""
    self.problems.append(f"{path}: {what}")

  def leave_out(self, item: str) -> None:
    """Notes that an item cannot be used."""
    self.left_out.append(item)

  def sound(self, path: str) -> float | None:
    """The seconds of a file of sound; None: it cannot be used."""
    import soundfile

    file = self._existing(path)
    if file is None:
      return None
    try:
      with soundfile.SoundFile(file) as opened:
        rate, wanted, num = opened.samplerate, opened.frames, 0
        for block in opened.blocks(1 << 16, dtype="float32"):
          num += len(block)
    except soundfile.SoundFileError as error:
      return self.note(path, f"corrupt, it cannot be read as sound ({error})")
    missing = _missing_bytes(file)
    if missing or num < wanted:
      return self.note(
        path, f"truncated, {missing or wanted - num} bytes or samples missing"
      )
    if not num:
      return self.note(path, "empty, it has no samples")
    return num / rate

  def json(self, path: str, *, lines: bool = False) -> Any:
    """What a file of JSON holds; None: it cannot be used.

    Args:
      lines: whether each line is a value of its own.
    """
    file = self._existing(path)
    if file is None:
      return None
    try:
      text = file.read_text(encoding="utf-8")
      if lines:
        return [json.loads(one) for one in text.splitlines() if one.strip()]
      return json.loads(text)
    except (ValueError, UnicodeDecodeError) as error:
      return self.note(path, f"corrupt, it is no JSON ({error})")

  def video(self, path: str) -> float | None:
    """The seconds of a video; None: it cannot be used."""
    import av
    import av.error

    file = self._existing(path)
    if file is None:
      return None
    try:
      with av.open(str(file)) as container:
        if not container.streams.video:
          return self.note(path, "corrupt, it has no pictures")
        wanted = (container.duration or 0) / 1e6
        end = 0.0
        for packet in container.demux(container.streams.video[0]):
          if packet.pts is not None and packet.time_base is not None:
            length = (packet.duration or 0) * packet.time_base
            end = max(end, float(packet.pts * packet.time_base + length))
    except av.error.FFmpegError as error:
      return self.note(path, f"corrupt, it cannot be read as video ({error})")
    if end < 0.9 * wanted - 0.5:
      return self.note(path, f"truncated, {end:.1f} s of {wanted:.1f} s")
    return max(end, wanted)

  def count(self, what: str, found: int, official: int) -> None:
    """Notes that there are fewer than the official release has, or more."""
    if found < official:
      self.note(what, f"missing, {found} of {official} are there")
    elif found > official:
      self.note(what, f"extra, {found} are there and {official} are official")

  def extra(self, folder: str, known: Iterable[str]) -> None:
    """Notes what lies in a folder and belongs to nothing."""
    place, known = self.root / folder, set(known)
    if place.is_dir():
      for path in sorted(place.iterdir()):
        if path.name not in known and not path.name.startswith("."):
          self.note(path.relative_to(self.root), "extra, it belongs to nothing")

  def require(self, *, allow_missing: bool) -> None:
    """Refuses what is not whole, unless that is allowed.

    Raises:
      ValueError: there are problems.
    """
    if self.problems and not allow_missing:
      shown = "; ".join(self.problems[:_SHOWN])
      more = len(self.problems) - _SHOWN
      shown += f"; and {more} more" if more > 0 else ""
      raise ValueError(
        f"{self.root} is not whole ({len(self.problems)} problems): {shown}. "
        "--allow-missing goes on without what cannot be used."
      )

  def _existing(self, path: str) -> Path | None:
    file = self.root / path
    if not file.is_file():
      self.note(path, "missing")
      return None
    if not file.stat().st_size:
      self.note(path, "empty, it has no bytes")
      return None
    return file


def numbered(folder: Path) -> list[str]:
  """The folders in a folder, numbers in their order and before names."""
  if not folder.is_dir():
    return []
  names = [path.name for path in folder.iterdir() if path.is_dir()]
  names = [name for name in names if not name.startswith(".")]
  return sorted(names, key=lambda n: (not n.isdecimal(), len(n) if n.isdecimal()
                                      else 0, n))  # fmt: skip


def _missing_bytes(file: Path) -> int:
  """Bytes that the header of a WAV file promises and that are not there.

  What reads such files makes up for it silently.
  """
  size = file.stat().st_size
  with file.open("rb") as opened:
    if opened.read(4) != b"RIFF" or opened.seek(8) != 8:
      return 0
    if opened.read(4) != b"WAVE":
      return 0
    while len(head := opened.read(8)) == 8:
      name, length = struct.unpack("<4sI", head)
      if name == b"data":
        # Writers that stream leave the length open.
        promised = 0 if length in (0, 0xFFFFFFFF) else opened.tell() + length
        return max(0, promised - size)
      opened.seek(length + length % 2, 1)
  return 0
