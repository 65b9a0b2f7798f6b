"""Gradients into moves: AdamW, or Muon for what is a matrix."""

import math
from collections.abc import Hashable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from optax import contrib

from interaction_jax.core.params import Params
from interaction_jax.train import matrix
from interaction_jax.train.config import OptimizerConfig

_RMS = 0.2
"""Of a move of Muon before the learning rate: about that of AdamW's moves.

Reference: Liu et al. 2025, arXiv:2502.16982, section 2.2.
"""


def make(
  cfg: OptimizerConfig, num_steps: int, axes: Params
) -> optax.GradientTransformation:
  """Clips gradients, then moves what is trained here.

  Muon makes the momentum of a matrix orthogonal, each expert's by itself, and
  with all heads of a projection as one. Tables, vectors and thin matrices
  that are added to others have AdamW. The vocoder is trained by itself, and
  has no moments here.

  Args:
    axes: the letters of every weight, in a tree like theirs.

  Reference: Loshchilov and Hutter 2019, arXiv:1711.05101; Jordan et al. 2024,
  https://kellerjordan.github.io/posts/muon.
  """
  rate = schedule(cfg, num_steps)
  labels = jax.tree_util.tree_map_with_path(
    lambda path, leaf: _label(_name(path), leaf, cfg), axes
  )
  ways: dict[Hashable, optax.GradientTransformation] = {
    "adamw": optax.adamw(
      rate, b2=0.98, weight_decay=cfg.weight_decay, mask=_decays
    ),
    "still": optax.set_to_zero(),
  }
  if cfg.name == "muon":
    ways["muon"] = _muon(cfg, rate, axes)
  return optax.chain(
    optax.clip_by_global_norm(cfg.max_norm), optax.partition(ways, labels)
  )


def schedule(cfg: OptimizerConfig, num_steps: int) -> optax.Schedule:
  """The learning rate of every update, the first of which has number 0."""
  peak = cfg.learning_rate
  # A short run has no time for a long warm-up.
  warmup = min(cfg.warmup, num_steps // 2)
  falls = max(warmup, num_steps - round(cfg.decay * num_steps))
  return optax.join_schedules(
    [
      optax.linear_schedule(0.0, peak, max(warmup, 1)),
      optax.constant_schedule(peak),
      optax.cosine_decay_schedule(peak, max(num_steps - falls, 1), 0.05),
    ],
    [warmup, falls],
  )


def _muon(
  cfg: OptimizerConfig, rate: optax.Schedule, axes: Params
) -> optax.GradientTransformation:
  """Orthogonal moves of one size, whatever the shape of the matrix."""

  def numbers(params: Any) -> Any:
    """The sides of every matrix; what is masked out has none."""
    return jax.tree.map(
      lambda one, leaf: leaf if _masked(leaf) else _numbers(one),
      axes,
      params,
      is_leaf=lambda one: isinstance(one, str),
    )

  def scaled(moves: Any, params: Any) -> Any:
    del params
    return jax.tree.map(
      lambda one, leaf: leaf if _masked(leaf) else leaf * _size(one, leaf),
      axes,
      moves,
      is_leaf=lambda one: isinstance(one, str),
    )

  return optax.chain(
    contrib.scale_by_muon(weight_dimension_numbers=numbers),
    optax.stateless(scaled),
    optax.add_decayed_weights(cfg.weight_decay),
    optax.scale_by_learning_rate(rate),
  )


def _numbers(axes: str) -> contrib.MuonDimensionNumbers:
  sides = matrix.sides(axes)
  assert sides is not None, f"{axes} is no matrix"
  return contrib.MuonDimensionNumbers(sides.inputs, sides.outputs)


def _size(axes: str, leaf: jax.Array) -> float:
  """Brings the root mean square of an orthogonal matrix to `_RMS`."""
  sides = matrix.sides(axes)
  assert sides is not None, f"{axes} is no matrix"
  inputs, outputs = (
    math.prod(leaf.shape[axis] for axis in side)
    for side in (sides.inputs, sides.outputs)
  )
  return _RMS * math.sqrt(max(inputs, outputs))


def _masked(leaf: Any) -> bool:
  return isinstance(leaf, optax.MaskedNode)


def _label(name: str, axes: str, cfg: OptimizerConfig) -> str:
  if name.removeprefix("whole/").startswith("heads/vocoder/"):
    return "still"
  if cfg.name == "adamw" or name.startswith("low_rank/"):
    return "adamw"
  return "adamw" if matrix.sides(axes) is None else "muon"


def _decays(params: Any) -> Any:
  return jax.tree.map(lambda leaf: jnp.ndim(leaf) > 1, params)


def _name(path: tuple[Any, ...]) -> str:
  return jax.tree_util.keystr(path, simple=True, separator="/")
