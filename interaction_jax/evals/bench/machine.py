"""What a benchmark ran on, what it compiled, and what memory it took."""

import contextlib
import datetime
import os
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import jax

from interaction_jax.serve import machine

_PEERS: Final = ("librosa", "numba", "torch", "transformers")

_CPUS: Final = Path("/proc/cpuinfo")

_VECTORS: Final = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")

_COMPILED: Final = "/jax/core/compile/backend_compile_duration"
"""The event by which JAX tells that it compiled a program."""


def describe() -> dict[str, Any]:
  """The platform, the versions, and how busy the machine is, for JSON."""
  peers = {}
  for name in _PEERS:
    with contextlib.suppress(metadata.PackageNotFoundError):
      peers[name] = metadata.version(name)
  memory = memory_bytes()
  now = datetime.datetime.now(datetime.UTC)
  return {
    **machine.describe(),
    **peers,
    "vectors": vectors(),
    "glibc_tunables": os.environ.get("GLIBC_TUNABLES", ""),
    "memory_gib": None if memory is None else round(memory / 2**30, 1),
    "load": round(os.getloadavg()[0], 2),
    "date": now.isoformat(timespec="seconds"),
  }


def vectors() -> str:
  """The instructions on vectors that decide how fast products are.

  A processor's name does not tell: a virtual machine may hide some. Without
  `avx512_bf16` or `amx_bf16`, products in bfloat16 are made of others.
  """
  if not _CPUS.is_file():
    return ""
  for line in _CPUS.read_text().splitlines():
    if line.startswith(("flags", "Features")):
      flags = line.partition(":")[2].split()
      return " ".join(name for name in _VECTORS if name in flags)
  return ""


def memory_bytes() -> int | None:
  """The memory of the machine; None where it does not say."""
  try:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
  except (OSError, ValueError):
    return None


def resident_bytes() -> int:
  """The memory that this process holds: now, or where unknown at its peak."""
  pages = Path("/proc/self/statm")
  if pages.is_file():
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
  import resource

  # macOS counts bytes, all others kilobytes.
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return peak * (1 if sys.platform == "darwin" else 1024)


@contextlib.contextmanager
def compilations() -> Iterator[list[str]]:
  """Lists the programs that are compiled meanwhile, by name."""
  names: list[str] = []

  def hear(event: str, duration_secs: float, **about: Any) -> None:
    del duration_secs
    if event == _COMPILED:
      names.append(str(about.get("fun_name", "unnamed")))

  jax.monitoring.register_event_duration_secs_listener(hear)
  try:
    yield names
  finally:
    jax.monitoring.unregister_event_duration_listener(hear)
