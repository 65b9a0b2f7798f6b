"""GPUs that are not there, described to their compiler.

The CUDA plugin of JAX compiles for a GPU that it is told of in numbers. What
comes out is the memory of a program: the compiler gives no costs for GPUs, and
it chooses its products untuned, since there is nothing to try them on.
"""

import dataclasses
import importlib.util
import os
from typing import Any, Final

MOST: Final = 72
"""GPUs that one set of links joins."""

# Trying products out needs a GPU.
_FLAG: Final = "--xla_gpu_autotune_level=0"


@dataclasses.dataclass(frozen=True)
class Card:
  """What the compiler asks of a GPU.

  Attributes:
    capability: the generation, as CUDA counts.
    memory: bytes, all of them.
    cache: bytes of the cache that all cores share.
    clock_ghz: at its fastest.
    bytes_per_s: of its memory.
  """

  name: str
  capability: tuple[int, int]
  num_cores: int
  memory: int
  cache: int
  clock_ghz: float
  bytes_per_s: int


CARDS: Final[dict[str, Card]] = {
  "h200": Card(
    "NVIDIA H200", (9, 0), 132, 151_397_597_184, 52_428_800, 1.98, 4_800 * 10**9
  ),
  "gb300": Card(
    "NVIDIA GB300", (10, 3), 152, 297_021_079_552, 135_528_448, 2.07,
    7_928 * 10**9,
  ),
}  # fmt: skip
"""GPUs by the name that opens a topology."""


def devices(name: str, count: int) -> list[Any]:
  """GPUs of one host, for the compiler alone.

  Raises:
    ModuleNotFoundError: the CUDA plugin of JAX is not installed.
  """
  if importlib.util.find_spec("jax_cuda12_plugin") is None:
    raise ModuleNotFoundError("no CUDA plugin", name="jax_cuda12_plugin")
  flags = os.environ.get("XLA_FLAGS", "")
  if _FLAG not in flags:
    os.environ["XLA_FLAGS"] = f"{flags} {_FLAG}".strip()
  from jax.experimental import topologies

  found = topologies.get_topology_desc(
    platform="cuda",
    topology_name="",
    target_config=describe(CARDS[name]),
    topology=f"1x1x{count}",
  )
  return list(found.devices)


def describe(card: Card) -> str:
  """A card as the compiler reads it, a message in text form.

  What is not said of it are limits that all of these generations share.
  """
  major, minor = card.capability
  fields = {
    "threads_per_block_limit": 1024,
    "threads_per_warp": 32,
    "shared_memory_per_block": 49_152,
    "shared_memory_per_core": 233_472,
    "shared_memory_per_block_optin": 232_448,
    "threads_per_core_limit": 2048,
    "core_count": card.num_cores,
    "fpus_per_core": 128,
    "block_dim_limit_x": 2**31 - 1,
    "block_dim_limit_y": 2**16 - 1,
    "block_dim_limit_z": 2**16 - 1,
    "memory_bandwidth": card.bytes_per_s,
    "l2_cache_size": card.cache,
    "clock_rate_ghz": card.clock_ghz,
    "device_memory_size": card.memory,
    "registers_per_core_limit": 65_536,
    "registers_per_block_limit": 65_536,
    "thread_dim_limit_x": 1024,
    "thread_dim_limit_y": 1024,
    "thread_dim_limit_z": 64,
  }
  lines = [f"{key}: {value}" for key, value in fields.items()]
  lines.append(
    f"cuda_compute_capability {{ major: {major} minor: {minor} "
    "feature_extension: ACCELERATED_FEATURES }"
  )
  lines.append(f'name: "{card.name}" device_vendor: "NVIDIA Corporation"')
  # Versions of what a GPU would be driven with; features hang on them.
  lines.append('driver_version: "12.9.0" runtime_version: "12.9.0"')
  body = " ".join(lines)
  return (
    f'gpu_device_info {{ {body} }} platform_name: "CUDA" '
    "dnn_version_info { major: 9 minor: 10 patch: 0 } "
    f'device_description_str: "{card.name}"'
  )
