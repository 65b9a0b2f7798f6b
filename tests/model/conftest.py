"""A model small enough to compile often, with one layer of each sort."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import settings
from interaction_jax.core.params import Params
from interaction_jax.model import config


@pytest.fixture(scope="session")
def small() -> config.InteractionConfig:
  """Dense and window, experts and global, experts and window."""
  tiny = settings.load("tiny").model
  backbone = dataclasses.replace(
    tiny.backbone, num_layers=3, global_layers=(1,), log_floor=6
  )
  memory = config.MemoryConfig(pinned=4, text=6, media=5, block=7)
  text = config.TextConfig(96, 89, first_control=81, logit_divisor=2.0)
  return dataclasses.replace(tiny, backbone=backbone, memory=memory, text=text)


@pytest.fixture(scope="session")
def drawn() -> Callable[[Callable[[jax.Array], Params]], Params]:
  """A function that draws what another one would, all of it at random.

  Convolutions start at zero and norms at one, where neither would show; and
  numpy has nothing to compile.
  """

  def draw(build: Callable[[jax.Array], Params]) -> Params:
    rng = np.random.default_rng(0)

    def leaf(path: Any, shape: jax.ShapeDtypeStruct) -> jax.Array:
      name = jax.tree_util.keystr(path)
      value = 0.3 * rng.normal(size=shape.shape)
      if "norm" in name or name.endswith("scale']"):
        value += 1
      return jnp.asarray(value, shape.dtype)

    shapes = jax.eval_shape(build, jax.random.key(0))
    return jax.tree_util.tree_map_with_path(leaf, shapes)

  return draw
