"""Products of experts with the positions that chose them, expert by expert.

All pairs of position and expert are sorted by expert, those of an expert by
position, so that its rows lie together. Two ways to multiply them that must
agree:

    ragged     groups as XLA takes them, on platforms that have a way for them
    blockwise  blocks of rows of one expert, one after the other, on a CPU,
               where XLA would multiply all rows by all weights
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from interaction_jax.ops import quantised
from interaction_jax.ops.kernels import outer
from interaction_jax.ops.quantised import Quantised, Weights

_SMALLEST, _LARGEST = 8, 128
"""Rows of a block."""

State = TypeVar("State")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Order:
  """Pairs of position and expert, sorted by expert.

  Attributes:
    sizes: pairs of each expert. Pairs that are nobody's come last.
    pair: the pair in each row.
    row: the row of each pair.
  """

  sizes: Int[Array, " E"]
  pair: Int[Array, " I"]
  row: Int[Array, " I"]

  @classmethod
  def of(cls, experts: Int[Array, "T X"], num_experts: int) -> "Order":
    """Sorts; an expert number past the last one is nobody's."""
    flat = experts.reshape(-1)
    pair = jnp.argsort(flat, stable=True).astype(jnp.int32)
    rank = jnp.arange(flat.size, dtype=jnp.int32)
    row = jnp.zeros_like(rank).at[pair].set(rank, unique_indices=True)
    sizes = jnp.bincount(flat, length=num_experts).astype(jnp.int32)
    return cls(sizes, pair, row)


def ragged(
  x: Float[Array, "T D"],
  experts: Int[Array, "T X"],
  shares: Float[Array, "T X"],
  gate: Float[Array, "E D F"] | Quantised,
  up: Float[Array, "E D F"] | Quantised,
  down: Float[Array, "E F D"] | Quantised,
) -> Float[Array, "T D"]:
  """The chosen experts' sum weighted by `shares`, group by group."""
  order = Order.of(experts, gate.shape[0])
  rows = _dealt(x, order.pair, order.row)
  hidden = jax.nn.silu(ragged_matmul(rows, gate, order.sizes))
  hidden = hidden * ragged_matmul(rows, up, order.sizes)
  out = ragged_matmul(hidden, down, order.sizes)
  out = _moved(out, order.row, order.pair)
  return summed(out, experts, shares, gate.shape[0]).astype(x.dtype)


def summed(
  pairs: Float[Array, "I D"],
  experts: Int[Array, "T X"],
  shares: Float[Array, "T X"],
  num_experts: int,
) -> Float[Array, "T D"]:
  """Each position's weighted sum of its pairs, in ascending order of expert."""
  pairs = pairs.reshape(*experts.shape, -1)
  here = experts < num_experts
  total = jnp.zeros((len(pairs), pairs.shape[-1]), jnp.float32)
  for rank in range(experts.shape[1]):
    term = pairs[:, rank].astype(jnp.float32) * shares[:, rank, None]
    total = jnp.where(here[:, rank, None], total + term, total)
  return total


@jax.custom_vjp
def _dealt(x, pair, row):
  """Row i is the position that `pair[i]` is of."""
  num_chosen = row.shape[0] // x.shape[0]
  return jnp.take(x, pair // num_chosen, axis=0)


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
  """Row i is row `source[i]` of `x`.

  Args:
    target: the way back, so that the gradient looks up and does not add.
  """
  del target
  return jnp.take(x, source, axis=0)


_moved.defvjp(
  lambda x, source, target: (_moved(x, source, target), (source, target)),
  lambda kept, grad: (_moved(grad, *kept[::-1]), None, None),
)


def ragged_matmul(
  x: Float[Array, "T I"], weights: Weights, sizes: Int[Array, " E"]
) -> Float[Array, "T F"]:
  """Multiplies the first `sizes[0]` rows by `weights[0]`, and so on.

  Rows past the last group come out as zeros.
  """
  if not isinstance(weights, Quantised):
    return _multiplied(x, weights.astype(x.dtype), sizes)

  x, weights = quantised.ungraded(x, weights)

  def narrow(x, values, sizes):
    return _product(x, values, sizes)

  def widened(x, values, sizes):
    return _product(x, values.astype(x.dtype), sizes)

  # XLA for TPUs widens as it reads; beforehand it would copy all experts. On 7x
  # it has no product for it, and writes them wide all the same.
  out = jax.lax.platform_dependent(
    x, weights.values, sizes, tpu=narrow, default=widened
  )
  owner = jnp.searchsorted(
    jnp.cumsum(sizes), jnp.arange(x.shape[0]), side="right"
  )
  # Rows past the last group are nobody's, and stay zero.
  scales = jnp.take(weights.scales, owner, axis=0, mode="fill", fill_value=0)
  return (out * scales).astype(x.dtype)


_product = functools.partial(
  jax.lax.ragged_dot, preferred_element_type=jnp.float32
)


@jax.custom_vjp
def _multiplied(x, weights, sizes):
  return _product(x, weights, sizes).astype(x.dtype)


def _multiplied_backward(kept, grad):
  x, weights, sizes = kept

  def transposed(x, weights, sizes, grad):
    def of(weights):
      return _product(x, weights, sizes).astype(x.dtype)

    (weights_grad,) = jax.linear_transpose(of, weights)(grad)
    return weights_grad

  def by_kernel(x, weights, sizes, grad):
    del weights
    return outer.outer(x, grad, sizes)

  x_grad = _product(grad, jnp.swapaxes(weights, 1, 2), sizes)
  weights_grad = jax.lax.platform_dependent(
    x, weights, sizes, grad, tpu=by_kernel, default=transposed
  )
  return x_grad.astype(x.dtype), weights_grad, None


_multiplied.defvjp(
  lambda x, weights, sizes: (
    _multiplied(x, weights, sizes),
    (x, weights, sizes),
  ),
  _multiplied_backward,
)


def blockwise(
  x: Float[Array, "T D"],
  experts: Int[Array, "T X"],
  shares: Float[Array, "T X"],
  gate: Float[Array, "E D F"] | Quantised,
  up: Float[Array, "E D F"] | Quantised,
  down: Float[Array, "E F D"] | Quantised,
) -> Float[Array, "T D"]:
  """As `ragged`, block by block.

  What a block needs is looked up, multiplied and put away before the next one
  comes, and so stays in the cache. All products are float32: a CPU widens what
  is narrower, and here it does so once for each expert.
  """
  if any(isinstance(w, Quantised) for w in (gate, up, down)):
    x, (gate, up, down) = quantised.ungraded(x, (gate, up, down))
  return _blockwise(x, experts, shares, gate, up, down)


@jax.custom_vjp
def _blockwise(x, experts, shares, gate, up, down):
  order = Order.of(experts, gate.shape[0])
  out, _ = _walk(x, order, gate, up, down, keep=False)
  total = summed(out[order.row], experts, shares, gate.shape[0])
  return total.astype(x.dtype)


def _blockwise_forward(x, experts, shares, gate, up, down):
  order = Order.of(experts, gate.shape[0])
  out, inner = _walk(x, order, gate, up, down, keep=True)
  total = summed(out[order.row], experts, shares, gate.shape[0])
  kept = x, experts, shares, gate, up, down, order, inner
  return total.astype(x.dtype), kept


def _blockwise_backward(kept, grad):
  x, experts, shares, gate, up, down, order, inner = kept
  num_experts = gate.shape[0]
  blocks = _Blocks.of(order, x.shape[0], num_experts)
  wide = _wide(x.dtype)
  x_rows, grad = x.astype(wide), grad.astype(wide)
  share = shares.reshape(-1)[blocks.pair].astype(wide)

  def expert(number, sums):
    x_grad, share_grad, *grads = sums
    # Laid out as the products read them.
    into, outof = (
      _side_by_side(some, number, x.dtype)[0].T
      for some in ((gate, up), (down,))
    )

    def block(at, mine, sums):
      x_grad, share_grad, into_grad, outof_grad = sums
      rows, above = (blocks.look_up(one, at, mine) for one in (x_rows, grad))
      left, right = jnp.split(blocks.cut(inner, at), 2, axis=1)
      scale = blocks.cut(share, at)[:, None]
      slope = jax.nn.sigmoid(left)
      active = left * slope
      hidden = active * right
      pull = jnp.einsum("TD,DF->TF", above, outof)
      share_pull = jnp.sum(pull * hidden, axis=1)
      pull = pull * scale
      both = jnp.concatenate(
        [pull * right * (slope + active * (1 - slope)), pull * active], axis=1
      )
      # What lies there for others may be anything.
      both, hidden = (
        jnp.where(mine[:, None], one, 0) for one in (both, hidden * scale)
      )
      return (
        blocks.put(x_grad, jnp.einsum("TF,FD->TD", both, into), at),
        blocks.put(share_grad, share_pull, at),
        into_grad + jnp.einsum("TD,TF->DF", rows, both),
        outof_grad + jnp.einsum("TF,TD->FD", hidden, above),
      )

    x_grad, share_grad, into_grad, outof_grad = blocks.of_expert(
      number,
      block,
      (x_grad, share_grad, jnp.zeros_like(into.T), jnp.zeros_like(outof.T)),
    )
    of_mine = *jnp.split(into_grad, 2, axis=1), outof_grad
    return (
      x_grad,
      share_grad,
      *(
        jax.lax.dynamic_update_index_in_dim(grad, one, number, axis=0)
        for grad, one in zip(grads, of_mine, strict=True)
      ),
    )

  x_grad, share_grad, *weight_grads = blocks.of_all(
    expert,
    (
      blocks.rows(x.shape[1], wide),
      blocks.rows(1, wide)[:, 0],
      *(jnp.zeros(w.shape, wide) for w in (gate, up, down)),
    ),
  )
  one = jnp.ones(experts.shape, jnp.float32)
  x_grad = summed(x_grad[order.row], experts, one, num_experts)
  share_grad = share_grad[order.row].reshape(experts.shape)
  share_grad = jnp.where(experts < num_experts, share_grad, 0)
  return (
    x_grad.astype(x.dtype),
    None,
    share_grad.astype(shares.dtype),
    *(
      grad.astype(w.dtype)
      for grad, w in zip(weight_grads, (gate, up, down), strict=True)
    ),
  )


_blockwise.defvjp(_blockwise_forward, _blockwise_backward)


def _walk(x, order, gate, up, down, *, keep):
  """What the experts make of their rows, and their inner products if kept."""
  num_experts, width, inner = gate.shape
  blocks = _Blocks.of(order, x.shape[0], num_experts)
  wide = _wide(x.dtype)
  x_rows = x.astype(wide)

  def expert(number, rows):
    into, into_scale = _side_by_side((gate, up), number, x.dtype)
    outof, outof_scale = _side_by_side((down,), number, x.dtype)

    def block(at, mine, rows):
      outs, inners = rows
      both = jnp.einsum("TD,DF->TF", blocks.look_up(x_rows, at, mine), into)
      both = both * into_scale
      left, right = jnp.split(both, 2, axis=1)
      hidden = jax.nn.silu(left) * right
      out = jnp.einsum("TF,FD->TD", hidden, outof) * outof_scale
      if keep:
        inners = blocks.put(inners, both, at)
      return blocks.put(outs, out, at), inners

    return blocks.of_expert(number, block, rows)

  empty = blocks.rows(width, wide), blocks.rows(2 * inner * keep, wide)
  return blocks.of_all(expert, empty)


@dataclasses.dataclass(frozen=True)
class _Blocks:
  """Rows in sorted order, cut into blocks of one expert.

  The last block of an expert reaches into the rows of the next one, which
  writes over it later. So blocks are all of one size, and no row's arithmetic
  depends on how many others there are, yet no room is lost between experts.

  Attributes:
    size: rows of a block.
    length: positions.
    sizes, begin: rows of each expert, and its first one.
    pair: the pair in each row, and one more block.
  """

  size: int
  length: int
  sizes: Int[Array, " E"]
  begin: Int[Array, " E"]
  pair: Int[Array, " S"]

  @classmethod
  def of(cls, order: Order, length: int, num_experts: int) -> "_Blocks":
    # Many enough rows to be quick, few enough to be filled.
    even = max(order.pair.size // (2 * num_experts), 1)
    size = min(_LARGEST, max(_SMALLEST, 1 << even.bit_length() - 1))
    begin = jnp.cumsum(order.sizes) - order.sizes
    pair = jnp.pad(order.pair, (0, size))
    return cls(size, length, order.sizes, begin, pair)

  def of_all(self, work: Callable[[Any, State], State], state: State) -> State:
    """Works for each expert that was chosen, in ascending order."""
    busy = jnp.argsort(self.sizes == 0, stable=True)
    num = jnp.sum(self.sizes > 0)
    return jax.lax.fori_loop(0, num, lambda i, s: work(busy[i], s), state)

  def of_expert(
    self, expert: Any, work: Callable[[Any, Any, State], State], state: State
  ) -> State:
    """Works on each block of an expert: its first row, and which count."""
    begin, size = self.begin[expert], self.sizes[expert]

    def block(index, state):
      done = index * self.size
      return work(begin + done, jnp.arange(self.size) < size - done, state)

    return jax.lax.fori_loop(0, -(-size // self.size), block, state)

  def look_up(self, x: jax.Array, at: Any, mine: jax.Array) -> jax.Array:
    """The positions of a block; zeros in the rows of others."""
    num_chosen = (self.pair.size - self.size) // self.length
    position = self.cut(self.pair, at) // num_chosen
    position = jnp.where(mine, position, self.length)
    return jnp.take(x, position, axis=0, mode="fill", fill_value=0)

  def rows(self, width: int, dtype: Any) -> jax.Array:
    """Room for all rows."""
    return jnp.zeros((self.pair.size, width), dtype)

  def cut(self, rows: jax.Array, at: Any) -> jax.Array:
    """A block of them."""
    return jax.lax.dynamic_slice_in_dim(rows, at, self.size)

  def put(self, rows: jax.Array, block: jax.Array, at: Any) -> jax.Array:
    """The same with a block written."""
    return jax.lax.dynamic_update_slice_in_dim(rows, block, at, axis=0)


def _side_by_side(weights, expert, dtype):
  """One expert's matrices, wide, and the scales of their products.

  They have been rounded to `dtype`, as in every other product with weights.
  """
  mine = [quantised.of(w, expert) for w in weights]
  scales = 1.0
  if any(isinstance(w, Quantised) for w in mine):
    scales = jnp.concatenate(
      [
        w.scales if isinstance(w, Quantised) else jnp.ones(w.shape[-1:])
        for w in mine
      ]
    )
  values = [
    w.values if isinstance(w, Quantised) else _rounded(w, dtype) for w in mine
  ]
  wide = _wide(dtype)
  return jnp.concatenate([w.astype(wide) for w in values], axis=1), scales


def _rounded(weights, dtype):
  """As cast to `dtype` and back, which a compiler would take for nothing."""
  if weights.dtype.itemsize <= dtype.itemsize:
    return weights
  info = jnp.finfo(dtype)
  return jax.lax.reduce_precision(weights, info.nexp, info.nmant)


def _wide(dtype):
  """In which products are taken."""
  return jnp.promote_types(dtype, jnp.float32)
