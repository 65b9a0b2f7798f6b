"""The position that opens every turn: the time, and what was lost in it."""

from typing import Final

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from interaction_jax.core import params
from interaction_jax.model import config
from interaction_jax.ops.linear import contract

_NUM_PERIODS: Final = 18
"""Periods of 2, 4, ... turns; the longest, 14.6 hours, outlasts a session."""


class TickEmbedding(nnx.Module):
  """A learned vector, learned phases of the turn's index, and what was lost.

  The phase of period 2^p is taken from `turn mod 2^p` in integers, so that
  it is as exact after eight hours as in the first second. Each stream that
  may lose something has a vector, which its lost share scales.
  """

  def __init__(self, cfg: config.InteractionConfig, *, rngs: nnx.Rngs):
    sizes = {"D": cfg.backbone.width, "I": 2 * _NUM_PERIODS}
    dtype = cfg.param_dtype
    self.dtype = cfg.dtype
    self.vector = params.normal(rngs, "D", sizes, std=1.0, dtype=dtype)
    self.phases = params.normal(
      rngs, "I D", sizes, std=(2 * _NUM_PERIODS) ** -0.5, dtype=dtype
    )
    self.lost = params.constant(
      0.0, "I D", {"I": 2, "D": cfg.backbone.width}, dtype=dtype
    )

  def __call__(
    self,
    turn: Int[Array, "B J"],
    lost: Float[Array, "B J 2"] | None = None,
  ) -> Float[Array, "B J D"]:
    """One vector a turn, not yet normed.

    Args:
      lost: shares of sound and of frames, as `turns/schema.py` has them.
    """
    waves = phases(turn).astype(self.dtype)
    x = contract("BJI,ID->BJD", waves, self.phases[...])
    x += self.vector[...].astype(self.dtype)
    if lost is None:
      return x
    return x + contract("BJI,ID->BJD", lost.astype(self.dtype), self.lost[...])


def phases(turn: Int[Array, "B J"]) -> Float[Array, "B J I"]:
  """Sines and cosines of the turn's place in every period."""
  period = jnp.asarray(2 ** np.arange(1, _NUM_PERIODS + 1), jnp.int32)
  place = turn[..., None] % period
  angle = 2 * jnp.pi * place.astype(jnp.float32) / period
  return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)
