"""Choosing experts, and carrying positions to them and back.

Two ways that must agree: `grouped` sorts all pairs of position and expert and
multiplies group by group (training, long prefill); `gathered` walks over the
experts and skips those nobody chose (the few positions of a micro-turn).
No row's arithmetic depends on another row in either, and both add up a
position's experts in ascending order of expert.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Bool, Float, Int

from interaction_jax.core import sharding
from interaction_jax.ops.linear import contract

_FEW = 64
"""Positions up to which walking over the experts beats sorting pairs."""

_SMALLEST, _LARGEST = 8, 128
"""Rows of a block of one expert on a CPU."""

_MANY = 4
"""Experts for each chosen one up to which asking all of them is cheaper."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Routing:
  """Who goes where.

  Attributes:
    experts: the chosen experts of each position, in ascending order.
    weights: of the chosen ones; with `shared` they add up to the scale.
    shared: weights of the shared experts.
  """

  experts: Int[Array, "T X"]
  weights: Float[Array, "T X"]
  shared: Float[Array, "T O"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ExpertWeights:
  """Gated feed-forward blocks: down(silu(gate x) * up x)."""

  gate: Float[Array, "E D F"]
  up: Float[Array, "E D F"]
  down: Float[Array, "E F D"]


Dispatch = Callable[[jax.Array, Routing, ExpertWeights], jax.Array]
"""A way to carry positions to their experts and back."""


def route(
  logits: Float[Array, "T E"],
  shared_logits: Float[Array, "T O"],
  selection_bias: Float[Array, " E"],
  *,
  num_chosen: int,
  scale: Float[Array, ""] | float,
) -> Routing:
  """Chooses experts by score plus bias and weighs them by score alone.

  The shared experts take part in the normalisation and so act as a sink:
  w = scale * softmax(log sigmoid of [chosen logits, shared logits]).

  Args:
    logits, shared_logits: float32, so that close scores do not tie.
    selection_bias: moves the choice, never the weights (arXiv:2408.15664).
  """
  biased = jax.nn.sigmoid(logits) + jax.lax.stop_gradient(selection_bias)
  experts = jnp.sort(jax.lax.top_k(biased, num_chosen)[1], axis=-1)
  chosen = jnp.take_along_axis(logits, experts, axis=-1)
  both = jnp.concatenate([chosen, shared_logits], axis=-1)
  weights = jax.nn.softmax(jax.nn.log_sigmoid(both), axis=-1) * scale
  return Routing(experts, weights[:, :num_chosen], weights[:, num_chosen:])


def load(
  routing: Routing, real: Bool[Array, " T"], num_experts: int
) -> Float[Array, " E"]:
  """How many real positions chose each expert."""
  ones = jnp.broadcast_to(real[:, None], routing.experts.shape)
  zero = jnp.zeros((num_experts,), jnp.float32)
  return zero.at[routing.experts].add(ones.astype(jnp.float32))


def grouped(
  x: Float[Array, "T D"], routing: Routing, weights: ExpertWeights
) -> Float[Array, "T D"]:
  """The chosen experts' weighted sum, all pairs sorted by expert first.

  An expert number past the last one is nobody's: it adds nothing. That is how
  a device passes over the experts of the others.
  """
  pairs, num_experts = routing.experts.size, weights.gate.shape[0]
  apply = functools.partial(
    jax.lax.platform_dependent,
    cpu=functools.partial(_grouped, block=_block(pairs, num_experts)),
    # One row a block: groups lie end to end, as `ragged_dot` takes them.
    default=functools.partial(_grouped, block=1),
  )
  return apply(
    x,
    routing.experts,
    routing.weights,
    weights.gate,
    weights.up,
    weights.down,
  )


def _block(num_pairs: int, num_experts: int) -> int:
  """Rows of a block: many enough to be quick, few enough to be filled."""
  even = num_pairs // (2 * num_experts)
  return min(_LARGEST, max(_SMALLEST, 1 << max(even, 1).bit_length() - 1))


def _grouped(x, experts, shares, gate, up, down, *, block):
  """The body of `grouped`, each expert's rows in whole blocks."""
  num_experts = gate.shape[0]
  length, num_chosen = experts.shape
  order = _order(experts.reshape(-1), num_experts, block)

  def multiply(rows, w):
    return grouped_matmul(rows, w, order.sizes, block=block)

  rows = _dealt(x, order.pair, order.row)
  hidden = jax.nn.silu(multiply(rows, gate)) * multiply(rows, up)
  out = _moved(multiply(hidden, down), order.row, order.pair)
  pairs = out.reshape(length, num_chosen, -1)
  here = experts < num_experts
  total = jnp.zeros(x.shape, jnp.float32)
  for rank in range(num_chosen):
    term = pairs[:, rank].astype(jnp.float32) * shares[:, rank, None]
    total = jnp.where(here[:, rank, None], total + term, total)
  return total.astype(x.dtype)


@dataclasses.dataclass(frozen=True)
class _Order:
  """Pairs sorted by expert, every expert's in whole blocks of rows.

  Attributes:
    sizes: rows of each expert, a multiple of the block.
    pair: the pair in each row; past the last one where there is none.
    row: the row of each pair; past the last one if it is nobody's.
  """

  sizes: Int[Array, " E"]
  pair: Int[Array, " S"]
  row: Int[Array, " I"]


def _order(experts: Int[Array, " I"], num_experts: int, block: int) -> _Order:
  """Sorts pairs by their expert, those of an expert by position."""
  num_pairs = experts.shape[0]
  num_rows = (num_pairs + num_experts * (block - 1)) // block * block
  order = jnp.argsort(experts, stable=True).astype(jnp.int32)
  count = jnp.bincount(experts, length=num_experts + 1).astype(jnp.int32)
  sizes = -(-count // block) * block
  # How far the rows of an expert are moved by the gaps before them.
  gaps = jnp.cumsum(sizes) - sizes - (jnp.cumsum(count) - count)
  sorted_experts = experts[order]
  place = jnp.arange(num_pairs, dtype=jnp.int32) + gaps[sorted_experts]
  place = jnp.where(sorted_experts < num_experts, place, num_rows)
  row = jnp.zeros((num_pairs,), jnp.int32)
  pair = jnp.full((num_rows,), num_pairs, jnp.int32)
  return _Order(
    sizes[:num_experts],
    pair.at[place].set(order, mode="drop", unique_indices=True),
    row.at[order].set(place, unique_indices=True),
  )


@jax.custom_vjp
def _dealt(x, pair, row):
  """Row i is the position that `pair[i]` is of, zeros where there is none."""
  # Pairs lie position by position; one past the last is past the last one.
  num_chosen = row.shape[0] // x.shape[0]
  return jnp.take(x, pair // num_chosen, axis=0, mode="fill", fill_value=0)


def _dealt_backward(kept, grad):
  pair, row, length = kept
  back = _moved(grad, row, pair).reshape(length, -1, grad.shape[1])
  total = back.sum(axis=1, dtype=jnp.float32)
  return total.astype(grad.dtype), None, None


_dealt.defvjp(
  lambda x, pair, row: (_dealt(x, pair, row), (pair, row, x.shape[0])),
  _dealt_backward,
)


@jax.custom_vjp
def _moved(x, source, target):
  """Row i is row `source[i]` of `x`, zeros where there is none.

  Args:
    target: the way back, so that the gradient looks up and does not add.
  """
  return jnp.take(x, source, axis=0, mode="fill", fill_value=0)


_moved.defvjp(
  lambda x, source, target: (_moved(x, source, target), (source, target)),
  lambda kept, grad: (_moved(grad, *kept[::-1]), None, None),
)


def gathered(
  x: Float[Array, "T D"], routing: Routing, weights: ExpertWeights
) -> Float[Array, "T D"]:
  """The same sum, expert by expert; what nobody chose is not even read.

  Off the CPU, where a loop of small products takes longer than it saves, that
  is what `ragged_dot` does with empty groups.
  """
  apply = functools.partial(
    jax.lax.platform_dependent,
    cpu=_gathered,
    default=functools.partial(_grouped, block=1),
  )
  return apply(
    x,
    routing.experts,
    routing.weights,
    weights.gate,
    weights.up,
    weights.down,
  )


def _gathered(x, experts, shares, gate, up, down):
  """The body of `gathered` for a CPU."""

  def add(expert, total):
    chosen = experts == expert
    weight = jnp.sum(jnp.where(chosen, shares, 0.0), axis=-1)
    mine = chosen.any(axis=-1)[:, None]

    def work(total):
      hidden = jax.nn.silu(contract("TD,DF->TF", x, _of(gate, expert)))
      hidden = hidden * contract("TD,DF->TF", x, _of(up, expert))
      out = contract("TF,FD->TD", hidden, _of(down, expert))
      out = out.astype(jnp.float32)
      return jnp.where(mine, total + out * weight[:, None], total)

    return jax.lax.cond(mine.any(), work, lambda total: total, total)

  start = jnp.zeros(x.shape, jnp.float32)
  return jax.lax.fori_loop(0, gate.shape[0], add, start).astype(x.dtype)


def across(
  apply: Dispatch,
  x: Float[Array, "T D"],
  routing: Routing,
  weights: ExpertWeights,
) -> Float[Array, "T D"]:
  """Runs a dispatch on a mesh: rows, experts and their widths are spread.

  Devices that differ only in the experts they hold show each other their
  positions, run the chosen experts they have, and add up: rows are gathered
  and sums scattered, or summed everywhere if there are too few rows to spread.
  Nothing is sorted across devices. Without a mesh it is `apply` itself.
  """
  sizes = sharding.free()
  if max(sizes.values(), default=1) == 1:
    return apply(x, routing, weights)
  num_experts, _, width = weights.gate.shape
  rows = sharding.dividing("B", len(x), sizes)
  (own,) = sharding.dividing("E", num_experts, sizes) or (None,)
  (inner,) = sharding.dividing("F", width, sizes) or (None,)
  shown = own is not None and own in rows

  def local(x, routing, gate, up, down):
    if shown:
      x, routing = jax.tree.map(
        lambda part: jax.lax.all_gather(part, own, tiled=True), (x, routing)
      )
    if own is not None:
      routing = _own(routing, own, len(gate))
    out = apply(x, routing, ExpertWeights(gate, up, down))
    if inner is not None:
      out = jax.lax.psum(out, inner)
    if shown:
      return jax.lax.psum_scatter(out, own, tiled=True)
    return out if own is None else jax.lax.psum(out, own)

  # Weights that lie in pieces are fetched in the dtype they are used in.
  pieces = (weights.gate, weights.up, weights.down)
  pieces = [w.astype(x.dtype) for w in pieces]
  wide, narrow = P(own, None, inner), P(own, inner, None)
  return jax.shard_map(
    local,
    in_specs=(P(rows), P(rows), wide, wide, narrow),
    out_specs=P(rows),
    axis_names=set(sizes),
    check_vma=False,
  )(x, routing, *pieces)


def _own(routing: Routing, axis: str, here: int) -> Routing:
  """The routing as a device sees it that holds `here` experts."""
  experts = routing.experts - jax.lax.axis_index(axis) * here
  mine = (experts >= 0) & (experts < here)
  return dataclasses.replace(routing, experts=jnp.where(mine, experts, here))


def everyone(
  x: Float[Array, "T D"], routing: Routing, weights: ExpertWeights
) -> Float[Array, "T D"]:
  """The same sum, every expert asked about every position.

  Two wide products and no sorting: with few experts, of which many are
  chosen, that is less work than carrying rows to and fro.
  """
  num_experts, width, inner = weights.gate.shape
  # Somebody else's experts have numbers past the last one. Not a scatter, which
  # XLA cannot divide among devices when other axes of the mesh are its own.
  one = jax.nn.one_hot(routing.experts, num_experts, dtype=jnp.float32)
  share = (one * routing.weights.astype(jnp.float32)[..., None]).sum(axis=1)

  def wide(w: jax.Array) -> jax.Array:
    return jnp.moveaxis(w, 0, 1).reshape(width, num_experts * inner)

  hidden = jax.nn.silu(contract("TD,DF->TF", x, wide(weights.gate)))
  hidden = hidden * contract("TD,DF->TF", x, wide(weights.up))
  hidden = hidden * jnp.repeat(share.astype(x.dtype), inner, axis=1)
  down = weights.down.reshape(num_experts * inner, width)
  return contract("TF,FD->TD", hidden, down)


def choose(num_positions: int, num_experts: int, num_chosen: int) -> Dispatch:
  """The dispatch that is fastest for a block of this size, a static choice.

  It reads no load: who else is in the batch never decides a row's arithmetic.
  """
  if num_positions <= _FEW:
    return gathered
  return everyone if num_experts <= _MANY * num_chosen else grouped


def shared(
  x: Float[Array, "T D"],
  share: Float[Array, "T O"],
  gate: Float[Array, "O D F"],
  up: Float[Array, "O D F"],
  down: Float[Array, "O F D"],
) -> Float[Array, "T D"]:
  """The experts all positions visit, weighted before the last product."""
  hidden = jax.nn.silu(contract("TD,ODF->TOF", x, gate))
  hidden = hidden * contract("TD,ODF->TOF", x, up)
  hidden = hidden * share.astype(x.dtype)[:, :, None]
  return contract("TOF,OFD->TD", hidden, down)


def grouped_matmul(
  x: Float[Array, "T I"],
  weights: Float[Array, "E I F"],
  sizes: Int[Array, " E"],
  *,
  block: int = 1,
) -> Float[Array, "T F"]:
  """Multiplies the first `sizes[0]` rows by `weights[0]`, and so on.

  Rows past the last group come out as zeros.

  Args:
    block: divides all sizes and the rows. From 2 on, blocks are multiplied
      one after the other and no more of them than there are: a CPU has no
      better way, and would multiply all rows by all weights.
  """
  weights = weights.astype(x.dtype)
  if block == 1:
    out = jax.lax.ragged_dot(
      x, weights, sizes, preferred_element_type=jnp.float32
    )
    return out.astype(x.dtype)
  ends = jnp.cumsum(sizes) // block
  index = jnp.arange(x.shape[0] // block)
  owner = jnp.searchsorted(ends, index, side="right").astype(jnp.int32)
  return _by_blocks(x, weights, owner, ends[-1])


@jax.custom_vjp
def _by_blocks(x, weights, owner, num):
  """The first `num` blocks of rows, each times the weights of its owner."""
  size = x.shape[0] // owner.shape[0]

  def add(index, out):
    rows = jax.lax.dynamic_slice_in_dim(x, index * size, size)
    y = contract("TI,IF->TF", rows, _of(weights, owner[index]))
    return jax.lax.dynamic_update_slice_in_dim(out, y, index * size, axis=0)

  start = jnp.zeros((x.shape[0], weights.shape[2]), x.dtype)
  return jax.lax.fori_loop(0, num, add, start)


def _by_blocks_forward(x, weights, owner, num):
  return _by_blocks(x, weights, owner, num), (x, weights, owner, num)


def _by_blocks_backward(kept, grad):
  x, weights, owner, num = kept
  size = x.shape[0] // owner.shape[0]
  # One copy, laid out as the products below read it.
  turned = jnp.swapaxes(weights, 1, 2)

  def add(index, sums):
    x_grad, w_grad = sums
    at, mine = index * size, owner[index]
    above = jax.lax.dynamic_slice_in_dim(grad, at, size)
    rows = jax.lax.dynamic_slice_in_dim(x, at, size)
    y = contract("TF,FI->TI", above, _of(turned, mine))
    part = jnp.einsum(
      "TI,TF->IF", rows, above, preferred_element_type=jnp.float32
    )
    return (
      jax.lax.dynamic_update_slice_in_dim(x_grad, y, at, axis=0),
      jax.lax.dynamic_update_index_in_dim(
        w_grad, _of(w_grad, mine) + part, mine, axis=0
      ),
    )

  start = jnp.zeros_like(x), jnp.zeros(weights.shape, jnp.float32)
  x_grad, w_grad = jax.lax.fori_loop(0, num, add, start)
  return x_grad, w_grad.astype(weights.dtype), None, None


_by_blocks.defvjp(_by_blocks_forward, _by_blocks_backward)


def _of(weights, expert):
  return jax.lax.dynamic_index_in_dim(weights, expert, keepdims=False)
