"""Short causal convolutions: each channel with its own few taps."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def short(
  x: Float[Array, "B T ..."],
  taps: Float[Array, "Z ..."],
  *,
  tail: Float[Array, "B _ ..."] | None = None,
  segment: Int[Array, "B T"] | None = None,
) -> Float[Array, "B T ..."]:
  """Adds to each position a weighted sum of itself and those just before it.

  y_t = x_t + sum_z taps_z x_(t-Z+1+z), in float32 whatever the input.

  Args:
    tail: the Z-1 inputs before `x`; None: zeros, the start of a session.
    segment: positions of different segments do not see each other.
  """
  length, reach = x.shape[1], taps.shape[0] - 1
  if tail is None:
    tail = jnp.zeros((x.shape[0], reach, *x.shape[2:]), x.dtype)
  full = jnp.concatenate([tail.astype(x.dtype), x], axis=1).astype(jnp.float32)
  total = x.astype(jnp.float32)
  for tap in range(reach + 1):
    seen = full[:, tap : tap + length]
    back = reach - tap
    if segment is not None and back:
      before = jnp.pad(segment, ((0, 0), (back, 0)), constant_values=-1)
      same = before[:, :length] == segment
      seen = jnp.where(_like(same, seen), seen, 0.0)
    total = total + taps[tap].astype(jnp.float32) * seen
  return total.astype(x.dtype)


def next_tail(
  tail: Float[Array, "B I ..."],
  x: Float[Array, "B T ..."],
  count: Int[Array, " B"],
) -> Float[Array, "B I ..."]:
  """The last real inputs of each row, once `count` of `x` were real.

  With I = 2, tail = [a b], x = [c d _] and count = 2 it is [c d]; with
  count = 0 it is the old tail, so a row that stands still keeps its bits.
  """
  full = jnp.concatenate([tail, x.astype(tail.dtype)], axis=1)
  length = tail.shape[1]
  return jax.vmap(
    lambda row, start: jax.lax.dynamic_slice_in_dim(row, start, length)
  )(full, count)


def _like(mask: jax.Array, x: jax.Array) -> jax.Array:
  """Adds axes of size one until `mask` broadcasts against `x`."""
  return mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim))
