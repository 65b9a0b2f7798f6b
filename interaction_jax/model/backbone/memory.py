"""What the backbone remembers between blocks of a stream.

Entries lie in rings, a ring a kind, and carry their position and their rank.
A ring holds the newest `keep` entries of its kind and room for one block
more, so that what a block overwrites is exactly what it may no longer see.
Nothing is ever moved or renumbered, and nothing grows.
"""

import dataclasses
import enum
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from interaction_jax.model.config import BackboneConfig, MemoryConfig
from interaction_jax.ops import attend


class Kind(enum.IntEnum):
  """What a position holds; decides how long global layers remember it."""

  PINNED = 0
  TEXT = 1
  MEDIA = 2


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LayerMemory:
  """What one layer remembers of each session; all None in an episode.

  Attributes:
    keys, values: in the slots of `Slots`, all heads of an entry side by side.
      A TPU tiles the last two axes: with an axis of heads among them, every
      look at a ring would first copy all of it.
    key_tail, value_tail, attention_tail, feed_tail: the last inputs of the
      four short convolutions.
  """

  keys: Float[Array, "B S _"] | None = None
  values: Float[Array, "B S _"] | None = None
  key_tail: Float[Array, "B I K H"] | None = None
  value_tail: Float[Array, "B I K H"] | None = None
  attention_tail: Float[Array, "B I D"] | None = None
  feed_tail: Float[Array, "B I D"] | None = None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Slots:
  """What lies in each slot of the rings; shared by layers of one kind.

  Attributes:
    pos: position in the session; -1: nothing yet.
    rank: number of the entry among those of its ring.
  """

  pos: Int[Array, "B S"]
  rank: Int[Array, "B S"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class BackboneMemory:
  """The whole memory of the backbone, one row a session.

  Attributes:
    length: positions so far.
    counts: positions so far of each `Kind`.
  """

  length: Int[Array, " B"]
  counts: Int[Array, "B 3"]
  window_slots: Slots
  global_slots: Slots
  layers: tuple[LayerMemory, ...]


@dataclasses.dataclass(frozen=True)
class Rings:
  """Where the rings of one memory lie among its slots.

  Attributes:
    keep: newest entries seen, by ring.
    sizes: slots, by ring.
  """

  keep: tuple[int, ...]
  sizes: tuple[int, ...]

  @property
  def num_slots(self) -> int:
    """Slots of all rings together."""
    return sum(self.sizes)

  def slot(
    self, ring: Int[Array, "B T"], rank: Int[Array, "B T"]
  ) -> Int[Array, "B T"]:
    """Where an entry goes."""
    starts = jnp.asarray(np.cumsum((0, *self.sizes[:-1])), jnp.int32)
    sizes = jnp.asarray(self.sizes, jnp.int32)
    return starts[ring] + rank % sizes[ring]

  def entries(self, slots: Slots) -> attend.Entries:
    """The slots as attention sees them."""
    ring = np.repeat(np.arange(len(self.sizes)), self.sizes)
    ring = jnp.broadcast_to(jnp.asarray(ring, jnp.int32), slots.pos.shape)
    return attend.Entries(slots.pos, ring, slots.rank)

  def horizon(self, counts: Int[Array, "B T I"]) -> Int[Array, "B T I"]:
    """The oldest rank still seen, once `counts` entries have come in."""
    return counts - jnp.asarray(self.keep, jnp.int32)


def rings(cfg: MemoryConfig, window: int) -> dict[str, Rings]:
  """The rings of the two kinds of layers."""
  keep = (cfg.pinned, cfg.text, cfg.media)
  return {
    "window": Rings((window,), (window + cfg.block,)),
    "global": Rings(
      keep, (cfg.pinned, cfg.text + cfg.block, cfg.media + cfg.block)
    ),
  }


def empty(
  cfg: BackboneConfig, memory: MemoryConfig, batch: int, dtype: str
) -> BackboneMemory:
  """The memory of sessions that have not begun.

  Args:
    batch: B, the number of sessions.
    dtype: of keys, values and tails.
  """
  where = rings(memory, cfg.window_attention.reach)

  def slots(kind: str) -> Slots:
    shape = (batch, where[kind].num_slots)
    # Two arrays, not one: a donated buffer must not occur twice.
    return Slots(jnp.full(shape, -1, jnp.int32), jnp.full(shape, -1, jnp.int32))

  def layer(index: int) -> LayerMemory:
    heads = cfg.attention(index)
    kind, width = (heads.key_heads, heads.head_width), (cfg.width,)
    zeros = functools.partial(jnp.zeros, dtype=dtype)
    num, reach = where[cfg.kind(index)].num_slots, cfg.conv_taps - 1
    return LayerMemory(
      keys=zeros((batch, num, heads.key_heads * heads.head_width)),
      values=zeros((batch, num, heads.key_heads * heads.head_width)),
      key_tail=zeros((batch, reach, *kind)),
      value_tail=zeros((batch, reach, *kind)),
      attention_tail=zeros((batch, reach, *width)),
      feed_tail=zeros((batch, reach, *width)),
    )

  return BackboneMemory(
    length=jnp.zeros((batch,), jnp.int32),
    counts=jnp.zeros((batch, len(Kind)), jnp.int32),
    window_slots=slots("window"),
    global_slots=slots("global"),
    layers=tuple(layer(index) for index in range(cfg.num_layers)),
  )


def write(
  ring: Shaped[Array, "B S ..."],
  slot: Int[Array, "B T"],
  real: Bool[Array, "B T"],
  new: Shaped[Array, "B T ..."],
) -> Shaped[Array, "B S ..."]:
  """Puts the real entries of a block into their slots."""
  batch, length = slot.shape
  # What is not real aims past the end, each at a place of its own, since the
  # targets are promised to be unique.
  past = ring.shape[1] + jnp.arange(length, dtype=jnp.int32)
  slot = jnp.where(real, slot, past)
  row = jnp.arange(batch, dtype=jnp.int32)[:, None]
  return ring.at[row, slot].set(
    new.astype(ring.dtype), mode="drop", unique_indices=True
  )
