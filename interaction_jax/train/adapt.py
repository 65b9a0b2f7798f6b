"""Training a part of a model: chosen weights, or thin matrices added to them.

    W' = W + (alpha / rank) down up,    down: inputs x rank, up: rank x outputs

W stays as it is. The sum is formed where the model is used, so no layer knows
of it: every program that takes weights takes adapted ones, stacks of experts
included, and what is merged in the end is what was trained, bit for bit.

Reference: Hu et al. 2021, arXiv:2106.09685.
"""

import dataclasses
import fnmatch
import string
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from interaction_jax.core import settings, sharding
from interaction_jax.core.params import Params
from interaction_jax.train import matrix
from interaction_jax.train.config import AdaptConfig

_LOW_RANK, _WHOLE = "low_rank", "whole"
_RANK = "I"
"""The letter of the rank: the inputs of `up` are none of the others."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Split:
  """The weights of a model, by whether they are trained.

  Attributes:
    trained: all weights, where all are; otherwise `low_rank`, a pair of thin
      matrices in the place of each matrix that has one, and `whole`, each
      where there is any.
    frozen: the other weights, those with a pair among them; None: there are
      none.
  """

  trained: Params
  frozen: Params | None


def split(
  params: Params, axes: Params, key: Key[Array, ""], *, cfg: AdaptConfig
) -> Split:
  """Divides the weights of a model, and draws the thin matrices.

  At first their product is zero, and the model what it was.

  Args:
    axes: the letters of every weight, in a tree like theirs.

  Raises:
    ValueError: a pattern fits no weight, or a weight that is no matrix.
  """
  if cfg.everything:
    return Split(params, None)
  letters, leaves = sharding.by_name(axes), sharding.by_name(params)
  low_rank, whole = _chosen(letters, cfg)
  pairs: dict[str, Any] = {}
  for index, name in enumerate(sorted(low_rank)):
    one = jax.random.fold_in(key, index)
    pair = _pair(leaves[name], letters[name], one, cfg.rank)
    pairs |= {f"{name}/{side}": leaf for side, leaf in pair.items()}
  kept = {name: leaf for name, leaf in leaves.items() if name not in whole}
  own = {name: leaf for name, leaf in leaves.items() if name in whole}
  trained = {_LOW_RANK: sharding.nested(pairs), _WHOLE: sharding.nested(own)}
  return Split(
    {part: tree for part, tree in trained.items() if tree},
    sharding.nested(kept),
  )


def merge(parts: Split, axes: Params, *, cfg: AdaptConfig) -> Params:
  """The weights of the model that is meant, each product added.

  The sum is as wide as the wider of its terms, so bfloat16 weights come back
  as float32: a small product would be lost in their rounding.
  """
  if parts.frozen is None:
    return parts.trained
  letters = sharding.by_name(axes)
  leaves = sharding.by_name(parts.frozen)
  leaves |= sharding.by_name(parts.trained.get(_WHOLE, {}))
  pairs = sharding.by_name(parts.trained.get(_LOW_RANK, {}))
  scale = cfg.alpha / cfg.rank
  for name in {path.rpartition("/")[0] for path in pairs}:
    leaves[name] = _added(
      leaves[name],
      pairs[f"{name}/down"],
      pairs[f"{name}/up"],
      letters[name],
      scale,
    )
  # In the order of the model, since trees are compared with their keys.
  return sharding.nested({name: leaves[name] for name in letters})


def axes_of(axes: Params, *, cfg: AdaptConfig) -> Split:
  """The letters of what `split` gives, for the sharding tables."""
  if cfg.everything:
    return Split(axes, None)
  letters = sharding.by_name(axes)
  low_rank, whole = _chosen(letters, cfg)
  pairs = {
    f"{name}/{side}": words
    for name in sorted(low_rank)
    for side, words in _pair_axes(letters[name]).items()
  }
  kept = {name: words for name, words in letters.items() if name not in whole}
  own = {name: words for name, words in letters.items() if name in whole}
  trained = {_LOW_RANK: sharding.nested(pairs), _WHOLE: sharding.nested(own)}
  return Split(
    {part: tree for part, tree in trained.items() if tree},
    sharding.nested(kept),
  )


def whole(trained: Params, change: Callable[[Params], Params]) -> Params:
  """Changes the weights that are trained themselves, wherever they stand."""
  if _WHOLE in trained:
    return trained | {_WHOLE: change(trained[_WHOLE])}
  return trained if _LOW_RANK in trained else change(trained)


def _chosen(
  letters: Mapping[str, str], cfg: AdaptConfig
) -> tuple[set[str], set[str]]:
  """The names that get thin matrices, and those trained themselves."""
  low_rank = _fitting("low_rank", cfg.low_rank, letters)
  for name in sorted(low_rank):
    if matrix.sides(letters[name]) is None:
      raise ValueError(
        f"adapt.low_rank: {name} ({letters[name]}) is no matrix; "
        "adapt.whole trains it itself."
      )
  return low_rank, _fitting("whole", cfg.whole or (), letters) - low_rank


def _fitting(
  field: str, patterns: tuple[str, ...], names: Mapping[str, str]
) -> set[str]:
  found: set[str] = set()
  for pattern in patterns:
    fits = {name for name in names if fnmatch.fnmatchcase(name, pattern)}
    if not fits:
      raise ValueError(
        f"adapt.{field}: {pattern!r} fits no weight"
        f"{settings.near(pattern, names)}; one is {min(names)}."
      )
    found |= fits
  return found


def _pair(
  leaf: jax.Array, axes: str, key: Key[Array, ""], rank: int
) -> dict[str, jax.Array]:
  """Two thin matrices, or stacks of them, whose product is zero."""
  stack, inputs, outputs = _sizes(axes, leaf.shape)
  fan_in = 1
  for size in inputs:
    fan_in *= size
  down = jax.random.normal(key, (*stack, *inputs, rank)) * fan_in**-0.5
  return {"down": down, "up": jnp.zeros((*stack, rank, *outputs))}


def _pair_axes(axes: str) -> dict[str, str]:
  stack, inputs, outputs = _sizes(axes, tuple(axes.split()))
  return {
    "down": " ".join((*stack, *inputs, _RANK)),
    "up": " ".join((*stack, _RANK, *outputs)),
  }


def _sizes(axes: str, shape: tuple[Any, ...]) -> tuple[tuple[Any, ...], ...]:
  """`shape`, or anything as long, by the sides of the matrix."""
  sides = matrix.sides(axes)
  assert sides is not None, f"{axes} is no matrix"
  return tuple(
    tuple(shape[axis] for axis in side)
    for side in (sides.stack, sides.inputs, sides.outputs)
  )


def _added(
  leaf: Float[Array, "..."],
  down: Float[Array, "..."],
  up: Float[Array, "..."],
  axes: str,
  scale: float,
) -> Float[Array, "..."]:
  """W + scale * down up, axis by axis, so that none has to be reshaped."""
  signs = string.ascii_lowercase[: leaf.ndim]
  stack, inputs, outputs = (
    "".join(side) for side in _sizes(axes, tuple(signs))
  )
  product = jnp.einsum(
    f"{stack}{inputs}z,{stack}z{outputs}->{signs}",
    down,
    up,
    preferred_element_type=jnp.float32,
    precision=jax.lax.Precision.HIGHEST,
  )
  return leaf + scale * product
