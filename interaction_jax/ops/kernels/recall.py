"""Attention over a memory for TPU, a block of entries at a time.

The twin of `attend.from_memory`, which holds the scores of all entries and
looks every bias up. Here no score leaves the chip, and a bias, which only
near entries have, is a product with ones and zeros: a TPU multiplies where
others look up. Entries lie in rings, so most blocks hold nothing near, and
for those nothing is done.
"""

import functools
import math
from typing import Final

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from jaxtyping import Array, Float, Int

_HIDDEN: Final = -1e30
"""Score of what is not seen. Finite: a row that sees nothing stays finite."""

_BLOCK: Final = 1024
"""Entries of a block; of twice as many, the table of ones fills the chip."""

_LANES: Final = 128
_ROWS: Final = 16

_PARTS: Final = 3
"""bfloat16 numbers that add up to a float32."""


def fits(width: int, num_keys: int) -> bool:
  """Whether heads of this width lie as the kernel reads them."""
  return num_keys == 1 or width % _LANES == 0


def recall(
  q: Float[Array, "B T N H"],
  k: Float[Array, "B S K H"],
  v: Float[Array, "B S K H"],
  profile: Float[Array, "B T N Y"],
  pos: Int[Array, "B T"],
  horizon: Int[Array, "B T I"],
  entries: Int[Array, "B 3 S"],
  *,
  block: int = _BLOCK,
  interpret: bool = False,
) -> Float[Array, "B T N H"]:
  """softmax(q k / H + b) v over the visible entries.

  Args:
    profile: the bias of each query, by how much later an entry is than the
      oldest that has one: entry `pos[:, 0] - reach + 1` comes first.
    horizon: for each kind the lowest rank still seen.
    entries: position (-1: nothing), kind and rank of each entry.
    block: entries looked at together, a multiple of 128.
    interpret: runs it anywhere, slowly.
  """
  batch, length, num_queries, width = q.shape
  num_slots, num_keys = k.shape[1:3]
  group = num_queries // num_keys
  rows = _up(length * group, _ROWS)
  reach = profile.shape[-1] - length + 1
  block = min(block, _up(num_slots, _LANES))

  def by_key(x: jax.Array) -> jax.Array:
    x = x.reshape(batch, length, num_keys, group, x.shape[-1])
    x = jnp.moveaxis(x, 2, 1).reshape(batch, num_keys, length * group, -1)
    return _padded(x, 2, rows)

  limits = jnp.concatenate([pos[..., None], horizon], axis=-1)
  limits = _padded(jnp.repeat(limits, group, axis=1), 1, rows)
  parts = jnp.concatenate(_split(by_key(profile)), axis=2)
  parts = _padded(parts, 3, _up(parts.shape[-1], _LANES))
  flat = (batch, num_slots, num_keys * width)
  call = pl.pallas_call(
    functools.partial(_kernel, width=width, num_slots=num_slots, reach=reach),
    grid_spec=pltpu.PrefetchScalarGridSpec(
      num_scalar_prefetch=1,
      grid=(batch, num_keys, pl.cdiv(num_slots, block)),
      in_specs=[
        pl.BlockSpec((1, 1, rows, width), lambda b, h, s, _: (b, h, 0, 0)),
        pl.BlockSpec((1, block, width), lambda b, h, s, _: (b, s, h)),
        pl.BlockSpec((1, block, width), lambda b, h, s, _: (b, s, h)),
        pl.BlockSpec((1, 3, block), lambda b, h, s, _: (b, 0, s)),
        pl.BlockSpec((1, rows, limits.shape[-1]), lambda b, h, s, _: (b, 0, 0)),
        pl.BlockSpec((1, 1, *parts.shape[2:]), lambda b, h, s, _: (b, h, 0, 0)),
      ],
      out_specs=pl.BlockSpec(
        (1, 1, rows, width), lambda b, h, s, _: (b, h, 0, 0)
      ),
      scratch_shapes=[
        pltpu.VMEM((rows, block), jnp.float32),
        pltpu.VMEM((rows, _LANES), jnp.float32),
        pltpu.VMEM((rows, _LANES), jnp.float32),
        pltpu.VMEM((rows, width), jnp.float32),
      ],
    ),
    out_shape=jax.ShapeDtypeStruct((batch, num_keys, rows, width), v.dtype),
    compiler_params=pltpu.CompilerParams(
      dimension_semantics=("parallel", "parallel", "arbitrary")
    ),
    cost_estimate=pl.CostEstimate(
      flops=4 * batch * num_keys * rows * num_slots * width,
      transcendentals=batch * num_keys * rows * num_slots,
      bytes_accessed=2 * math.prod(flat) * k.dtype.itemsize
      + math.prod(parts.shape) * 2,
    ),
    interpret=interpret,
    name="recall",
  )
  out = call(
    pos[:, 0], by_key(q), k.reshape(flat), v.reshape(flat), entries, limits,
    parts,
  )  # fmt: skip
  out = out[:, :, : length * group].reshape(
    batch, num_keys, length, group, width
  )
  return jnp.moveaxis(out, 1, 2).reshape(q.shape)


def _kernel(
  base_ref, q_ref, k_ref, v_ref, entry_ref, limit_ref, parts_ref,
  out_ref, score_ref, top_ref, total_ref, sum_ref,
  *, width, num_slots, reach,
):  # fmt: skip
  """One block of entries for the queries of one key head of one session."""
  step = pl.program_id(2)

  @pl.when(step == 0)
  def _():
    top_ref[...] = jnp.full_like(top_ref, _HIDDEN)
    total_ref[...] = jnp.zeros_like(total_ref)
    sum_ref[...] = jnp.zeros_like(sum_ref)

  block = k_ref.shape[1]
  # The last block may reach past the last slot, where anything may lie.
  slot = step * block + jax.lax.broadcasted_iota(jnp.int32, (1, block), 1)
  pos = jnp.where(slot < num_slots, entry_ref[0, 0:1], -1)
  kind, rank = entry_ref[0, 1:2], entry_ref[0, 2:3]
  limit = limit_ref[0]
  mask = (pos >= 0) & (pos <= limit[:, 0:1])
  for which in range(limit.shape[1] - 1):
    near = rank >= limit[:, which + 1 : which + 2]
    mask &= near | (kind != which)
  scores = jax.lax.dot_general(
    q_ref[0, 0], k_ref[0], (((1,), (1,)), ((), ())),
    preferred_element_type=jnp.float32,
  )  # fmt: skip
  score_ref[...] = scores / width
  place = pos - base_ref[pl.program_id(0)] + reach - 1
  place = jnp.where(pos >= 0, place, -1)

  @pl.when(jnp.max(place.astype(jnp.float32)) >= 0)
  def _():
    parts = parts_ref[0, 0]
    table = (parts.shape[1], block)
    one = jax.lax.broadcasted_iota(jnp.int32, table, 0) == place
    found = jnp.dot(
      parts, one.astype(parts.dtype), preferred_element_type=jnp.float32
    )
    rows = score_ref.shape[0]
    score_ref[...] += sum(
      found[part * rows : (part + 1) * rows] for part in range(_PARTS)
    )

  scores = jnp.where(mask, score_ref[...], _HIDDEN)
  before = top_ref[:, 0:1]
  top = jnp.maximum(before, scores.max(axis=1, keepdims=True))
  fade, weights = jnp.exp(before - top), jnp.exp(scores - top)
  total_ref[...] = fade * total_ref[...] + weights.sum(axis=1, keepdims=True)
  top_ref[...] = jnp.broadcast_to(top, top_ref.shape)
  v = v_ref[0]
  if num_slots % block:
    row = step * block + jax.lax.broadcasted_iota(jnp.int32, v.shape, 0)
    v = jnp.where(row < num_slots, v, jnp.zeros_like(v))
  found = jnp.dot(
    weights.astype(v.dtype), v, preferred_element_type=jnp.float32
  )
  sum_ref[...] = fade * sum_ref[...] + found

  @pl.when(step == pl.num_programs(2) - 1)
  def _():
    out = sum_ref[...] / total_ref[:, 0:1]
    out_ref[0, 0] = out.astype(out_ref.dtype)


def _split(x: Float[Array, "..."]) -> list[Float[Array, "..."]]:
  """Numbers in bfloat16 that add up to float32 ones."""
  parts, left = [], x.astype(jnp.float32)
  for _ in range(_PARTS):
    parts.append(left.astype(jnp.bfloat16))
    left = left - parts[-1].astype(jnp.float32)
  return parts


def _up(size: int, step: int) -> int:
  """The next multiple of `step`."""
  return -(-size // step) * step


def _padded(x: jax.Array, axis: int, size: int) -> jax.Array:
  width = [(0, 0)] * x.ndim
  width[axis] = (0, size - x.shape[axis])
  return jnp.pad(x, width)
