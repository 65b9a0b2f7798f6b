"""Tensors in a folder of safetensors files, described before they are read.

What is read of them are parts, each by `pread` into a buffer, so that neither
a whole tensor nor the pages of a mapped file ever lie in memory.
"""

import contextlib
import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import ml_dtypes
import numpy as np

_DTYPES: Final[Mapping[str, Any]] = {
  "BF16": ml_dtypes.bfloat16,
  "F8_E4M3": ml_dtypes.float8_e4m3fn,
  "F8_E5M2": ml_dtypes.float8_e5m2,
  "BOOL": np.bool_,
  **{f"F{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
  **{f"I{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
  **{f"U{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
}
"""The types of a safetensors file that NumPy has."""

_GAP: Final = 1024
"""Bytes that are read and thrown away sooner than the file is asked again."""


@dataclasses.dataclass(frozen=True)
class Stored:
  """A tensor in a file, or a part of one, its axes in any order.

  Attributes:
    file: in which it lies.
    start: byte of the file at which its first number stands.
    shape, dtype: of the array that `read` gives.
    strides: bytes from one number to the next along each axis, in the file.
  """

  file: Path
  start: int
  shape: tuple[int, ...]
  strides: tuple[int, ...]
  dtype: np.dtype

  @property
  def size(self) -> int:
    """How many numbers it has."""
    return math.prod(self.shape)

  @property
  def bytes_needed(self) -> int:
    """Bytes of its numbers."""
    return self.size * self.dtype.itemsize

  @property
  def bytes_read(self) -> int:
    """Bytes that `read` takes from the file, and the buffer that it needs.

    More than its numbers only where short gaps lie between them.
    """
    if not self.size:
      return 0
    looped, span = self._runs()
    return math.prod(self.shape[axis] for axis in looped) * span

  @property
  def outermost(self) -> int:
    """The axis along which one goes farthest in the file."""
    return self._order()[0]

  def arranged(self, layout: Callable[[np.ndarray], np.ndarray]) -> "Stored":
    """What a layout makes of it: a view, as NumPy would make one.

    Raises:
      IndexError, ValueError: it has not the shape for that.
    """
    if not self.size:
      laid_out = layout(np.empty(self.shape, self.dtype))
      return dataclasses.replace(
        self, shape=laid_out.shape, strides=laid_out.strides
      )
    # Mapped, and never looked into: only where things stand is asked.
    whole = np.memmap(self.file, self.dtype, "r", self.start, self.shape)
    view = layout(whole)
    assert np.may_share_memory(whole, view), "a layout moves axes, not numbers"
    start = self.start + _address(view) - _address(whole)
    return dataclasses.replace(
      self, start=start, shape=view.shape, strides=view.strides
    )

  def part(self, index: tuple[slice, ...]) -> "Stored":
    """The part that slices of step 1 pick, one for each axis."""
    spans = [
      range(*one.indices(size))
      for one, size in zip(index, self.shape, strict=True)
    ]
    offset = sum(
      span.start * stride
      for span, stride in zip(spans, self.strides, strict=True)
    )
    return dataclasses.replace(
      self,
      start=self.start + offset,
      shape=tuple(len(span) for span in spans),
    )

  def read(self, buffer: np.ndarray | None = None) -> np.ndarray:
    """Its numbers, in memory in the order in which they stand in the file.

    Args:
      buffer: uint8, at least `bytes_read` long, for what is read; None: one of
        its own. The result looks into it.

    Raises:
      ValueError: the file has become shorter.
    """
    if not self.size:
      return np.empty(self.shape, self.dtype)
    looped, span = self._runs()
    if buffer is None:
      buffer = np.empty(self.bytes_read, np.uint8)
    strides = list(self.strides)
    room = span
    for axis in reversed(looped):
      strides[axis] = room
      room *= self.shape[axis]
    places = [
      np.arange(self.shape[axis]) * self.strides[axis] for axis in looped
    ]
    starts = np.zeros((), np.int64)
    for place in places:
      starts = np.add.outer(starts, place)
    _pread(self.file, (self.start + starts).reshape(-1).tolist(), span, buffer)
    return np.ndarray(self.shape, self.dtype, buffer, 0, tuple(strides))

  def _order(self) -> list[int]:
    """The axes from the farthest step in the file to the nearest."""
    return sorted(
      range(len(self.shape)),
      key=lambda axis: (self.shape[axis] == 1, -self.strides[axis]),
    )

  def _runs(self) -> tuple[list[int], int]:
    """The axes that are gone along, and the bytes that are read at a time."""
    looped, span = self._order(), self.dtype.itemsize
    while looped:
      size, step = self.shape[looped[-1]], self.strides[looped[-1]]
      if size > 1 and step - span > _GAP:
        break
      span += (size - 1) * step
      looped.pop()
    return looped, span


class Tensors(Mapping[str, Stored]):
  """The tensors of a folder by name; none is read.

  Takes `model.safetensors`, or the shards that
  `model.safetensors.index.json` lists.

  Raises:
    FileNotFoundError: there is neither, or a shard is missing.
    ValueError: the index or a shard cannot be read.
  """

  def __init__(self, directory: str | Path):
    self.directory = Path(directory)
    self._stored = _found(self.directory)

  def __getitem__(self, name: str) -> Stored:
    return self._stored[name]

  def __iter__(self) -> Iterator[str]:
    return iter(self._stored)

  def __len__(self) -> int:
    return len(self._stored)


def _pread(file: Path, starts: list[int], span: int, buffer: Any) -> None:
  """Reads runs of one length into a buffer, one after the other."""
  into = memoryview(buffer)
  descriptor = os.open(file, os.O_RDONLY)
  try:
    for number, start in enumerate(starts):
      left = into[number * span : (number + 1) * span]
      # A call gives 2 GiB at most, and may give less.
      while got := os.preadv(descriptor, [left], start):
        if got == len(left):
          break
        left, start = left[got:], start + got
      else:
        raise ValueError(f"{file} ends at {start}, before its last tensor.")
  finally:
    os.close(descriptor)


def _address(array: np.ndarray) -> int:
  return array.__array_interface__["data"][0]


def _found(directory: Path) -> dict[str, Stored]:
  """Where each tensor lies."""
  index = directory / "model.safetensors.index.json"
  if index.exists():
    return _indexed(index)
  single = directory / "model.safetensors"
  if not single.exists():
    raise FileNotFoundError(
      f"{directory} holds neither model.safetensors nor "
      "model.safetensors.index.json."
    )
  return _header(single)


def _indexed(index: Path) -> dict[str, Stored]:
  try:
    listed = json.loads(index.read_text())["weight_map"]
    shards = sorted(set(listed.values()))
    missing = [name for name in shards if not (index.parent / name).is_file()]
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise ValueError(f"{index} is not an index of shards: {error}.") from error
  if missing:
    raise FileNotFoundError(
      f"{index.parent} lacks the shards {', '.join(missing)} that "
      f"{index.name} lists."
    )
  held = {name: _header(index.parent / name) for name in shards}
  astray = sorted(k for k, name in listed.items() if k not in held[name])
  if astray:
    raise ValueError(
      f"{index.name} lists tensors that its shards lack: "
      f"{', '.join(astray[:8])}."
    )
  # Nothing that a shard holds goes unseen, whether it is listed or not.
  found = {key: name for name, keys in held.items() for key in sorted(keys)}
  return {key: held[name][key] for key, name in (found | listed).items()}


def _header(file: Path) -> dict[str, Stored]:
  """What a file says of itself: its length, then a JSON object, then numbers.

  Reference: the format is described with the `safetensors` package, which is
  asked whether all of it is in order.
  """
  with _opened(file):
    pass
  with file.open("rb") as stream:
    length = int.from_bytes(stream.read(8), "little")
    told = json.loads(stream.read(length))
  found = {}
  for name, entry in told.items():
    if name == "__metadata__":
      continue
    if entry["dtype"] not in _DTYPES:
      raise ValueError(
        f"{file}: {name} holds {entry['dtype']}; {', '.join(_DTYPES)} can be "
        "read."
      )
    dtype = np.dtype(_DTYPES[entry["dtype"]])
    shape = tuple(entry["shape"])
    strides = tuple(
      dtype.itemsize * math.prod(shape[axis + 1 :])
      for axis in range(len(shape))
    )
    start = 8 + length + entry["data_offsets"][0]
    found[name] = Stored(file, start, shape, strides, dtype)
  return found


@contextlib.contextmanager
def _opened(path: Path):
  import safetensors

  try:
    with safetensors.safe_open(path, framework="numpy") as file:
      yield file
  except safetensors.SafetensorError as error:
    raise ValueError(
      f"{path} is not a whole safetensors file: {error}."
    ) from error
