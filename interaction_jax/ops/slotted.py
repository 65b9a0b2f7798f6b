"""Products of experts with a few positions each, all experts at once.

    expert 0   p3 p7 p9 --        each has slots, as many as all others, for
    expert 1   p0 -- -- --        the first positions that chose it; zeros
    expert 2   p1 p2 p3 p4        where there is none
    again      -- / -- / p5 p6    while somebody has more than slots

Three products of stacks of matrices, which a CPU reads as they lie. Nothing is
dropped: who finds no slot waits for another round, so a crowd costs time and no
bits. A round costs the same however few there are in it.
"""

from typing import Final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from interaction_jax.ops import grouped, linear
from interaction_jax.ops.grouped import Order

_FEWEST: Final = 8
"""Slots of an expert; a product of fewer rows takes as long."""


def apply(
  x: Float[Array, "T D"],
  experts: Int[Array, "T X"],
  shares: Float[Array, "T X"],
  gate: Float[Array, "E D F"],
  up: Float[Array, "E D F"],
  down: Float[Array, "E F D"],
) -> Float[Array, "T D"]:
  """The chosen experts' sum weighted by `shares`, in ascending order of them.

  An expert number past the last one is nobody's, and adds nothing.
  """
  return _apply(x, experts, shares, gate, up, down)


def num_slots(num_pairs: int, num_experts: int) -> int:
  """Slots of each expert: twice what it has on average, a power of two."""
  even = -(-2 * num_pairs // num_experts)
  return max(_FEWEST, 1 << (even - 1).bit_length())


@jax.custom_vjp
def _apply(x, experts, shares, gate, up, down):
  num_experts = gate.shape[0]
  order = Order.of(experts, num_experts)
  begin = jnp.cumsum(order.sizes) - order.sizes
  slots = jnp.arange(num_slots(experts.size, num_experts))
  flat = jnp.minimum(experts.reshape(-1), num_experts - 1)
  # Of each pair, how many of its expert come before it.
  rank = order.row - begin[flat]

  def fill(first):
    """The positions in the slots of a round; zeros where there is none."""
    place = first + slots
    pair = jnp.take(order.pair, begin[:, None] + place, mode="clip")
    position = jnp.where(
      place < order.sizes[:, None], pair // experts.shape[1], len(x)
    )
    return jnp.take(x, position, axis=0, mode="fill", fill_value=0)

  def again(state):
    first, pairs = state
    rows = fill(first)
    hidden = jax.nn.silu(linear.contract("ETD,EDF->ETF", rows, gate))
    hidden = hidden * linear.contract("ETD,EDF->ETF", rows, up)
    out = linear.contract("ETF,EFD->ETD", hidden, down)
    mine = (rank >= first) & (rank < first + len(slots))
    at = jnp.clip(flat * len(slots) + rank - first, 0, out[..., 0].size - 1)
    out = out.reshape(-1, out.shape[-1])[at].astype(jnp.float32)
    return first + len(slots), jnp.where(mine[:, None], out, pairs)

  begun = jnp.int32(0), jnp.zeros((experts.size, x.shape[1]), jnp.float32)
  _, pairs = jax.lax.while_loop(
    lambda state: state[0] < order.sizes.max(), again, begun
  )
  return grouped.summed(pairs, experts, shares, num_experts).astype(x.dtype)


def _forward(*given):
  return _apply(*given), given


def _backward(given, grad):
  # The same sum of the same products: that of blocks has the gradient.
  x, experts, *others = given

  def blocks(x, *others):
    return grouped.blockwise(x, experts, *others)

  _, pull = jax.vjp(blocks, x, *others)
  x_grad, *grads = pull(grad)
  return x_grad, None, *grads


_apply.defvjp(_forward, _backward)
