"""Checkpoints: a folder whose every byte is accounted for.

```
config.json      what the model is, as plain JSON
tokenizer.json   optional
extra.json       optional: anything else the writer wants back
params/          the arrays, written by Orbax, beside two files of its own
MANIFEST.json    size and SHA-256 of every file above, and every array's shape
```

Orbax does not notice a changed byte, so the manifest is checked before any
array is read. A folder is written under another name and renamed when it is
whole: whatever is killed, and whenever, a complete checkpoint stays.
"""

import concurrent.futures
import contextlib
import dataclasses
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from interaction_jax.core import manifest, storage
from interaction_jax.core.params import Params
from interaction_jax.core.sharding import by_name, nested

_CONFIG, _TOKENIZER, _EXTRA = "config.json", "tokenizer.json", "extra.json"

_HELD = 2**31
"""Bytes of arrays that `save` writes at a time."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
  """What a checkpoint holds.

  Attributes:
    params: a nested dict of arrays.
    config: what was passed to `save`, as JSON gives it back.
    tokenizer: the bytes of its file, if there is one.
    extra: as `config`, if there is any.
  """

  params: Params
  config: dict[str, Any]
  tokenizer: bytes | None = None
  extra: dict[str, Any] | None = None


class Saving:
  """A save in progress."""

  def __init__(self, path: Path, written: concurrent.futures.Future[None]):
    self.path = path
    self._written = written

  def done(self) -> bool:
    """Whether this process has nothing left to write.

    Raises:
      OSError: it could not be written.
    """
    if not self._written.done():
      return False
    self._written.result()
    return True

  def wait(self) -> None:
    """Returns when the checkpoint lies at its path, for every process.

    Every process of a run calls this.

    Raises:
      OSError: it could not be written.
    """
    self._written.result()
    _meet("saved")


def save(
  path: str | os.PathLike[str],
  params: Params,
  *,
  config: Mapping[str, Any],
  tokenizer: bytes | None = None,
  extra: Mapping[str, Any] | None = None,
  overwrite: bool = False,
  max_file_bytes: int | None = None,
) -> None:
  """Writes a checkpoint, all of it or nothing.

  Every process of a run calls this, with a path that all of them see; one
  path has one writer at a time. What an earlier, killed save left beside
  `path` is removed.

  Args:
    overwrite: whether a checkpoint at `path` is replaced. Anything else that
      lies there never is.
    max_file_bytes: the most that a file of arrays may take, 4 MiB or more;
      by default about 2 GB.

  Raises:
    FileExistsError: `path` is taken.
    OSError: it could not be written, as where a disk is full. What lay at
      `path` before is intact.
    TypeError: `config` or `extra` is not JSON.
    ValueError: `params` is no nested dict of arrays, or `max_file_bytes` is
      too small.
  """
  _begin(
    path,
    params,
    config=config,
    tokenizer=tokenizer,
    extra=extra,
    overwrite=overwrite,
    max_file_bytes=max_file_bytes,
    # Nobody donates them before it returns, so copies need not be all there.
    held_bytes=_HELD,
  ).wait()


def begin(
  path: str | os.PathLike[str],
  params: Params,
  *,
  config: Mapping[str, Any],
  tokenizer: bytes | None = None,
  extra: Mapping[str, Any] | None = None,
  overwrite: bool = False,
  max_file_bytes: int | None = None,
) -> Saving:
  """As `save`, but returns once the arrays are copied off their devices.

  They may be donated from then on; a thread writes the copies. One save is in
  progress at a time.

  Raises:
    FileExistsError, OSError, TypeError, ValueError: as `save`; what happens to
      the thread is raised by `Saving`.
  """
  return _begin(
    path,
    params,
    config=config,
    tokenizer=tokenizer,
    extra=extra,
    overwrite=overwrite,
    max_file_bytes=max_file_bytes,
    held_bytes=None,
  )


def _begin(
  path: str | os.PathLike[str],
  params: Params,
  *,
  config: Mapping[str, Any],
  tokenizer: bytes | None,
  extra: Mapping[str, Any] | None,
  overwrite: bool,
  max_file_bytes: int | None,
  held_bytes: int | None,
) -> Saving:
  path = Path(path).absolute()
  arrays = _arrays(params)
  texts = {_CONFIG: manifest.to_json(config)}
  if tokenizer is not None:
    texts[_TOKENIZER] = tokenizer
  if extra is not None:
    texts[_EXTRA] = manifest.to_json(extra)
  if max_file_bytes is not None and max_file_bytes < storage.LEAST_FILE:
    raise ValueError(
      f"max_file_bytes={max_file_bytes} is too small; {storage.LEAST_FILE} "
      "(4 MiB) is the least, 16777216 (16 MiB) suits most hosts."
    )
  first = jax.process_index() == 0
  if first:
    path.parent.mkdir(parents=True, exist_ok=True)
    _settle(path)
  _meet("settled")
  check_free(path, overwrite=overwrite)
  _meet("checked")
  draft = _beside(path, "saving")
  # What was computed late and failed would leave Orbax waiting for ever.
  tree = jax.block_until_ready(nested(arrays))
  with _reported(path, draft):
    writing = storage.begin(
      draft, tree, max_file_bytes=max_file_bytes, held_bytes=held_bytes
    )
  listed = {
    name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)
    for name, leaf in arrays.items()
  }

  def write() -> None:
    with _reported(path, draft):
      writing()
      if first:
        # It holds the writer's path, and no reader asks for it.
        (draft / "commit_success.txt").unlink(missing_ok=True)
        for name, content in texts.items():
          (draft / name).write_bytes(content)
        manifest.write(draft, listed)
        _swap(draft, path)

  thread = concurrent.futures.ThreadPoolExecutor(1, "checkpoint")
  saving = Saving(path, thread.submit(write))
  thread.shutdown(wait=False)
  return saving


def load(
  path: str | os.PathLike[str],
  *,
  shardings: Any = None,
  expect: Any = None,
  dtype: Any = None,
  made: Mapping[str, Callable[[jax.Array], Any]] | None = None,
  verify: bool = True,
) -> Checkpoint:
  """Reads a checkpoint, onto any mesh.

  Args:
    shardings: a tree like the parameters, of where each goes; by default all
      go to one device.
    expect: a tree of `jax.ShapeDtypeStruct`: names and shapes that the
      parameters must have.
    dtype: of floating-point parameters once read; by default as stored.
    made: what becomes of some parameters, by name. Those are read one by one,
      so that never two of them lie there as they were.
    verify: whether every file is compared with its SHA-256. Without it only
      presence and size are.

  Raises:
    FileNotFoundError: nothing lies at `path`.
    ValueError: it is no checkpoint, is damaged, does not hold what `expect`
      asks for, or `shardings` or `made` is for other parameters.
  """
  path = _find(path)
  listed = manifest.read(path)
  problems = list(manifest.damage(path, listed, digests=verify))
  if problems:
    more = f" ({len(problems) - 1} more files too)" if problems[1:] else ""
    raise ValueError(f"checkpoint {path}: {problems[0]}{more}.")
  stored = {
    name: jax.ShapeDtypeStruct(tuple(entry["shape"]), entry["dtype"])
    for name, entry in listed["params"].items()
  }
  if expect is not None:
    _check_expected(path, stored, by_name(expect))
  wanted = _placed(path, stored, shardings, dtype)
  extra = path / _EXTRA
  tokenizer = path / _TOKENIZER
  return Checkpoint(
    params=_read(path, wanted, made or {}),
    config=json.loads((path / _CONFIG).read_bytes()),
    tokenizer=tokenizer.read_bytes() if tokenizer.exists() else None,
    extra=json.loads(extra.read_bytes()) if extra.exists() else None,
  )


def _read(
  path: Path,
  wanted: dict[str, jax.ShapeDtypeStruct],
  made: Mapping[str, Callable[[jax.Array], Any]],
) -> Params:
  if not made:
    return storage.read(path, nested(wanted))
  unknown = sorted(made.keys() - wanted.keys())
  if unknown:
    raise ValueError(
      f"made is not for checkpoint {path}: {_some('unknown', unknown)}."
    )
  whole = {name: leaf for name, leaf in wanted.items() if name not in made}
  read = by_name(storage.read(path, nested(whole), part=True))
  for name, make in made.items():
    alone = storage.read(path, nested({name: wanted[name]}), part=True)
    read[name] = jax.block_until_ready(make(*jax.tree.leaves(alone)))
  return nested(read)


def check_free(path: str | os.PathLike[str], *, overwrite: bool) -> None:
  """Raises unless a checkpoint may be written at `path`.

  `save` asks for itself; it is for those who have long to do before they save.

  Raises:
    FileExistsError: `path` is taken.
    NotADirectoryError: it lies below a file.
    PermissionError: nothing may be written where it would lie.
  """
  path = Path(path).absolute()
  above = next(one for one in path.parents if one.exists())
  if not above.is_dir():
    raise NotADirectoryError(f"{path} lies below {above}, which is a file.")
  if not os.access(above, os.W_OK | os.X_OK):
    raise PermissionError(f"{path} cannot be made: {above} may not be changed.")
  if not path.exists():
    return
  if not (path / manifest.NAME).is_file():
    raise FileExistsError(
      f"{path} is not a checkpoint and is left alone; choose another path."
    )
  if not overwrite:
    raise FileExistsError(
      f"{path} is a checkpoint already; overwrite=True replaces it."
    )


def inspect(path: str | os.PathLike[str]) -> dict[str, Any]:
  """What a checkpoint is, without reading its arrays.

  Returns:
    `config` (None where it cannot be read), `intact`, `problems` (a line for
    each damaged file), `files` and `bytes` (how many), `parameters` (how many
    numbers), `created`.

  Raises:
    FileNotFoundError: nothing lies at `path`.
  """
  path = _find(path)
  report: dict[str, Any] = {
    "config": None, "intact": False, "problems": [], "files": 0, "bytes": 0,
    "parameters": 0, "created": None,
  }  # fmt: skip
  try:
    listed = manifest.read(path)
  except ValueError as error:
    return report | {"problems": [str(error)]}
  problems = list(manifest.damage(path, listed))
  if not any(line.startswith(_CONFIG) for line in problems):
    report["config"] = json.loads((path / _CONFIG).read_bytes())
  files, params = listed["files"], listed["params"]
  return report | {
    "intact": not problems,
    "problems": problems,
    "files": len(files),
    "bytes": sum(entry["bytes"] for entry in files.values()),
    "parameters": sum(math.prod(entry["shape"]) for entry in params.values()),
    "created": listed["created"],
  }


def _arrays(params: Params) -> dict[str, Any]:
  """The arrays by name, if `params` can be told from their names again."""
  named = by_name(params)
  for name, leaf in named.items():
    if not isinstance(leaf, jax.Array | np.ndarray | np.generic):
      raise ValueError(
        f"params {name}: {leaf!r} is no array; jnp.asarray makes it one."
      )
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
      raise ValueError(
        f"params {name} is a random key; jax.random.key_data gives its numbers."
      )
    narrow = jax.dtypes.canonicalize_dtype(leaf.dtype)
    if leaf.dtype != narrow:
      raise ValueError(
        f"params {name} is {leaf.dtype}, which JAX would read back as "
        f"{narrow}; convert it first."
      )
  # Orbax refuses numpy scalars.
  arrays = {
    name: np.asarray(leaf) if isinstance(leaf, np.generic) else leaf
    for name, leaf in named.items()
  }
  if jax.tree.structure(nested(arrays)) != jax.tree.structure(params):
    raise ValueError(
      "params must be dicts of dicts of arrays, keys being strings without "
      f"'/' and no dict empty; these are {jax.tree.structure(params)}."[:400]
    )
  return arrays


def _beside(path: Path, role: str) -> Path:
  """Where a save in progress lies, or the checkpoint it replaces."""
  return path.with_name(f".{path.name}.{role}")


def _settle(path: Path) -> None:
  """Ends what a killed save began: the old checkpoint stands, drafts go."""
  old = _beside(path, "old")
  if old.exists() and not path.exists():
    old.rename(path)
  shutil.rmtree(old, ignore_errors=True)
  _remove(_beside(path, "saving"))


def _remove(draft: Path) -> None:
  # The second name is the one that Orbax writes under before it renames.
  for left in (draft, Path(f"{draft}.orbax-checkpoint-tmp")):
    shutil.rmtree(left, ignore_errors=True)


def _swap(draft: Path, path: Path) -> None:
  """Puts `draft` in the place of `path`.

  A folder cannot replace another in one step. Between the two steps `_find`
  and `_settle` know where the old one is.
  """
  old = _beside(path, "old")
  if path.exists():
    path.rename(old)
  draft.rename(path)
  shutil.rmtree(old, ignore_errors=True)


def _find(path: str | os.PathLike[str]) -> Path:
  path = Path(path).absolute()
  if path.exists():
    return path
  if _beside(path, "old").exists():
    return _beside(path, "old")
  raise FileNotFoundError(f"There is no checkpoint at {path}.")


def _check_expected(
  path: Path, stored: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
  missing = sorted(wanted.keys() - stored.keys())
  unknown = sorted(stored.keys() - wanted.keys())
  if missing or unknown:
    raise ValueError(
      f"checkpoint {path} is of another model: {_some('missing', missing)}, "
      f"{_some('unknown', unknown)}."
    )
  for name, leaf in wanted.items():
    if stored[name].shape != tuple(leaf.shape):
      raise ValueError(
        f"checkpoint {path} is of another model: {name} has the shape "
        f"{stored[name].shape}, wanted is {tuple(leaf.shape)}."
      )


def _some(what: str, names: list[str]) -> str:
  more = f" and {len(names) - 8} more" if names[8:] else ""
  return f"{what} {', '.join(names[:8]) or 'none'}{more}"


def _placed(
  path: Path, stored: Mapping[str, Any], shardings: Any, dtype: Any
) -> dict[str, jax.ShapeDtypeStruct]:
  """What to read: shapes, with the wanted types and places."""
  if shardings is None:
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    places = dict.fromkeys(stored, device)
  else:
    places = by_name(shardings)
  if places.keys() != stored.keys():
    missing = sorted(stored.keys() - places.keys())
    unknown = sorted(places.keys() - stored.keys())
    raise ValueError(
      f"shardings are not for checkpoint {path}: {_some('missing', missing)}, "
      f"{_some('unknown', unknown)}."
    )
  wanted = {}
  for name, leaf in stored.items():
    floating = jnp.issubdtype(leaf.dtype, jnp.floating)
    kind = dtype if dtype is not None and floating else leaf.dtype
    wanted[name] = jax.ShapeDtypeStruct(leaf.shape, kind, sharding=places[name])
  return wanted


@contextlib.contextmanager
def _reported(path: Path, draft: Path) -> Iterator[None]:
  """Says in a line that a checkpoint was not written, and frees its space."""
  try:
    yield
  except OSError as error:
    reason = " ".join(str(error).split())
  else:
    return
  if jax.process_index() == 0:
    _remove(draft)
  raise OSError(
    f"checkpoint {path} could not be written: {reason}. What was saved before "
    "is intact."
  )


def _meet(point: str) -> None:
  """Waits until all processes are here."""
  if jax.process_count() > 1:
    from jax.experimental import multihost_utils

    multihost_utils.sync_global_devices(f"interaction_jax/checkpoint/{point}")
