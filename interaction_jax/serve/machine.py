"""What a session was run on: the bits that it made hold there."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import jax


def describe() -> dict[str, Any]:
  """The platform, the devices and the versions, as JSON holds them."""
  devices = jax.devices()
  return {
    "system": f"{platform.system()} {platform.machine()}",
    "processor": _processor(),
    "cores": len(os.sched_getaffinity(0))
    if hasattr(os, "sched_getaffinity")
    else os.cpu_count(),
    "device": devices[0].device_kind,
    "devices": len(devices),
    "xla_flags": os.environ.get("XLA_FLAGS", ""),
    "python": platform.python_version(),
    **{name: _version(name) for name in ("jax", "jaxlib", "numpy")},
    "interaction_jax": _version("interaction-jax"),
  }


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
