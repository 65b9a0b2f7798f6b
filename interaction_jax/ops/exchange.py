"""Carrying positions to experts that other devices hold, and back.

Each device sends every position to the devices of its experts, and the sums
are made where a position came from, expert by expert in ascending order, as
one device alone would make them:

    position   ------ all-to-all ----->   its experts, sorted and multiplied
    its sum    <----- all-to-all ------   one row for each of them

Room between two devices is fixed, loads are not. What finds no room waits for
another round, so nothing is dropped, and a crowd costs time and no bits. Where
there are too few rows to spread, or so few experts that all of them are asked,
devices show each other their positions instead, and add up.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from interaction_jax.core import sharding
from interaction_jax.ops import dispatch
from interaction_jax.ops.dispatch import Dispatch, ExpertWeights, Routing
from interaction_jax.ops.quantised import Quantised

_SLACK, _SPARE, _STEP = 2, 4, 8
"""Room between two devices: even loads times slack, some to spare, rounded."""


def across(
  apply: Dispatch,
  x: Float[Array, "T D"],
  routing: Routing,
  weights: ExpertWeights,
) -> Float[Array, "T D"]:
  """Runs a dispatch on a mesh: rows, experts and their widths are spread.

  Without a mesh it is `apply` itself.
  """
  sizes = sharding.free()
  if max(sizes.values(), default=1) == 1:
    return apply(x, routing, weights)
  num_experts, _, width = weights.gate.shape
  rows = sharding.dividing("B", len(x), sizes)
  (own,) = sharding.dividing("E", num_experts, sizes) or (None,)
  (inner,) = sharding.dividing("F", width, sizes) or (None,)
  shown = own is not None and own in rows
  way = None
  if own in rows and sizes[own] > 1 and apply is not dispatch.everyone:
    way = _Way(apply, own, inner, tuple(sizes))

  leaves, tree = jax.tree.flatten(weights)

  def local(x, routing, *pieces):
    held = tree.unflatten(pieces)
    if way is not None:
      return _exchanged(way, x, routing, held)
    if shown:
      x, routing = jax.tree.map(
        lambda part: jax.lax.all_gather(part, own, tiled=True), (x, routing)
      )
    if own is not None:
      routing = _own(routing, own, held.gate.shape[0])
    out = apply(x, routing, held)
    if inner is not None:
      out = jax.lax.psum(out, inner)
    if shown:
      return jax.lax.psum_scatter(out, own, tiled=True)
    return out if own is None else jax.lax.psum(out, own)

  wide, narrow = P(own, None, inner), P(own, inner, None)
  if isinstance(weights.gate, Quantised):
    # A scale lies where its channel does.
    places = [wide, P(own, inner), wide, P(own, inner), narrow, P(own, None)]
  else:
    # Weights that lie in pieces are fetched in the dtype they are used in.
    leaves = [w.astype(x.dtype) for w in leaves]
    places = [wide, wide, narrow]
  return jax.shard_map(
    local,
    in_specs=(P(rows), P(rows), *places),
    out_specs=P(rows),
    axis_names=set(sizes),
    check_vma=False,
  )(x, routing, *leaves)


def _own(routing: Routing, axis: str, here: int) -> Routing:
  """The routing as a device sees it that holds `here` experts."""
  experts = routing.experts - jax.lax.axis_index(axis) * here
  mine = (experts >= 0) & (experts < here)
  return dataclasses.replace(routing, experts=jnp.where(mine, experts, here))


@dataclasses.dataclass(frozen=True)
class _Way:
  """How positions go.

  Attributes:
    apply: what a device does with those that came to it.
    own: the axis along which experts lie.
    inner: the axis along which their widths lie.
    everywhere: all axes; a round is one for all devices, since some machines
      wait for everybody in a collective.
  """

  apply: Dispatch
  own: str
  inner: str | None
  everywhere: tuple[str, ...]


def _exchanged(
  way: _Way,
  x: Float[Array, "T D"],
  routing: Routing,
  weights: ExpertWeights,
) -> Float[Array, "T D"]:
  """The weighted sums of a device's own positions."""
  length, num_chosen = routing.experts.shape
  # Rank by rank, so that what belongs to one rank lies together.
  pairs: Any = _pairs(way, x, routing.experts.T.reshape(-1), weights)
  pairs = pairs.reshape(num_chosen, length, -1)
  total = jnp.zeros(x.shape, jnp.float32)
  for rank in range(num_chosen):
    share = routing.weights[:, rank, None]
    total = total + pairs[rank].astype(jnp.float32) * share
  return total.astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _pairs(
  way: _Way,
  x: Float[Array, "T D"],
  experts: Int[Array, " I"],
  weights: ExpertWeights,
) -> Float[Array, "I D"]:
  """What every pair of a position and an expert gives.

  It takes as many rounds as the fullest way between two devices needs.
  """
  seats = _seats(way, experts, weights.gate.shape[0])

  def more(carry):
    index, pairs = carry
    return index + 1, pairs + _round(way, seats, index, x, weights)

  start = (0, jnp.zeros((len(experts), x.shape[1]), x.dtype))
  return _until(seats.num_rounds, more, start)


def _pairs_forward(way, x, experts, weights):
  return _pairs(way, x, experts, weights), (x, experts, weights)


def _pairs_backward(way, kept, grad):
  x, experts, weights = kept
  seats = _seats(way, experts, weights.gate.shape[0])

  def more(carry):
    index, sums = carry
    run = functools.partial(_round, way, seats, index)
    return index + 1, jax.tree.map(
      jnp.add, sums, jax.vjp(run, x, weights)[1](grad)
    )

  start = (0, jax.tree.map(jnp.zeros_like, (x, weights)))
  x_grad, weights_grad = _until(seats.num_rounds, more, start)
  return x_grad, None, weights_grad


_pairs.defvjp(_pairs_forward, _pairs_backward)


def _until(num_rounds, more, start):
  """Goes on until all rounds are done."""
  with jax.named_scope("rounds"):
    return jax.lax.while_loop(lambda carry: carry[0] < num_rounds, more, start)[
      1
    ]


@dataclasses.dataclass(frozen=True)
class _Seats:
  """Where pairs sit on their way.

  Attributes:
    target: the device that each pair goes to.
    expert: its expert, as that device counts them.
    rank: its number among the pairs that go there from here.
    here: experts that each device holds.
    devices: how many there are.
    room: pairs that go from one device to another in a round.
    num_rounds: that are needed, by those who need the most.
  """

  target: Int[Array, " I"]
  expert: Int[Array, " I"]
  rank: Int[Array, " I"]
  here: int
  devices: int
  room: int
  num_rounds: Int[Array, ""]


def _seats(way: _Way, experts: Int[Array, " I"], here: int) -> _Seats:
  devices = jax.lax.axis_size(way.own)
  target = experts // here
  goes = jax.nn.one_hot(target, devices, dtype=jnp.int32)
  before = jnp.cumsum(goes, axis=0) - goes
  rank = jnp.take_along_axis(before, target[:, None], axis=1)[:, 0]
  room = _room(len(experts), devices)
  most = jax.lax.pmax(goes.sum(axis=0).max(), way.everywhere)
  return _Seats(
    target=target,
    expert=experts % here,
    rank=rank,
    here=here,
    devices=devices,
    room=room,
    num_rounds=-(-most // room),
  )


def _room(num_pairs: int, devices: int) -> int:
  """Pairs for which there is room between two devices in a round."""
  wanted = _SLACK * num_pairs // devices + _SPARE
  return min(-(-wanted // _STEP) * _STEP, num_pairs)


def _round(
  way: _Way,
  seats: _Seats,
  index: Int[Array, ""] | int,
  x: Float[Array, "T D"],
  weights: ExpertWeights,
) -> Float[Array, "I D"]:
  """The pairs of one round; zeros for those of all others."""
  num_pairs, room = len(seats.target), seats.room
  num_seats = seats.devices * room
  slot = seats.rank - index * room
  seated = (slot >= 0) & (slot < room)
  seat = jnp.where(seated, seats.target * room + slot, num_seats)
  pair = jnp.full((num_seats,), num_pairs, jnp.int32)
  pair = pair.at[seat].set(jnp.arange(num_pairs, dtype=jnp.int32), mode="drop")
  real = pair < num_pairs
  # Pairs lie rank by rank; which one sits on an empty seat is the same.
  rows = jnp.where(real[:, None], x[pair % len(x)], 0)
  expert = jnp.where(real, seats.expert[pair % num_pairs], seats.here)

  def pass_on(part):
    return jax.lax.all_to_all(part, way.own, 0, 0, tiled=True)

  came = Routing(
    pass_on(expert)[:, None],
    jnp.ones((num_seats, 1), jnp.float32),
    jnp.zeros((num_seats, 1), jnp.float32),
  )
  out = way.apply(pass_on(rows), came, weights)
  if way.inner is not None:
    out = jax.lax.psum(out, way.inner)
  back = pass_on(out)[jnp.minimum(seat, num_seats - 1)]
  return jnp.where(seated[:, None], back, 0)
