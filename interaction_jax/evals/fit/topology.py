"""Machines by name, and their devices without the machines.

    v5e:4x8     v5p:2x2x4     v6e:8x8     tpu7x:2x2x2     chips along the axes
    h200:8      gb300:4                                   GPUs of one host

The public `libtpu` compiles for TPUs that are not there, and so does the CUDA
plugin of JAX for GPUs. Nothing that is compiled for such devices can be run.
"""

import dataclasses
import importlib.util
import math
import os
from typing import Any, Final

from interaction_jax.evals.fit import chip as chips
from interaction_jax.evals.fit import gpu
from interaction_jax.evals.fit.chip import Chip

# Without the first, one process locks all others out, though it only compiles.
# The others keep libtpu from asking a cloud where it is.
_ENVIRONMENT: Final = {
  "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
  "TPU_SKIP_MDS_QUERY": "1",
  "TPU_ACCELERATOR_TYPE": "v5litepod-4",
  "TPU_WORKER_HOSTNAMES": "localhost",
  "TPU_WORKER_ID": "0",
}


@dataclasses.dataclass(frozen=True)
class Topology:
  """A machine.

  Attributes:
    chip: of which it is made.
    shape: chips along each axis of a slice.
    num_slices: slices, which are joined by a network and not by links.
  """

  chip: Chip
  shape: tuple[int, ...]
  num_slices: int = 1

  @property
  def name(self) -> str:
    """As `parse` reads it, with the number of slices behind it."""
    name = f"{self.chip.name}:{'x'.join(map(str, self.shape))}"
    return name if self.num_slices == 1 else f"{name} x {self.num_slices}"

  @property
  def num_chips(self) -> int:
    """Chips of all slices."""
    return math.prod(self.shape) * self.num_slices

  @property
  def num_devices(self) -> int:
    """Devices of all slices."""
    return self.num_chips * self.chip.devices_per_chip


def parse(name: str, *, num_slices: int = 1) -> Topology:
  """The machine of that name.

  Raises:
    ValueError: it cannot be read, or is not offered.
  """
  kind, _, size = name.partition(":")
  chip = chips.find(kind)
  sides = size.split("x")
  usual = "8" if chip.platform == "cuda" else "x".join("4" * chip.num_axes)
  if not all(side.isdecimal() and int(side) for side in sides):
    raise ValueError(
      f"--topology={name!r} has no size; {kind}:{usual} is the form."
    )
  shape = tuple(int(side) for side in sides)
  if num_slices < 1:
    raise ValueError(f"--slices={num_slices} must be 1 or more.")
  if chip.platform == "cuda":
    if len(shape) != 1 or shape[0] > gpu.MOST:
      raise ValueError(
        f"--topology={name!r} is not a host of 1 to {gpu.MOST} GPUs; "
        f"{kind}:{usual} is."
      )
  elif not _offered(shape, chip):
    small = ", ".join("x".join(map(str, one)) for one in chip.sizes)
    more = ""
    if chip.num_axes > 2:
      more = (
        f", or sides that are multiples of 4, {chip.most_chips} chips at most"
      )
    raise ValueError(
      f"--topology={name!r} is not a slice that is offered; of {kind} there "
      f"is {small}{more}."
    )
  return Topology(chip, shape, num_slices)


def _offered(shape: tuple[int, ...], chip: Chip) -> bool:
  if len(shape) != chip.num_axes:
    return False
  if shape in chip.sizes:
    return True
  large = chip.num_axes > 2 and all(side % 4 == 0 for side in shape)
  return large and math.prod(shape) <= chip.most_chips


def devices(topology: Topology) -> list[Any]:
  """The devices, for the compiler alone, those of a slice side by side.

  Raises:
    ModuleNotFoundError: what compiles for them is not installed.
  """
  if topology.chip.platform == "cuda":
    return gpu.devices(topology.chip.name, topology.shape[0])
  if importlib.util.find_spec("libtpu") is None:
    raise ModuleNotFoundError("no libtpu", name="libtpu")
  for name, value in _ENVIRONMENT.items():
    os.environ.setdefault(name, value)
  from jax.experimental import topologies

  options: dict[str, Any] = {}
  if math.prod(topology.shape) == 1:
    options["chips_per_host_bounds"] = (1,) * topology.chip.num_axes
  if topology.num_slices > 1:
    options["num_slices"] = topology.num_slices
  size = "x".join(map(str, topology.shape))
  found = topologies.get_topology_desc(
    platform="tpu", topology_name=f"{topology.chip.name}:{size}", **options
  )
  assert len(found.devices) == topology.num_devices, found.devices
  return list(found.devices)
