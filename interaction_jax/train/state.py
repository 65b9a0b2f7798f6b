"""All that a run has come to: weights, averages, moments, counters.

One rule says where each of it lies on a mesh, and one form of it goes into
checkpoints, for any optimizer and any choice of weights that are trained.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Int, UInt32

from interaction_jax.core import sharding
from interaction_jax.core.params import Params
from interaction_jax.model import config, interaction
from interaction_jax.train import adapt
from interaction_jax.train import optimizer as optimizers
from interaction_jax.train.adapt import Split
from interaction_jax.train.config import TrainConfig


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
  """Everything a run needs to go on.

  Attributes:
    step: updates so far.
    seed: of the run; with `step` it decides every draw.
    params: the weights that are trained, as `adapt.Split.trained`.
    average: their exponential average.
    optimizer: state of optax.
    skipped: updates left out because something was not finite.
    frozen: the weights that are not trained; None: there are none.
  """

  step: Int[Array, ""]
  seed: UInt32[Array, ""]
  params: Params
  average: Params
  optimizer: Any
  skipped: Int[Array, ""]
  frozen: Params | None = None


def begin(
  cfg: config.InteractionConfig,
  train: TrainConfig,
  *,
  mesh: Mesh | None = None,
) -> TrainState:
  """The state before the first update.

  Args:
    mesh: where it lies; each weight is drawn there, and none is ever whole on
      one device. None: on one device.
  """

  def draw(key: jax.Array) -> dict[str, Any]:
    return vars(_restart(interaction.init(key, cfg=cfg), cfg, train))

  places = None if mesh is None else places_of(cfg, train, mesh)
  key = jax.random.key(train.seed)
  return TrainState(**jax.jit(draw, out_shardings=places)(key))


def restart(
  params: Params,
  cfg: config.InteractionConfig,
  train: TrainConfig,
  *,
  mesh: Mesh | None = None,
) -> TrainState:
  """The state before the first update of weights that exist already.

  Args:
    mesh: as for `begin`; weights that lie there already stay there.
  """
  goals = None if mesh is None else places_of(cfg, train, mesh)
  if mesh is not None:
    places = sharding.shardings(axes(cfg), params, mesh)
    params = jax.device_put(params, places)
  made = jax.jit(
    lambda params: vars(_restart(params, cfg, train)), out_shardings=goals
  )
  return TrainState(**made(params))


def abstract(
  cfg: config.InteractionConfig, train: TrainConfig
) -> dict[str, Any]:
  """The shapes of a state by its fields, for reading one without making one.

  They are no `TrainState`, which holds arrays.
  """
  return jax.eval_shape(
    lambda key: vars(_restart(interaction.init(key, cfg=cfg), cfg, train)),
    jax.random.key(0),
  )


def places_of(
  cfg: config.InteractionConfig, train: TrainConfig, mesh: sharding.AnyMesh
) -> dict[str, Any]:
  """Where every array of a state lies on a mesh, by its fields.

  Weights follow the table of weights; their average and their moments lie
  beside them.

  Raises:
    ValueError: a weight cannot be split as the mesh asks.
  """
  shapes = abstract(cfg, train)
  split = letters(cfg, train)
  params = sharding.shardings(split.trained, shapes["params"], mesh)
  whole = NamedSharding(mesh, P())
  places = dict.fromkeys(shapes, whole) | {
    "params": params,
    "average": params,
    "optimizer": optax.tree.map_params(
      optimizer(cfg, train),
      # Weights that another part of the optimizer moves are left out in this.
      lambda leaf, place: leaf if _left_out(leaf) else place,
      shapes["optimizer"],
      params,
      transform_non_params=lambda _: whole,
      is_leaf=_left_out,
    ),
    "frozen": None,
  }
  if shapes["frozen"] is not None:
    places["frozen"] = sharding.shardings(split.frozen, shapes["frozen"], mesh)
  return places


def rows_on(mesh: sharding.AnyMesh) -> NamedSharding:
  """Where a batch lies on a mesh: every array of an `Episode` by its rows."""
  return NamedSharding(
    mesh, sharding.spec("B", sharding.RULES.activations, mesh)
  )


def weights(
  state: TrainState,
  *,
  cfg: config.InteractionConfig,
  train: TrainConfig,
  average: bool = True,
) -> Params:
  """The weights of the model that a state has come to.

  Args:
    average: of the last updates, or as they are now.
  """
  own = state.average if average else state.params
  return adapt.merge(Split(own, state.frozen), axes(cfg), cfg=train.adapt)


def to_tree(fields: Mapping[str, Any]) -> Params:
  """The fields of a state as dicts of dicts, which a checkpoint can hold.

  Optax's own classes become numbered leaves, and what is None is left out.

  Args:
    fields: `vars(state)`, or what `places_of` and `abstract` give.
  """
  leaves = jax.tree.leaves(fields["optimizer"])
  tree = {name: leaf for name, leaf in fields.items() if leaf is not None}
  return tree | {"optimizer": {str(i): leaf for i, leaf in enumerate(leaves)}}


def from_tree(
  tree: Params, *, cfg: config.InteractionConfig, train: TrainConfig
) -> TrainState:
  """The state that `to_tree` took apart.

  Raises:
    ValueError: it is of another model or optimizer, or other weights were
      trained.
  """
  shapes = abstract(cfg, train)
  wanted = sharding.by_name(to_tree(shapes))
  found = sharding.by_name(tree)
  other = sorted(
    name
    for name in wanted.keys() | found.keys()
    if getattr(wanted.get(name), "shape", None)
    != getattr(found.get(name), "shape", None)
  )
  if other:
    raise ValueError(
      "the run was begun with another model, optimizer.name or adapt; its "
      f"state differs in {', '.join(other[:4])}"
      f"{f' and {len(other) - 4} more' if other[4:] else ''}."
    )
  leaves = tree["optimizer"]
  structure = jax.tree.structure(shapes["optimizer"])
  memory = structure.unflatten(leaves[str(i)] for i in range(len(leaves)))
  return TrainState(**tree | {"optimizer": memory})


def optimizer(
  cfg: config.InteractionConfig, train: TrainConfig
) -> optax.GradientTransformation:
  """What moves the weights that are trained."""
  axes = letters(cfg, train).trained
  return optimizers.make(train.optimizer, train.num_steps, axes)


def letters(cfg: config.InteractionConfig, train: TrainConfig) -> Split:
  """The letters of every weight, by whether it is trained."""
  return adapt.axes_of(axes(cfg), cfg=train.adapt)


@functools.cache
def axes(cfg: config.InteractionConfig) -> Params:
  """The letters of every weight; asked for so often that they are kept."""
  return interaction.axes(cfg)


def _restart(
  params: Params, cfg: config.InteractionConfig, train: TrainConfig
) -> TrainState:
  key = jax.random.fold_in(jax.random.key(train.seed), 0)
  parts = adapt.split(params, axes(cfg), key, cfg=train.adapt)
  # Moves are smaller than what bfloat16 weights could tell apart.
  own = jax.tree.map(_wide, parts.trained)
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    seed=jnp.asarray(train.seed, jnp.uint32),
    params=own,
    average=jax.tree.map(jnp.copy, own),
    optimizer=optimizer(cfg, train).init(own),
    skipped=jnp.zeros((), jnp.int32),
    frozen=parts.frozen,
  )


def _left_out(leaf: Any) -> bool:
  return isinstance(leaf, optax.MaskedNode)


def _wide(leaf: jax.Array) -> jax.Array:
  floating = jnp.issubdtype(leaf.dtype, jnp.floating)
  return leaf.astype(jnp.float32) if floating else leaf
