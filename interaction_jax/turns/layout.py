"""The order of positions within a turn, and how real ones are packed.

    [video*] [tick] [voice x A] [text-in*] [heard x A] | [text-out*]
     absorbed before the turn                           what goes out

Slots have fixed places; those that are not real leave no gap: real positions
are moved to the front by one gather, and padding lies only at the tail.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Shaped


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Packing:
  """Where slots go.

  Attributes:
    slot: which slot each packed position holds; anything where not `real`.
    real: whether a packed position holds a real slot.
    count: running number of real slots, each slot itself included.
  """

  slot: Int[Array, "B T"]
  real: Bool[Array, "B T"]
  count: Int[Array, "B I"]

  def take(self, slots: Shaped[Array, "B I ..."]) -> Shaped[Array, "B T ..."]:
    """Moves slots to their packed positions."""
    index = self.slot.reshape(self.slot.shape + (1,) * (slots.ndim - 2))
    return jnp.take_along_axis(slots, index, axis=1)

  def last(self, slot: Int[Array, "..."]) -> Int[Array, "B ..."]:
    """The packed position of the last real slot up to and including `slot`.

    Past the end of the packing it is the last position; see `fits`.
    """
    return jnp.clip(self.count[:, slot] - 1, 0, self.slot.shape[1] - 1)

  def fits(self, slot: Int[Array, "..."]) -> Bool[Array, "B ..."]:
    """Whether everything real up to and including `slot` found room."""
    return self.count[:, slot] <= self.slot.shape[1]


def pack(real: Bool[Array, "B I"], length: int) -> Packing:
  """Packs real slots to the front of `length` positions.

      real   x . x x .        slot  0 2 3 . .
      count  1 1 2 3 3

  What does not fit is dropped; `overflow` counts it.
  """
  order = jnp.argsort(~real, axis=1, stable=True).astype(jnp.int32)
  count = jnp.cumsum(real.astype(jnp.int32), axis=1)
  length = min(length, real.shape[1])
  filled = jnp.arange(length) < count[:, -1:]
  return Packing(order[:, :length], filled, count)


def overflow(packing: Packing) -> Int[Array, " B"]:
  """Real slots of each row that did not fit."""
  return jnp.maximum(packing.count[:, -1] - packing.slot.shape[1], 0)


def upto(num: Int[Array, "..."], size: int) -> Bool[Array, "... I"]:
  """Masks the first `num` of `size` places."""
  return jnp.arange(size) < num[..., None]
