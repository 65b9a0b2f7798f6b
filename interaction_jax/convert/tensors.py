"""Reading a folder of safetensors files, one tensor at a time."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import ml_dtypes  # noqa: F401  (teaches numpy the name bfloat16)
import numpy as np


class Tensors(Mapping[str, np.ndarray]):
  """The tensors of a folder by name; each is read when asked for.

  Reads `model.safetensors`, or the shards that
  `model.safetensors.index.json` lists.

  Raises:
    FileNotFoundError: there is neither, or a shard is missing.
    ValueError: the index or a shard cannot be read.
  """

  def __init__(self, directory: str | Path):
    self.directory = Path(directory)
    self._file_of = _files(self.directory)

  def __getitem__(self, name: str) -> np.ndarray:
    with _opened(self._file_of[name]) as file:
      return file.get_tensor(name)

  def __iter__(self) -> Iterator[str]:
    return iter(self._file_of)

  def __len__(self) -> int:
    return len(self._file_of)


def _files(directory: Path) -> dict[str, Path]:
  """Which file holds each tensor."""
  index = directory / "model.safetensors.index.json"
  if index.exists():
    return _indexed(index)
  single = directory / "model.safetensors"
  if not single.exists():
    raise FileNotFoundError(
      f"{directory} holds neither model.safetensors nor "
      "model.safetensors.index.json."
    )
  with _opened(single) as file:
    return dict.fromkeys(file.keys(), single)


def _indexed(index: Path) -> dict[str, Path]:
  try:
    listed = json.loads(index.read_text())["weight_map"]
  except (json.JSONDecodeError, KeyError, TypeError) as error:
    raise ValueError(f"{index} is not an index of shards: {error}.") from error
  missing = sorted(
    {name for name in listed.values() if not (index.parent / name).exists()}
  )
  if missing:
    raise FileNotFoundError(
      f"{index.parent} lacks the shards {', '.join(missing)} that "
      f"{index.name} lists."
    )
  held = {}
  for name in set(listed.values()):
    with _opened(index.parent / name) as file:
      held[name] = set(file.keys())
  astray = sorted(k for k, name in listed.items() if k not in held[name])
  if astray:
    raise ValueError(
      f"{index.name} lists tensors that its shards lack: "
      f"{', '.join(astray[:8])}."
    )
  return {key: index.parent / name for key, name in listed.items()}


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
