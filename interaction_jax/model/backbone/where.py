"""Where a block of positions stands: in an episode, or at the end of a stream.

The layers ask two things of it, `convolve` and `attend`, and know no more.
That is why `forward` over an episode equals `step` over its turns: there is
one set of layers, and two ways to look back.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from interaction_jax.model import config
from interaction_jax.model.backbone import memory
from interaction_jax.model.backbone.memory import BackboneMemory, LayerMemory
from interaction_jax.ops import attend, conv


@dataclasses.dataclass(frozen=True)
class Looked:
  """What a layer found, and what it will remember."""

  out: Float[Array, "B T N H"]
  keys: Float[Array, "B S _"] | None
  values: Float[Array, "B S _"] | None


@dataclasses.dataclass(frozen=True)
class Episode:
  """Whole sequences, each perhaps made of several segments.

  Attributes:
    pos: position in its segment.
    real: False for padding.
    window, everywhere: what the two kinds of layers see.
  """

  pos: Int[Array, "B T"]
  real: Bool[Array, "B T"]
  segment: Int[Array, "B T"]
  window: tuple[attend.Queries, attend.Entries]
  everywhere: tuple[attend.Queries, attend.Entries]
  reach: int

  @classmethod
  def of(
    cls,
    kind: Int[Array, "B T"],
    real: Bool[Array, "B T"],
    segment: Int[Array, "B T"] | None,
    *,
    window: int,
    memory_cfg: config.MemoryConfig,
  ) -> "Episode":
    """Places every position.

    Args:
      kind: a `memory.Kind` a position.
      real: False for padding, which must lie behind everything real.
      segment: number of the segment, rising; None: one a row.
    """
    if segment is None:
      segment = jnp.zeros(kind.shape, jnp.int32)
    ones = real.astype(jnp.int32)
    count = _count(ones, segment)
    pos = jnp.where(real, count - 1, -1)
    counts = jnp.stack(
      [_count(ones * (kind == which), segment) for which in memory.Kind],
      axis=-1,
    )
    rank = jnp.take_along_axis(counts, kind[..., None], axis=-1)[..., 0] - 1
    where = memory.rings(memory_cfg, window)
    near = attend.Queries(
      pos, where["window"].horizon(pos[..., None] + 1), segment
    )
    far = attend.Queries(pos, where["global"].horizon(counts), segment)
    kind, rank, near, far = _written_out(real, (kind, rank, near, far))
    pos = near.pos
    return cls(
      pos=pos,
      real=real,
      segment=near.segment,
      window=(
        near,
        attend.Entries(pos, jnp.zeros_like(pos), pos, near.segment),
      ),
      everywhere=(far, attend.Entries(pos, kind, rank, near.segment)),
      reach=window,
    )

  def convolve(
    self,
    x: Float[Array, "B T ..."],
    taps: Float[Array, "Z ..."],
    tail: Float[Array, "B I ..."] | None,
  ) -> tuple[Float[Array, "B T ..."], Float[Array, "B I ..."] | None]:
    """A short convolution that does not cross segments."""
    return conv.short(x, taps, segment=self.segment), tail

  def attend(
    self,
    kind: config.Kind,
    q: Float[Array, "B T N H"],
    k: Float[Array, "B T K H"],
    v: Float[Array, "B T K H"],
    bias: attend.Bias,
    _: LayerMemory,
  ) -> Looked:
    """Attention within the segments."""
    queries, entries = self.window if kind == "window" else self.everywhere
    reach = self.reach if kind == "window" else None
    out = attend.episode(q, k, v, bias, queries, entries, window=reach)
    return Looked(out, None, None)


@dataclasses.dataclass(frozen=True)
class Stream:
  """The next positions of B sessions, real ones packed to the front.

  Attributes:
    pos: position in the session.
    real: False for padding: nothing of it is remembered.
    count: real positions of each row.
    window, everywhere: who looks, at what, and the slots of the new entries.
  """

  pos: Int[Array, "B T"]
  real: Bool[Array, "B T"]
  count: Int[Array, " B"]
  window: tuple[attend.Queries, attend.Entries, Int[Array, "B T"]]
  everywhere: tuple[attend.Queries, attend.Entries, Int[Array, "B T"]]

  @classmethod
  def of(
    cls,
    past: BackboneMemory,
    kind: Int[Array, "B T"],
    real: Bool[Array, "B T"],
    *,
    window: int,
    memory_cfg: config.MemoryConfig,
  ) -> tuple["Stream", BackboneMemory]:
    """Places the block behind what each session has seen.

    Returns:
      The block, and the memory with the new entries booked; their keys and
      values are written layer by layer.

    Raises:
      ValueError: the block is longer than the memory has room for.
    """
    if kind.shape[1] > memory_cfg.block:
      raise ValueError(
        f"a block of {kind.shape[1]} positions exceeds memory.block="
        f"{memory_cfg.block}; feed it in pieces of at most that many."
      )
    ones = real.astype(jnp.int32)
    pos = past.length[:, None] + jnp.cumsum(ones, axis=1) - 1
    counts = past.counts[:, None] + jnp.stack(
      [jnp.cumsum(ones * (kind == which), axis=1) for which in memory.Kind],
      axis=-1,
    )
    rank = jnp.take_along_axis(counts, kind[..., None], axis=-1)[..., 0] - 1
    where = memory.rings(memory_cfg, window)

    def book(which, slots, ring, rank, counts, keep):
      slot = where[which].slot(ring, rank)
      slots = memory.Slots(
        memory.write(slots.pos, slot, keep, pos),
        memory.write(slots.rank, slot, keep, rank),
      )
      queries = attend.Queries(pos, where[which].horizon(counts))
      return (queries, where[which].entries(slots), slot), slots

    near, window_slots = book(
      "window", past.window_slots, jnp.zeros_like(kind), pos,
      pos[..., None] + 1, real,
    )  # fmt: skip
    far, global_slots = book(
      "global", past.global_slots, kind, rank, counts, real
    )
    near, far = _written_out(real, (near, far))
    stream = cls(pos, real, ones.sum(axis=1), near, far)
    return stream, dataclasses.replace(
      past,
      length=past.length + stream.count,
      counts=counts[:, -1],
      window_slots=window_slots,
      global_slots=global_slots,
    )

  def convolve(
    self,
    x: Float[Array, "B T ..."],
    taps: Float[Array, "Z ..."],
    tail: Float[Array, "B I ..."] | None,
  ) -> tuple[Float[Array, "B T ..."], Float[Array, "B I ..."] | None]:
    """A short convolution that goes on where the last block ended."""
    assert tail is not None, "a stream's memory has tails"
    y = conv.short(x, taps, tail=tail)
    return y, conv.next_tail(tail, x, self.count)

  def attend(
    self,
    kind: config.Kind,
    q: Float[Array, "B T N H"],
    k: Float[Array, "B T K H"],
    v: Float[Array, "B T K H"],
    bias: attend.Bias,
    past: LayerMemory,
  ) -> Looked:
    """Remembers the block, then attends to all that is remembered."""
    queries, entries, slot = (
      self.window if kind == "window" else self.everywhere
    )
    assert past.keys is not None, "a stream's memory has keys"
    assert past.values is not None, "a stream's memory has values"

    def put(ring: jax.Array, new: jax.Array) -> jax.Array:
      new = new.reshape(*new.shape[:2], -1)
      return memory.write(ring, slot, self.real, new)

    def heads(ring: jax.Array) -> jax.Array:
      return ring.reshape(*ring.shape[:2], *k.shape[2:]).astype(q.dtype)

    keys, values = put(past.keys, k), put(past.values, v)
    out = attend.from_memory(
      q, heads(keys), heads(values), bias, queries, entries
    )
    return Looked(out, keys, values)


def _written_out(real: Bool[Array, "B T"], placed: Any) -> Any:
  """The same numbers, in memory.

  On a CPU XLA would else find out anew where two positions stand for every
  score that they have, in every head and layer; it does not look through a
  condition.
  """

  def once(real, placed):
    return jax.lax.cond(
      real.any(), lambda x: x, lambda x: jax.tree.map(jnp.zeros_like, x), placed
    )

  return jax.lax.platform_dependent(
    real, placed, cpu=once, default=lambda real, placed: placed
  )


def _count(
  ones: Int[Array, "B T"], segment: Int[Array, "B T"]
) -> Int[Array, "B T"]:
  """Running sum that starts again with every segment."""
  total = jnp.cumsum(ones, axis=1)
  first = jnp.pad(segment[:, 1:] != segment[:, :-1], ((0, 0), (1, 0)))
  before = jnp.where(first, total - ones, 0)
  return total - jax.lax.cummax(before, axis=1)
