"""Arrays in files, written and read by Orbax, its failures told in a line."""

import contextlib
import functools
import gc
import logging
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import jax

from interaction_jax.core.params import Params

LEAST_FILE: Final = 4 * 2**20
"""Below it, chunks get smaller than Orbax likes and says so on every array."""

_FAILURES = (LookupError, OSError, RuntimeError, ValueError)


def begin(
  path: Path,
  params: Params,
  *,
  max_file_bytes: int | None = None,
  held_bytes: int | None = None,
) -> Callable[[], None]:
  """Begins to write arrays into a new folder; they may be donated after it.

  Every process of a run calls this.

  Args:
    max_file_bytes: the most that a file may take, `LEAST_FILE` or more.
    held_bytes: of shards that are being written at a time, unless one is
      larger; the arrays must then stay as they are until all is written. None:
      all at once. What lies on other devices than the host's is copied at
      once either way.

  Returns:
    What returns when the files of all processes are there. It raises OSError
    if they could not be written.

  Raises:
    OSError: the folder could not be made.
  """
  from orbax.checkpoint import v1 as ocp

  _drop_late_news()
  context = ocp.Context()
  saving = context.array.saving
  # The names of the writer's devices are of no use to a reader.
  saving.enable_write_sharding_file = False
  if held_bytes is not None:
    # Orbax refuses to write a shard that is as large as what it may hold.
    most = max(held_bytes, 2 * _largest_shard(params))
    context.memory.write_concurrent_bytes = most
  if max_file_bytes is not None:
    # A file is closed once it has reached its target, so it may exceed that
    # by one chunk: half and a quarter stay below the whole.
    saving.ocdbt_target_data_file_size = max_file_bytes // 2
    saving.storage_options.chunk_byte_size = max_file_bytes // 4
  with _quiet(), _as_os_error(), context:
    writing = ocp.save_checkpointables_async(str(path), {"params": params})

  def finish() -> None:
    with _quiet(), _as_os_error():
      writing.result()

  return finish


def read(path: Path, wanted: Params, *, part: bool = False) -> Params:
  """Reads what `begin` wrote.

  Args:
    wanted: a tree of `jax.ShapeDtypeStruct` with shardings.
    part: whether more may be there than is wanted.

  Raises:
    ValueError: it cannot be read.
  """
  from orbax.checkpoint import v1 as ocp

  _drop_late_news()
  context = ocp.Context()
  context.pytree.loading.partial_load = part
  with _quiet(), context, warnings.catch_warnings():
    warnings.filterwarnings(
      "ignore", "coroutine .* was never awaited", RuntimeWarning
    )
    try:
      return ocp.load_checkpointables(str(path), {"params": wanted})["params"]
    except _FAILURES as error:
      line = _innermost(error)
    gc.collect()
  raise ValueError(f"checkpoint {path}: the arrays cannot be read: {line}")


def _largest_shard(params: Params) -> int:
  """Bytes of the largest shard that this process holds."""
  sizes = [0]
  for leaf in jax.tree.leaves(params):
    held = leaf.addressable_shards if isinstance(leaf, jax.Array) else ()
    sizes += [shard.data.nbytes for shard in held]
    sizes.append(0 if held else leaf.nbytes)
  return max(sizes)


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
  try:
    yield
  except _FAILURES as error:
    line = _innermost(error)
  else:
    return
  raise OSError(line)


def _innermost(error: BaseException) -> str:
  """Why Orbax failed: whatever happened, it says "incompatible handler".

  Its reasons run to thousands of lines; the innermost is the news, and of that
  the beginning and the end.
  """
  while error.__cause__ is not None:
    error = error.__cause__
  line = " ".join(str(error).split())
  return line if len(line) <= 300 else f"{line[:120]} ... {line[-175:]}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Keeps to itself what is said of a failure besides the failure.

  Orbax moves all arrays at once. Where one fails it prints where in Orbax it
  was and leaves the others as they are, and Python complains of each of them
  when it is collected.
  """
  orbax, tasks = logging.getLogger("absl"), logging.getLogger("asyncio")
  orbax.addFilter(_not_of_orbax)
  tasks.addFilter(_nothing)
  try:
    yield
  finally:
    orbax.removeFilter(_not_of_orbax)
    tasks.removeFilter(_nothing)


@functools.cache
def _drop_late_news() -> None:
  """Keeps to itself how what Orbax had begun ends, once its failure was told.

  Where one array fails, Orbax closes its event loop under the others, of which
  each then raises where nobody can catch it and Python prints it. Others fail
  as the first did, but later, when nobody asks any more; that asyncio prints.
  """
  before = sys.unraisablehook

  def hook(told: "sys.UnraisableHookArgs") -> None:
    closed = str(told.exc_value) == "Event loop is closed"
    if not (closed and isinstance(told.exc_value, RuntimeError)):
      before(told)

  sys.unraisablehook = hook
  logging.getLogger("asyncio").addFilter(_not_of_its_tasks)


def _not_of_its_tasks(record: logging.LogRecord) -> bool:
  trace = record.exc_info[2] if record.exc_info else None
  where = [frame.filename for frame in traceback.extract_tb(trace)]
  return not any("orbax" in told for told in (record.getMessage(), *where))


def _not_of_orbax(record: logging.LogRecord) -> bool:
  return "orbax" not in record.pathname


def _nothing(record: logging.LogRecord) -> bool:
  return record.levelno >= logging.CRITICAL
