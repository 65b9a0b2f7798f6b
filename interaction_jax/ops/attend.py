"""Attention with a learned relative bias, for episodes and for memories.

A query sees an entry by three numbers, never by where the entry lies: its
position, its kind, and its rank among the entries of its kind. `visible` is
the one rule; `episode` and `from_memory` differ only in which entries they
have to look at.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

_HIDDEN = -1e30
"""Score of what is not seen. Finite: a row that sees nothing stays finite."""

_MAX_BLOCKS = 16
"""Query blocks of an episode that are unrolled; more would compile slowly."""

_MIN_BLOCK = 128
"""Queries a block has at least; smaller ones leave the cores idle."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Queries:
  """Who looks.

  Attributes:
    pos: position in the session.
    horizon: for each kind the lowest rank still seen.
    segment: positions of other segments are not seen; None: there is one.
  """

  pos: Int[Array, "B T"]
  horizon: Int[Array, "B T I"]
  segment: Int[Array, "B T"] | None = None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Entries:
  """What can be seen.

  Attributes:
    pos: position in the session; -1 where there is nothing.
    kind: index into the horizons of a query.
    rank: number of the entry among those of its kind.
    segment: as in `Queries`.
  """

  pos: Int[Array, "B S"]
  kind: Int[Array, "B S"]
  rank: Int[Array, "B S"]
  segment: Int[Array, "B S"] | None = None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Bias:
  """A bias by distance, mixed by each query from a bank of profiles.

  b(t, s) = features_t . bank[:, t - s], zero from distance Y on.

  Reference: the relative attention of Inkling (Apache-2.0 release, 2026).
  """

  features: Float[Array, "B T N R"]
  bank: Float[Array, "R Y"]


def visible(queries: Queries, entries: Entries) -> Bool[Array, "B T S"]:
  """Which entries each query sees: the past of its segment, not forgotten.

  kind   t m t m m      horizon of the last query: t from rank 1 on,
  rank   0 0 1 1 2                                 m from rank 1 on
  seen   - - x x x
  """
  pos = entries.pos[:, None, :]
  mask = (pos >= 0) & (pos <= queries.pos[:, :, None])
  num_kinds = queries.horizon.shape[-1]
  for kind in range(num_kinds):
    recent = entries.rank[:, None, :] >= queries.horizon[:, :, kind, None]
    if num_kinds > 1:
      recent |= entries.kind[:, None, :] != kind
    mask &= recent
  if queries.segment is not None and entries.segment is not None:
    mask &= entries.segment[:, None, :] == queries.segment[:, :, None]
  return mask


def from_memory(
  q: Float[Array, "B T N H"],
  k: Float[Array, "B S K H"],
  v: Float[Array, "B S K H"],
  bias: Bias,
  queries: Queries,
  entries: Entries,
) -> Float[Array, "B T N H"]:
  """Attends to entries that lie in any order, as in a ring.

  softmax(q k / H + b) v over the visible entries.
  """
  distance = queries.pos[:, :, None] - entries.pos[:, None, :]
  return _read(q, k, v, _by_distance(bias, distance), visible(queries, entries))


def episode(
  q: Float[Array, "B T N H"],
  k: Float[Array, "B T K H"],
  v: Float[Array, "B T K H"],
  bias: Bias,
  queries: Queries,
  entries: Entries,
  *,
  window: int | None,
) -> Float[Array, "B T N H"]:
  """Attends within whole sequences whose positions lie in order.

  Never holds T x T scores: a window layer works on bands two windows wide, a
  global one block by block, and gradients make the scores of a block anew.

  Args:
    window: number of positions seen, the query's own included; None: all.
  """
  if window is not None and q.shape[1] > window:
    return _banded(q, k, v, bias, queries, entries, window)
  return _blockwise(q, k, v, bias, queries, entries)


def _banded(q, k, v, bias, queries, entries, window):
  """Blocks of one window, each with the block before it, side by side."""
  batch, length = q.shape[:2]
  num_blocks = -(-length // window)

  def own(x, fill=0):
    width = [(0, 0)] * x.ndim
    width[1] = (0, num_blocks * window - length)
    x = jnp.pad(x, width, constant_values=fill)
    return x.reshape(batch, num_blocks, window, *x.shape[2:])

  def both(x, fill=0):
    x = own(x, fill)
    before = jnp.pad(
      x[:, :-1],
      [(0, 0), (1, 0)] + [(0, 0)] * (x.ndim - 2),
      constant_values=fill,
    )
    return flat(jnp.concatenate([before, x], axis=2))

  def flat(x):
    return x.reshape(batch * num_blocks, *x.shape[2:])

  def queries_of(x):
    return flat(own(x))

  out = _block(
    queries_of(q),
    both(k),
    both(v),
    Bias(queries_of(bias.features), bias.bank),
    jax.tree.map(queries_of, queries),
    jax.tree.map(functools.partial(both, fill=-1), entries),
    window,
  )
  out = out.reshape(batch, num_blocks * window, *out.shape[2:])
  return out[:, :length]


def _blockwise(q, k, v, bias, queries, entries):
  """Blocks of queries, each with all the keys up to its own end."""
  length = q.shape[1]
  size = max(_MIN_BLOCK, -(-length // _MAX_BLOCKS))
  out = []
  for start in range(0, length, size):
    end = min(start + size, length)

    def rows(x, start=start, end=end):
      return x[:, start:end]

    def past(x, end=end):
      return x[:, :end]

    out.append(
      _block(
        rows(q),
        past(k),
        past(v),
        Bias(rows(bias.features), bias.bank),
        jax.tree.map(rows, queries),
        jax.tree.map(past, entries),
        start,
      )
    )
  return jnp.concatenate(out, axis=1)


def _block(q, k, v, bias, queries, entries, start):
  """Queries whose first one lies `start` places after the first key."""
  bank = _by_place(bias.bank, start, q.shape[1], k.shape[1])
  mask = visible(queries, entries)
  return _attend(q, k, v, bias.features, bank.astype(q.dtype), mask)


@jax.custom_vjp
def _attend(q, k, v, features, bank, mask):
  """softmax(q k / H + features . bank) v where `mask`.

  The gradient keeps one number a query and makes the scores anew. Queries are
  laid out like the scores before they are multiplied, since scores are many
  and queries are few.

  Args:
    bank: as `_by_place` gives it.
  """
  return _attend_forward(q, k, v, features, bank, mask)[0]


def _attend_forward(q, k, v, features, bank, mask):
  scores = jnp.where(
    mask[:, None, None], _scores(q, k, features, bank), _HIDDEN
  )
  top = scores.max(axis=-1, keepdims=True)
  weights = jnp.exp(scores - top)
  total = weights.sum(axis=-1, keepdims=True)
  out = _multiply("BKGTS,BSKH->BKGTH", weights.astype(v.dtype), v) / total
  out = _from_groups(out).astype(v.dtype)
  level = (top + jnp.log(total))[..., 0]
  return out, (q, k, v, features, bank, mask, out, level)


def _attend_backward(kept, grad):
  q, k, v, features, bank, mask, out, level = kept
  num_keys, width = k.shape[2:]
  scores = _scores(q, k, features, bank)
  weights = jnp.exp(scores - level[..., None])
  weights = jnp.where(mask[:, None, None], weights, 0.0)
  # What the normalisation takes back: the mean of the gradients of weights.
  mean = (grad.astype(jnp.float32) * out.astype(jnp.float32)).sum(axis=-1)
  mean = _to_groups(mean[..., None], num_keys)
  grouped = _to_groups(grad, num_keys)
  moved = _multiply("BKGTH,BSKH->BKGTS", grouped, v)
  moved = weights * (moved - mean)
  low = moved.astype(q.dtype)
  q_grad = _multiply("BKGTS,BSKH->BKGTH", low, k) / width
  k_grad = _multiply("BKGTS,BKGTH->BSKH", low, _to_groups(q, num_keys)) / width
  v_grad = _multiply("BKGTS,BKGTH->BSKH", weights.astype(v.dtype), grouped)
  far = low.shape[-1] + low.shape[-2] - bank.shape[-1]
  by_place = _slid_back(low[..., far:])
  features_grad = _multiply("BKGTS,RS->BKGTR", by_place, bank)
  bank_grad = _multiply(
    "BKGTR,BKGTS->RS", _to_groups(features, num_keys), by_place
  )
  return (
    _from_groups(q_grad).astype(q.dtype),
    k_grad.astype(k.dtype),
    v_grad.astype(v.dtype),
    _from_groups(features_grad).astype(features.dtype),
    bank_grad.astype(bank.dtype),
    None,
  )


_attend.defvjp(_attend_forward, _attend_backward)


def _scores(q, k, features, bank):
  """What a query gives an entry, in float32, before any mask."""
  num_keys, width = k.shape[2:]
  scores = _multiply("BKGTH,BSKH->BKGTS", _to_groups(q, num_keys), k) / width
  bias = _multiply("BKGTR,RS->BKGTS", _to_groups(features, num_keys), bank)
  bias = _slid(bias)
  far = scores.shape[-1] - bias.shape[-1]
  bias = jnp.pad(bias, [(0, 0)] * 4 + [(far, 0)])
  return scores + bias


def _to_groups(x, num_keys):
  """[B T N ...] as [B K G T ...]."""
  batch, length, num_queries = x.shape[:3]
  x = x.reshape(batch, length, num_keys, num_queries // num_keys, *x.shape[3:])
  return jnp.moveaxis(x, 1, 3)


def _from_groups(x):
  """[B K G T ...] as [B T N ...]."""
  x = jnp.moveaxis(x, 3, 1)
  return x.reshape(*x.shape[:2], -1, *x.shape[4:])


def _multiply(equation, x, y):
  return jnp.einsum(equation, x, y, preferred_element_type=jnp.float32)


def _by_place(
  bank: Float[Array, "R Y"], start: int, num_queries: int, num_keys: int
) -> Float[Array, "R S"]:
  """The bank as the last query meets it: its distances to keys, then beyond.

  Keys so far back that no query has a bias for them are left out in front.
  Distances fall from left to right. There are as many columns as keys and
  queries together, so that `_slid` finds those of every query.

      distance   . 2 1 0 . .      of the last of three queries, to three keys
  """
  reach = bank.shape[1]
  far = min(max(start - reach + 1, 0), num_keys)
  start, num_keys = start - far, num_keys - far
  width = num_keys + num_queries
  # Distance 0 of the last query belongs in column start + num_queries - 1.
  front = start + num_queries - reach
  table = bank[:, ::-1][:, max(-front, 0) :]
  front = max(front, 0)
  table = table[:, : width - front]
  back = width - front - table.shape[-1]
  return jnp.pad(table, ((0, 0), (front, back)))


def _slid(x: Float[Array, "... T I"]) -> Float[Array, "... T S"]:
  """Moves every row one place to the right of the one above it.

  Laid end to end and cut again into rows one shorter, they do so without a
  look-up.

      t=0   . 2 1 0 . .   becomes   1 0 . .
      t=1   . 2 1 0 . .             2 1 0 .    columns of keys alone are kept
  """
  length, width = x.shape[-2:]
  flat = x.reshape(*x.shape[:-2], length * width)
  flat = flat[..., length - 1 : length - 1 + length * (width - 1)]
  rows = flat.reshape(*x.shape[:-1], width - 1)
  return rows[..., : width - length]


def _slid_back(x: Float[Array, "... T S"]) -> Float[Array, "... T I"]:
  """The transpose of `_slid`: what its gradients go through."""
  length, num_keys = x.shape[-2:]
  width = length + num_keys
  fill = [(0, 0)] * (x.ndim - 1)
  rows = jnp.pad(x, [*fill, (0, length - 1)])
  flat = rows.reshape(*x.shape[:-2], length * (width - 1))
  flat = jnp.pad(flat, [*fill[1:], (length - 1, 1)])
  return flat.reshape(*x.shape[:-1], width)


def _read(q, k, v, bias, mask):
  """softmax(q k / H + bias) v where `mask`, in float32."""
  batch, length, num_queries, width = q.shape
  num_keys = k.shape[2]
  q = q.reshape(batch, length, num_keys, num_queries // num_keys, width)
  scores = jnp.einsum(
    "BTKGH,BSKH->BKGTS", q, k, preferred_element_type=jnp.float32
  )
  # Queries and keys are normed, so the scale is 1/H and not 1/sqrt(H).
  scores = scores / width + bias.reshape(scores.shape)
  scores = jnp.where(mask[:, None, None], scores, _HIDDEN)
  weights = jax.nn.softmax(scores, axis=-1).astype(v.dtype)
  out = jnp.einsum(
    "BKGTS,BSKH->BTKGH", weights, v, preferred_element_type=jnp.float32
  )
  return out.reshape(batch, length, num_queries, width).astype(v.dtype)


def _profiles(bias: Bias) -> Float[Array, "B T N Y"]:
  return jnp.einsum(
    "BTNR,RY->BTNY",
    bias.features,
    bias.bank.astype(bias.features.dtype),
    preferred_element_type=jnp.float32,
  )


def _by_distance(
  bias: Bias, distance: Int[Array, "B T S"]
) -> Float[Array, "B N T S"]:
  """The bias of each pair, by looking its distance up."""
  reach = bias.bank.shape[1]
  # Entries lie in rows of N, so that one look-up copies all heads at once.
  table = jnp.moveaxis(_profiles(bias), 3, 2)
  inside = (distance >= 0) & (distance < reach)
  index = jnp.where(inside, distance, 0)[..., None]
  found = jnp.take_along_axis(table, index, axis=2, mode="clip")
  return jnp.moveaxis(jnp.where(inside[..., None], found, 0.0), 3, 1)
