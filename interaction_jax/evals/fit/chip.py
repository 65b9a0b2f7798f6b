"""What one device of a machine can hold and do: the makers' numbers.

A device is what JAX counts as one: a chip of v5e, v5p and v6e, a core of 7x,
a GPU. Capacities are what the compiler lets a program use. Links are those to
neighbours on the torus of one slice.
"""

import dataclasses
from typing import Final, Literal

from interaction_jax.core import settings
from interaction_jax.evals.fit import gpu

_GIB: Final = 2**30


@dataclasses.dataclass(frozen=True)
class Chip:
  """One device.

  Attributes:
    name: as it opens the name of a topology.
    platform: the compiler that knows it.
    capacity: bytes of memory that a program may use.
    flops_per_s: of products in bfloat16.
    bytes_per_s: of its memory.
    clock_hz: by which the compiler's cycles become time; 0: it tells none.
    link_bytes_per_s: of one link, one way; 0: not known.
    num_axes: axes of the torus, with two links each.
    devices_per_chip: devices that share a chip.
    sizes: chips along the axes of slices that are offered; of larger tori
      every side is a multiple of four.
    most_chips: of a slice.
  """

  name: str
  platform: Literal["tpu", "cuda"]
  capacity: int
  flops_per_s: float
  bytes_per_s: float
  clock_hz: float = 0.0
  link_bytes_per_s: float = 0.0
  num_axes: int = 0
  devices_per_chip: int = 1
  sizes: tuple[tuple[int, ...], ...] = ()
  most_chips: int = 0


_FLAT: Final = (
  (1, 1), (2, 2), (2, 4), (4, 4), (4, 8), (8, 8), (8, 16), (16, 16),
)  # fmt: skip
_DEEP: Final = ((1, 1, 1), (2, 2, 1), (2, 2, 2), (2, 2, 4), (2, 4, 4))

CHIPS: Final[dict[str, Chip]] = {
  chip.name: chip
  for chip in (
    Chip(
      "v5e", "tpu", int(15.75 * _GIB), 197e12, 819e9,
      clock_hz=1.5e9, link_bytes_per_s=45e9, num_axes=2, sizes=_FLAT,
      most_chips=256,
    ),
    Chip(
      "v5p", "tpu", int(95.74 * _GIB), 459e12, 2765e9,
      clock_hz=1.75e9, link_bytes_per_s=90e9, num_axes=3, sizes=_DEEP,
      most_chips=6144,
    ),
    # The clocks of the two newest are not published; these are assumed.
    Chip(
      "v6e", "tpu", int(31.25 * _GIB), 918e12, 1640e9,
      clock_hz=1.75e9, link_bytes_per_s=90e9, num_axes=2, sizes=_FLAT,
      most_chips=256,
    ),
    Chip(
      "tpu7x", "tpu", int(94.75 * _GIB), 1153.5e12, 3690e9,
      clock_hz=1.9e9, link_bytes_per_s=90e9, num_axes=3, devices_per_chip=2,
      sizes=_DEEP, most_chips=9216,
    ),
    # Of GPUs the compiler tells the memory alone. This is all of it; JAX takes
    # three quarters unless XLA_PYTHON_CLIENT_MEM_FRACTION says otherwise.
    Chip("h200", "cuda", gpu.CARDS["h200"].memory, 989e12, 4800e9),
    Chip("gb300", "cuda", gpu.CARDS["gb300"].memory, 2500e12, 7928e9),
  )
}  # fmt: skip
"""Every device that `fit` knows, by name."""


def find(name: str) -> Chip:
  """The device of that name.

  Raises:
    ValueError: there is none.
  """
  if name not in CHIPS:
    raise ValueError(
      f"--topology={name!r} is of no known machine"
      f"{settings.near(name, CHIPS)}; there is {', '.join(CHIPS)}."
    )
  return CHIPS[name]
