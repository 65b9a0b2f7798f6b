"""From files to devices, piece by piece.

    file     |  e0 ..x..  |  e1 ..x..  |  e2 ..x..  | ...     pread
    buffer            [x x x]                                 a few, used again
    device       [ shard of x: written where the piece belongs ]

Every device gets its own shard and a process reads those of its own devices,
each once however many of them hold it. A shard of any size takes no more
memory of the host than the buffers have, and its axes are moved on the way to
the device.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from interaction_jax.convert.tensors import Stored

Index = tuple[slice, ...]

LARGEST: Final = 128 * 2**20
"""Bytes of a piece, at most."""

_BUFFERS: Final = 4
"""Pieces that are read while another one is on its way."""


@dataclasses.dataclass(frozen=True)
class Piece:
  """A part of a shard.

  Attributes:
    name: of the parameter.
    stored: where its numbers lie.
    devices: that hold the shard.
    shard: its shape.
    start: where in the shard the piece begins.
  """

  name: str
  stored: Stored
  devices: tuple[Any, ...]
  shard: tuple[int, ...]
  start: tuple[int, ...]


def arrays(
  stored: Mapping[str, Stored],
  wanted: Mapping[str, jax.ShapeDtypeStruct],
  *,
  largest: int = LARGEST,
) -> dict[str, jax.Array]:
  """Reads parameters to where they are to lie.

  Args:
    wanted: the type and the sharding of each; None: JAX's usual device.
    largest: bytes of a piece.

  Raises:
    ValueError: a file has become shorter.
  """
  places = {}
  for name, leaf in wanted.items():
    if leaf.sharding is None:
      places[name] = {None: tuple(slice(None) for _ in leaf.shape)}
    else:
      places[name] = leaf.sharding.addressable_devices_indices_map(leaf.shape)
  shards: dict[str, dict[Any, jax.Array]] = collections.defaultdict(dict)
  cut = pieces(stored, places, largest=largest)
  for piece, numbers in read(cut, largest=largest):
    held = shards[piece.name]
    for device in piece.devices:
      held[device] = _into(
        held.get(device), piece, numbers, wanted[piece.name].dtype, device
      )
    # The buffer is filled again as soon as this is over.
    jax.block_until_ready([held[device] for device in piece.devices])
  return {
    name: _joined(leaf, shards[name], list(places[name]))
    for name, leaf in wanted.items()
  }


def pieces(
  stored: Mapping[str, Stored],
  places: Mapping[str, Mapping[Any, Index]],
  *,
  largest: int = LARGEST,
) -> Iterator[Piece]:
  """Everything that is to be read, in the order of the parameters.

  Args:
    places: the devices of this process, and which part of each parameter they
      hold.
    largest: bytes of a piece; one number is the least there is.
  """
  for name, where in places.items():
    together: dict[tuple, list[Any]] = collections.defaultdict(list)
    for device, index in where.items():
      bounds = tuple(
        one.indices(size)[:2]
        for one, size in zip(index, stored[name].shape, strict=True)
      )
      together[bounds].append(device)
    for bounds, devices in together.items():
      shard = stored[name].part(tuple(slice(*pair) for pair in bounds))
      zero = (0,) * len(shard.shape)
      for start, part in _cut(shard, zero, largest):
        yield Piece(name, part, tuple(devices), shard.shape, start)


def read(
  cut: Iterable[Piece], *, largest: int = LARGEST
) -> Iterator[tuple[Piece, np.ndarray]]:
  """The numbers of each piece, in turn; some are read ahead.

  What is given is good until the next is asked for.

  Args:
    largest: bytes of a piece, as they were cut.

  Raises:
    ValueError: a file has become shorter.
  """
  reading: collections.deque = collections.deque()
  # Memory that is used again has been found by the system already.
  free = [np.empty(largest, np.uint8) for _ in range(_BUFFERS)]
  with concurrent.futures.ThreadPoolExecutor(_BUFFERS, "pieces") as pool:
    for piece in cut:
      if not free:
        yield from _next(reading, free)
      buffer = free.pop()
      if piece.stored.bytes_read > largest:
        # Numbers with gaps between them cannot be cut smaller than one.
        buffer = np.empty(piece.stored.bytes_read, np.uint8)
      reading.append((piece, buffer, pool.submit(piece.stored.read, buffer)))
    while reading:
      yield from _next(reading, free)


def put(numbers: np.ndarray, dtype: Any, device: Any = None) -> jax.Array:
  """Numbers out of a buffer as an array on a device, which is there at once.

  Args:
    device: None: JAX's usual one.
  """
  numbers = numbers.astype(dtype, copy=False)
  platform = jax.default_backend() if device is None else device.platform
  if platform == "cpu" and numbers.flags.c_contiguous:
    # There JAX takes such memory as it is, and the buffer is used again.
    numbers = np.array(numbers)
  return jax.block_until_ready(jax.device_put(numbers, device))


def _next(
  reading: collections.deque, free: list[np.ndarray]
) -> Iterator[tuple[Piece, np.ndarray]]:
  piece, buffer, numbers = reading.popleft()
  yield piece, numbers.result()
  free.append(buffer)


def _cut(
  shard: Stored, start: tuple[int, ...], largest: int
) -> Iterator[tuple[tuple[int, ...], Stored]]:
  """A shard in parts that lie in the file one behind the other."""
  if shard.bytes_read <= largest or shard.size < 2:
    yield start, shard
    return
  axis = shard.outermost
  size = shard.shape[axis]
  step = math.ceil(size / math.ceil(shard.bytes_read / largest))
  for first in range(0, size, step):
    index = [slice(None)] * len(shard.shape)
    index[axis] = slice(first, min(first + step, size))
    there = (*start[:axis], start[axis] + first, *start[axis + 1 :])
    yield from _cut(shard.part(tuple(index)), there, largest)


def _into(
  held: jax.Array | None,
  piece: Piece,
  numbers: np.ndarray,
  dtype: Any,
  device: Any,
) -> jax.Array:
  """A device's shard with one piece more."""
  there = put(numbers, dtype, device)
  if there.shape == piece.shard:
    return there
  if held is None:
    held = jnp.zeros(piece.shard, dtype, device=device)
  start = tuple(np.int32(one) for one in piece.start)
  return _written(held, there, start)


@functools.partial(jax.jit, donate_argnums=0)
def _written(held: jax.Array, piece: jax.Array, start: tuple) -> jax.Array:
  return jax.lax.dynamic_update_slice(held, piece, start)


def _joined(
  wanted: jax.ShapeDtypeStruct, held: Mapping[Any, jax.Array], order: list[Any]
) -> jax.Array:
  if wanted.sharding is None:
    return held[order[0]]
  return jax.make_array_from_single_device_arrays(
    wanted.shape, wanted.sharding, [held[device] for device in order]
  )
