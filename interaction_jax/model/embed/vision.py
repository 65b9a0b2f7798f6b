"""What is seen, as one vector a patch: a tower of folds and products (hMLP).

Every layer folds neighbours of a patch into channels until one place is left,
so patches never see each other, and any of them may be left out.
"""

import itertools
import math
from typing import NamedTuple

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Num

from interaction_jax.core import params
from interaction_jax.model.config import VideoConfig
from interaction_jax.ops import linear, norm, patches


class Scale(NamedTuple):
  """What one place of a layer's output covers of the patch.

  Attributes:
    time, space: frames, and pixels along either side.
    channels: values of the place.
  """

  time: int
  space: int
  channels: int


class PatchLayer(nnx.Module):
  """Folds neighbours, multiplies, and unless it is the last norms and bends."""

  def __init__(
    self,
    start: Scale,
    end: Scale,
    *,
    letter: str,
    norm_eps: float,
    param_dtype: str,
    rngs: nnx.Rngs,
  ):
    self.time = end.time // start.time
    self.space = end.space // start.space
    self.norm_eps = norm_eps
    inputs = start.channels * self.time * self.space**2
    sizes = {"I": inputs, letter: end.channels}
    self.kernel = params.normal(
      rngs, f"I {letter}", sizes, std=inputs**-0.5, dtype=param_dtype
    )
    # The last layer, which ends in the model's width, is linear.
    self.norm = (
      None
      if letter == "D"
      else params.constant(1.0, letter, sizes, dtype=param_dtype)
    )

  def __call__(
    self, x: Float[Array, "*B _ _ _ _"]
  ) -> Float[Array, "*B _ _ _ _"]:
    """Takes and returns a grid of frames, rows, columns and channels."""
    x = patches.fold(x, time=self.time, space=self.space)
    x = linear.contract("...I,IC->...C", x, self.kernel[...])
    if self.norm is None:
      return x
    x = norm.rms(x, self.norm[...], eps=self.norm_eps)
    return jax.nn.gelu(x, approximate=False)


class PatchEmbedding(nnx.Module):
  """One vector for each patch of some frames, rows, columns and colours.

  Reference: Touvron et al. 2022, arXiv:2203.09795, in Inkling's layout.
  """

  def __init__(
    self,
    cfg: VideoConfig,
    width: int,
    *,
    dtype: str = "float32",
    param_dtype: str = "float32",
    rngs: nnx.Rngs,
  ):
    self.dtype = dtype
    self.norm_eps = cfg.norm_eps
    scales = plan_scales(
      frames=cfg.frames,
      patch=cfg.patch,
      channels=cfg.channels,
      num_layers=cfg.num_layers,
    )
    scales = [*scales[:-1], scales[-1]._replace(channels=width)]
    self.layers = nnx.List(
      PatchLayer(
        start,
        end,
        letter="D" if layer == cfg.num_layers - 1 else "C",
        norm_eps=cfg.norm_eps,
        param_dtype=param_dtype,
        rngs=rngs,
      )
      for layer, (start, end) in enumerate(itertools.pairwise(scales))
    )
    self.norm = params.constant(1.0, "D", {"D": width}, dtype=param_dtype)

  def __call__(self, x: Num[Array, "*B _ _ _ _"]) -> Float[Array, "*B D"]:
    """Returns one vector a patch; `ops/patches.py` cuts and normalises."""
    x = x.astype(self.dtype)
    for layer in self.layers:
      x = layer(x)
    x = x.reshape(*x.shape[:-4], x.shape[-1])
    return norm.rms(x, self.norm[...], eps=self.norm_eps)


def plan_scales(
  *, frames: int, patch: int, channels: int, num_layers: int
) -> list[Scale]:
  """Returns the scale before each layer and after the last.

  Space grows before time, one prime factor after another, largest first. Of
  these steps each layer takes that whose volume is nearest to the volume it
  would have if all layers grew by one factor; a step may be taken twice when
  there are more layers than steps, else a layer may take several at once.
  """
  steps = _steps(frames, patch, channels)
  volume = np.array([s.time * s.space**2 for s in steps], np.float32)
  whole = np.float32(frames * patch * patch * channels)
  ideal = np.linspace(0, np.log(whole), num_layers + 1, dtype=np.float32)
  cost = np.abs(ideal[:, None] - np.log(volume))
  if num_layers >= len(steps):
    chosen = cost.argmin(axis=1)
  else:
    # Scales grow, so there are few ways; a solver takes long to be imported.
    layers = np.arange(num_layers + 1)
    ways = itertools.combinations(range(len(steps)), num_layers + 1)
    chosen = min(ways, key=lambda way: float(cost[layers, list(way)].sum()))
  return [steps[step] for step in (0, *chosen[1:-1], len(steps) - 1)]


def _steps(frames: int, patch: int, channels: int) -> list[Scale]:
  """Every scale from one pixel to the whole patch, a prime factor apart."""
  steps = [Scale(1, 1, channels)]
  for factor in _prime_factors(patch):
    space = steps[-1].space * factor
    steps.append(Scale(1, space, 64 * math.ceil(space**2 * channels / 64)))
  for factor in _prime_factors(frames):
    time = steps[-1].time * factor
    # Inkling multiplies by 64 here without having divided. It matters only
    # when a layer before the last ends at this scale, as from 7 layers on.
    steps.append(Scale(time, patch, 64 * patch**2 * channels * time))
  return steps


def _prime_factors(number: int) -> list[int]:
  """The largest first."""
  factors = []
  divisor = 2
  while number > 1:
    while number % divisor == 0:
      factors.append(divisor)
      number //= divisor
    divisor += 1
  return factors[::-1]
