"""Choosing experts, and carrying positions to them and back.

What happens on one device; `ops/exchange.py` spreads it over many.

Two ways that must agree: `grouped` sorts all pairs of position and expert and
multiplies group by group (training, long prefill); `gathered` is for the few
positions of a micro-turn: it walks over the experts and skips those nobody
chose, or asks all of them at once about a few positions each.
No row's arithmetic depends on another row in either, and both add up a
position's experts in ascending order of expert.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from interaction_jax.ops import grouped as grouping
from interaction_jax.ops import linear, quantised, slotted
from interaction_jax.ops.quantised import Quantised, contract

_FEW = 16
"""Positions of an expert, on average, up to which they are few."""

_MOST = 2
"""Experts for each that may be chosen from which walking over them is best."""

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
  """Gated feed-forward blocks: down(silu(gate x) * up x).

  Quantised ones are for serving; they have no gradient.
  """

  gate: Float[Array, "E D F"] | Quantised
  up: Float[Array, "E D F"] | Quantised
  down: Float[Array, "E F D"] | Quantised


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
  return _by_platform(grouping.blockwise, x, routing, weights)


def gathered(
  x: Float[Array, "T D"], routing: Routing, weights: ExpertWeights
) -> Float[Array, "T D"]:
  """The same sum, for few positions.

  Where most experts are nobody's they are walked over, and what nobody chose is
  not even read; else each has slots for its positions (`ops/slotted.py`). Off
  the CPU, where a loop of small products takes longer than it saves, that is
  what `ragged_dot` does with empty groups.
  """
  few = routing.experts.size * _MOST <= weights.gate.shape[0]
  # Of quantised ones, the slots would widen all.
  walk = few or isinstance(weights.gate, Quantised)
  return _by_platform(_walked if walk else slotted.apply, x, routing, weights)


def _by_platform(on_cpu, x, routing, weights, off_it=grouping.ragged):
  """One way on a CPU, and off it that of XLA for groups of rows, or another."""
  shares = routing.weights
  if isinstance(weights.gate, Quantised):
    (x, shares), weights = quantised.ungraded((x, shares), weights)
  return jax.lax.platform_dependent(
    x,
    routing.experts,
    shares,
    weights.gate,
    weights.up,
    weights.down,
    cpu=on_cpu,
    default=off_it,
  )


def _walked(x, experts, shares, gate, up, down):
  """Expert by expert, on a CPU."""

  def add(expert, total):
    chosen = experts == expert
    weight = jnp.sum(jnp.where(chosen, shares, 0.0), axis=-1)
    mine = chosen.any(axis=-1)[:, None]

    def work(total):
      hidden = jax.nn.silu(contract("TD,DF->TF", x, quantised.of(gate, expert)))
      hidden = hidden * contract("TD,DF->TF", x, quantised.of(up, expert))
      out = contract("TF,FD->TD", hidden, quantised.of(down, expert))
      out = out.astype(jnp.float32)
      return jnp.where(mine, total + out * weight[:, None], total)

    return jax.lax.cond(mine.any(), work, lambda total: total, total)

  start = jnp.zeros(x.shape, jnp.float32)
  return jax.lax.fori_loop(0, gate.shape[0], add, start).astype(x.dtype)


def everyone(
  x: Float[Array, "T D"], routing: Routing, weights: ExpertWeights
) -> Float[Array, "T D"]:
  """The same sum, every expert asked about every position.

  Two wide products and no sorting: with few experts, of which many are
  chosen, that is less work than carrying rows to and fro. On a CPU it is more,
  and there it is `grouped`.
  """
  if isinstance(weights.gate, Quantised):
    return _each(x, routing, weights)
  return _by_platform(grouping.blockwise, x, routing, weights, _asked)


def _asked(x, experts, shares, gate, up, down):
  """The body of `everyone` off the CPU."""
  num_experts, width, inner = gate.shape

  def wide(w: jax.Array) -> jax.Array:
    return jnp.moveaxis(w, 0, 1).reshape(width, num_experts * inner)

  share = _spread(experts, shares, num_experts)
  hidden = jax.nn.silu(linear.contract("TD,DF->TF", x, wide(gate)))
  hidden = hidden * linear.contract("TD,DF->TF", x, wide(up))
  hidden = hidden * jnp.repeat(share.astype(x.dtype), inner, axis=1)
  down = down.reshape(num_experts * inner, width)
  return linear.contract("TF,FD->TD", hidden, down)


def _spread(experts, shares, num_experts):
  """Each position's share of every expert."""
  # Somebody else's experts have numbers past the last one. Not a scatter, which
  # XLA cannot divide among devices when other axes of the mesh are its own.
  one = jax.nn.one_hot(experts, num_experts, dtype=jnp.float32)
  return (one * shares.astype(jnp.float32)[..., None]).sum(axis=1)


def _each(x, routing, weights):
  """`everyone` where each expert has scales of its own: added up at last."""
  num_experts = weights.gate.shape[0]
  share = _spread(routing.experts, routing.weights, num_experts)
  (x, share), weights = quantised.ungraded((x, share), weights)
  hidden = jax.nn.silu(contract("TD,EDF->TEF", x, weights.gate))
  hidden = hidden * contract("TD,EDF->TEF", x, weights.up)
  out = contract("TEF,EFD->TED", hidden, weights.down)
  out = out.astype(jnp.float32) * share[:, :, None]
  return out.sum(axis=1).astype(x.dtype)


def choose(num_positions: int, num_experts: int, num_chosen: int) -> Dispatch:
  """The dispatch that is fastest for a block of this size, a static choice.

  It reads no load: who else is in the batch never decides a row's arithmetic.
  """
  if num_positions * num_chosen <= _FEW * num_experts:
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
  hidden = jax.nn.silu(linear.contract("TD,ODF->TOF", x, gate))
  hidden = hidden * linear.contract("TD,ODF->TOF", x, up)
  hidden = hidden * share.astype(x.dtype)[:, :, None]
  return linear.contract("TOF,OFD->TD", hidden, down)
