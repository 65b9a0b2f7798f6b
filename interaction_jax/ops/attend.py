"""Attention with a learned relative bias, for episodes and for memories.

A query sees an entry by three numbers, never by where the entry lies: its
position, its kind, and its rank among the entries of its kind. `visible` is
the one rule; `episode` and `from_memory` differ only in which entries they
have to look at.
"""

import dataclasses
import functools
from typing import Final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from interaction_jax.core import sharding
from interaction_jax.ops.kernels import recall

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

  softmax(q k / H + b) v over the visible entries. Queries stand one behind the
  other; whatever follows the last real one is padding. There is one segment.
  """
  ways = {"cpu": _row_by_row, "default": _whole_memory}
  if recall.fits(q.shape[-1], k.shape[2]):
    ways["tpu"] = _by_kernel
  return jax.lax.platform_dependent(q, k, v, bias, queries, entries, **ways)


_SPLIT: Final = (
  ("B T N H", "B S K H", "B S K H", "B T N R", "R Y", "B", "B"),
  "B T N H",
)
"""Letters of what attention to a memory takes and gives, for a mesh."""


def _row_by_row(q, k, v, bias, queries, entries):
  """The same on a CPU, a session at a time: its scores stay in the cache."""

  def here(q, k, v, features, bank, queries, entries):
    def row(index):
      def own(x):
        return jax.lax.dynamic_slice_in_dim(x, index, 1)

      return _late(
        own(q),
        own(k),
        own(v),
        Bias(own(features), bank),
        jax.tree.map(own, queries),
        jax.tree.map(own, entries),
      )[0]

    return jax.lax.map(row, jnp.arange(q.shape[0]))

  # Rows on several devices would be brought together for a loop.
  run = sharding.local(here, *_SPLIT)
  return run(q, k, v, bias.features, bias.bank, queries, entries)


def _late(q, k, v, bias, queries, entries):
  """`_whole_memory` in float32, to which a CPU widens what is narrower.

  Queries and not scores are laid out by head, and divided last: scores are
  many and queries are few.
  """
  width, num_keys, dtype = q.shape[-1], k.shape[2], v.dtype
  q, k, v = (x.astype(jnp.float32) for x in (q, k, v))
  distance = queries.pos[:, :, None] - entries.pos[:, None, :]
  scores = _multiply("BKGTH,BSKH->BKGTS", _to_groups(q, num_keys) / width, k)
  scores = scores + _by_distance(bias, distance).reshape(scores.shape)
  return _weighed(scores, visible(queries, entries), v)[0].astype(dtype)


def _whole_memory(q, k, v, bias, queries, entries):
  """All scores at once, every bias looked up."""
  distance = queries.pos[:, :, None] - entries.pos[:, None, :]
  return _read(q, k, v, _by_distance(bias, distance), visible(queries, entries))


@jax.custom_vjp
def _by_kernel(q, k, v, bias, queries, entries):
  """The same on a TPU, where a look-up for every score takes far too long."""

  def here(q, k, v, features, bank, queries, entries):
    length, reach = q.shape[1], bank.shape[1]
    table = _by_place(bank, reach - 1, length, reach + length - 1)
    profile = jnp.einsum(
      "BTNR,TRY->BTNY",
      features,
      table.astype(features.dtype),
      preferred_element_type=jnp.float32,
    )
    what = jnp.stack([entries.pos, entries.kind, entries.rank], axis=1)
    return recall.recall(q, k, v, profile, queries.pos, queries.horizon, what)

  # A kernel is no product that XLA could divide: each device runs its own.
  run = sharding.local(here, *_SPLIT)
  return run(q, k, v, bias.features, bias.bank, queries, entries)


_by_kernel.defvjp(
  lambda *given: (_by_kernel(*given), given),
  lambda given, grad: jax.vjp(_whole_memory, *given)[1](grad),
)


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
  given = (
    q,
    k,
    v,
    bias.features,
    bank.astype(q.dtype),
    visible(queries, entries),
  )
  if q.dtype == jnp.float32:
    return _attend(*given)
  return jax.lax.platform_dependent(*given, cpu=_widened, default=_attend)


def _widened(*given):
  """As `_attend`, for a CPU: it would widen all scores for every product."""
  dtype = given[0].dtype
  *given, mask = given
  given = [x.astype(jnp.float32) for x in given]
  return _attend(*given, mask).astype(dtype)


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
  out, level = _weighed(_scores(q, k, features, bank), mask, v)
  return out, (q, k, v, features, bank, mask, out, level)


def _weighed(scores, mask, v):
  """softmax(scores) v where `mask`, and the log of what it was divided by."""
  scores = jnp.where(mask[:, None, None], scores, _HIDDEN)
  top = scores.max(axis=-1, keepdims=True)
  weights = jnp.exp(scores - top)
  total = weights.sum(axis=-1, keepdims=True)
  out = _multiply("BKGTS,BSKH->BKGTH", weights.astype(v.dtype), v) / total
  return _from_groups(out).astype(v.dtype), (top + jnp.log(total))[..., 0]


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
  near = low[..., low.shape[-1] - bank.shape[-1] :]
  # Query by query from here on, as in `_scores`.
  near = jnp.moveaxis(near, 3, 0)
  by_query = jnp.moveaxis(_to_groups(features, num_keys), 3, 0)
  features_grad = _multiply("TBKGS,TRS->TBKGR", near, bank)
  features_grad = _from_groups(jnp.moveaxis(features_grad, 0, 3))
  bank_grad = _multiply("TBKGR,TBKGS->TRS", by_query, near)
  return (
    _from_groups(q_grad).astype(q.dtype),
    k_grad.astype(k.dtype),
    v_grad.astype(v.dtype),
    features_grad.astype(features.dtype),
    bank_grad.astype(bank.dtype),
    None,
  )


_attend.defvjp(_attend_forward, _attend_backward)


def _scores(q, k, features, bank):
  """What a query gives an entry, in float32, before any mask."""
  num_keys, width = k.shape[2:]
  scores = _multiply("BKGTH,BSKH->BKGTS", _to_groups(q, num_keys), k) / width
  # Each query has a bank of its own, moved by its place; for all sequences
  # and heads it is the same one.
  by_query = jnp.moveaxis(_to_groups(features, num_keys), 3, 0)
  bias = _multiply("TBKGR,TRS->TBKGS", by_query, bank)
  far = scores.shape[-1] - bank.shape[-1]
  bias = jnp.pad(jnp.moveaxis(bias, 0, 3), [(0, 0)] * 4 + [(far, 0)])
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
) -> Float[Array, "T R S"]:
  """The bank for pairs whose distance is `start + t - s`, without a look-up.

  Keys so far back that no query has a bias for them are left out in front.
  Each profile is reversed, so that distances fall from left to right, and
  repeated for every query; laid end to end and cut again into rows one
  shorter, every row moves one place to the right of the one above it.

      t=0   2 1 0 . .   becomes   2 1 0 .
      t=1   2 1 0 . .             . 2 1 0
  """
  num_features, reach = bank.shape
  far = min(max(start - reach + 1, 0), num_keys)
  start, num_keys = start - far, num_keys - far
  width = num_keys + num_queries
  # Distance 0 of the last query belongs in column start + num_queries - 1.
  front = start + num_queries - reach
  table = bank[:, ::-1][:, max(-front, 0) :]
  front = max(front, 0)
  table = table[:, : width - front]
  back = width - front - table.shape[-1]
  table = jnp.pad(table, ((0, 0), (front, back)))
  flat = jnp.tile(table, (1, num_queries))[:, num_queries - 1 :]
  flat = flat[:, : num_queries * (width - 1)]
  table = flat.reshape(num_features, num_queries, width - 1)[..., :num_keys]
  return jnp.moveaxis(table, 1, 0)


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
