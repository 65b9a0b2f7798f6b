"""What a session was run on: the bits that it made hold there."""

import functools
import hashlib
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import jax

_PACKAGE: Final = Path(__file__).parent.parent

PROGRAMS: Final = ("core", "ops", "turns", "model")
"""Rooms whose source a program is made from."""


def describe() -> dict[str, Any]:
  """The platform, the devices, the versions and the source, as JSON."""
  devices = jax.devices()
  return {
    "system": f"{platform.system()} {platform.machine()}",
    "processor": _processor(),
    "cores": cores(),
    "device": devices[0].device_kind,
    "devices": len(devices),
    "xla_flags": os.environ.get("XLA_FLAGS", ""),
    "python": platform.python_version(),
    **{name: _version(name) for name in ("jax", "jaxlib", "numpy")},
    "interaction_jax": _version("interaction-jax"),
    "source": source((*PROGRAMS, "serve")),
  }


def cores() -> int:
  """How many this process may use."""
  if hasattr(os, "sched_getaffinity"):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


@functools.cache
def source(rooms: tuple[str, ...]) -> str:
  """A digest of our own source, which changes often between two versions."""
  digest = hashlib.sha256()
  for room in rooms:
    for file in sorted((_PACKAGE / room).rglob("*.py")):
      digest.update(file.relative_to(_PACKAGE).as_posix().encode())
      digest.update(file.read_bytes())
  return digest.hexdigest()[:16]


def _processor() -> str:
  cpus = Path("/proc/cpuinfo")
  if cpus.is_file():
    for line in cpus.read_text().splitlines():
      if line.startswith("model name"):
        return line.partition(":")[2].strip()
  return platform.processor()


def _version(package: str) -> str:
  try:
    return metadata.version(package)
  except metadata.PackageNotFoundError:
    return "not installed"
