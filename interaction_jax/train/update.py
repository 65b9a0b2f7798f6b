"""One update of the weights, on one device or on a mesh."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Key

from interaction_jax.core import sharding
from interaction_jax.core.params import Params
from interaction_jax.model import config
from interaction_jax.train import adapt
from interaction_jax.train import losses as objective
from interaction_jax.train import state as states
from interaction_jax.train.adapt import Split
from interaction_jax.train.config import TrainConfig
from interaction_jax.train.losses import Losses
from interaction_jax.train.state import TrainState
from interaction_jax.turns.schema import Episode


@functools.partial(jax.jit, static_argnames=("cfg", "train"), donate_argnums=0)
def update(
  state: TrainState,
  episode: Episode,
  *,
  cfg: config.InteractionConfig,
  train: TrainConfig,
) -> tuple[TrainState, Losses]:
  """Takes one step down the gradient; `state` is used up.

  On a mesh it is called within `jax.set_mesh`. A step whose gradient is not
  finite is left out and counted.
  """
  key = jax.random.fold_in(jax.random.key(state.seed), state.step)
  gradient, parts = _gradient(state, episode, key, cfg, train)
  fine = jnp.isfinite(parts.total)
  after = apply(state, gradient, fine, parts.load, cfg=cfg, train=train)
  return after, parts


def apply(
  state: TrainState,
  gradient: Params,
  fine: Bool[Array, ""],
  load: Float[Array, "L E"],
  *,
  cfg: config.InteractionConfig,
  train: TrainConfig,
) -> TrainState:
  """Moves the weights against a gradient, whatever it is the gradient of.

  Args:
    fine: whether the loss is finite; if not, or if the gradient is not, the
      step is left out and counted.
    load: positions that chose each expert.
  """
  moves, memory = states.optimizer(cfg, train).update(
    gradient, state.optimizer, state.params
  )
  params: Any = optax.apply_updates(state.params, moves)
  params = adapt.whole(
    params,
    lambda own: _balanced(own, load, cfg, train.optimizer.balance),
  )
  # Early on the average is short, or it would long hold the first weights.
  decay = jnp.minimum(train.optimizer.ema, (1 + state.step) / (10 + state.step))
  average = jax.tree.map(
    lambda old, new: decay * old + (1 - decay) * new, state.average, params
  )
  fine &= jnp.isfinite(optax.tree.norm(gradient))
  after = dataclasses.replace(
    state,
    step=state.step + 1,
    params=_kept(fine, params, state.params),
    average=_kept(fine, average, state.average),
    optimizer=_kept(fine, memory, state.optimizer),
    skipped=state.skipped + ~fine,
  )
  return _pinned(after, cfg, train)


def _gradient(
  state: TrainState,
  episode: Episode,
  key: Key[Array, ""],
  cfg: config.InteractionConfig,
  train: TrainConfig,
) -> tuple[Params, Losses]:
  """The gradient of the losses of a batch, computed in parts if asked for."""
  if train.dtype is not None:
    cfg = dataclasses.replace(cfg, dtype=train.dtype)

  def tally(params: Params, piece: Episode, rows: jax.Array):
    return objective.tally(
      adapt.merge(
        Split(params, state.frozen), states.axes(cfg), cfg=train.adapt
      ),
      piece,
      key,
      cfg=cfg,
      weights=train.losses,
      rows=rows,
      length=train.data.positions,
      remat=train.remat,
    )

  def loss(params: Params, piece: Any, counts: objective.Tally | None):
    parts = objective.means(
      tally(params, *piece), weights=train.losses, counts=counts
    )
    return parts.total, parts

  slope = jax.grad(loss, has_aux=True)
  batch = (episode, jnp.arange(episode.speaks.shape[0]))
  if train.accumulate == 1:
    return slope(state.params, batch, None)
  # Leaves by themselves: with an axis of parts in front they are no episode.
  leaves, structure = jax.tree.flatten(batch)
  pieces = [_in_parts(leaf, train.accumulate) for leaf in leaves]

  def count(piece: list[jax.Array]) -> objective.Tally:
    return _counts(tally(state.params, *structure.unflatten(piece)))

  # What a mean is over is known only when all parts have been counted. Of the
  # losses nothing is asked for here, so nothing of them is computed.
  counts = _added(count, pieces)
  return _added(
    lambda piece: slope(state.params, structure.unflatten(piece), counts),
    pieces,
  )


def _added(
  run: Callable[[list[jax.Array]], Any], pieces: list[jax.Array]
) -> Any:
  """The sum of what `run` makes of each part, one after the other."""
  structures: list[Any] = []

  def leaves(piece: list[jax.Array]) -> list[jax.Array]:
    made, structure = jax.tree.flatten(run(piece))
    structures.append(structure)
    return made

  shapes = jax.eval_shape(leaves, [piece[0] for piece in pieces])
  nothing = [jnp.zeros(shape.shape, shape.dtype) for shape in shapes]
  total, _ = jax.lax.scan(
    lambda total, piece: (list(map(jnp.add, total, leaves(piece))), None),
    nothing,
    pieces,
  )
  return structures[0].unflatten(total)


def _in_parts(x: jax.Array, num: int) -> jax.Array:
  """Deals rows out to parts, so that each device has some of every part."""
  return jnp.swapaxes(x.reshape(-1, num, *x.shape[1:]), 0, 1)


def _counts(summed: objective.Tally) -> objective.Tally:
  """The counts alone; zeros take the place of all else."""
  nothing = jax.tree.map(jnp.zeros_like, summed)
  sums = {
    name: dataclasses.replace(
      getattr(nothing, name), count=getattr(summed, name).count
    )
    for name in ("text", "gate", "flow")
  }
  return dataclasses.replace(nothing, **sums)


def _kept(fine: Bool[Array, ""], new: Any, old: Any) -> Any:
  return jax.tree.map(lambda a, b: jnp.where(fine, a, b), new, old)


def _pinned(
  state: TrainState, cfg: config.InteractionConfig, train: TrainConfig
) -> TrainState:
  """Keeps a state where it lies: on the mesh in use, if there is one."""
  mesh = jax.sharding.get_abstract_mesh()
  if mesh.empty:
    return state
  places = states.places_of(cfg, train, mesh)
  return TrainState(**jax.lax.with_sharding_constraint(vars(state), places))


def _balanced(
  params: Params,
  load: Float[Array, "L E"],
  cfg: config.InteractionConfig,
  rate: float,
) -> Params:
  """Moves the selection biases towards even loads, without a loss.

  b_e += rate * sign(mean load - load_e). Biases that are not among `params`
  are not trained.

  Reference: Wang et al. 2024, arXiv:2408.15664.
  """
  leaves = sharding.by_name(params)
  sparse = [
    index
    for index in range(cfg.backbone.num_layers)
    if index not in cfg.backbone.dense_layers
  ]
  for row, index in enumerate(sparse):
    name = f"backbone/layers/{index}/feed/router/selection_bias"
    if name in leaves:
      even = load[row].mean() - load[row]
      leaves[name] = leaves[name] + rate * jnp.sign(even)
  return sharding.nested(leaves)
