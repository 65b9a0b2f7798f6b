"""What tells made speech from recorded speech, for the vocoder to learn from.

    sound -> |STFT| in logarithms, at three resolutions, each a picture
          -> strided convolutions along the bins, frames beside their neighbours
          -> a judgement of every patch: above 0 it seems recorded

Spectral distances ask for the mean of all sounds that a mel may come from,
which is duller than any of them; a judge that has seen both does not take the
mean for speech. It is trained beside the vocoder and thrown away.

Reference: Jang et al. 2021, arXiv:2106.07889, section 2.2, for the
resolutions; Lim and Ye 2017, arXiv:1705.02894, for the hinge; Kumar et al.
2019, arXiv:1910.06711, eq. 4, for features.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Array, Float

from interaction_jax.core import params
from interaction_jax.core.params import Params
from interaction_jax.model.config import VocoderConfig
from interaction_jax.ops import waveform

RESOLUTIONS: Final = (1, 2, 4)
"""Half a window of each, in hops of the vocoder."""

_NUM_LAYERS: Final = 3
_TAPS: Final = {"Z": 3, "I": 9}
"""Frames and bins that a layer sees."""

_LEAK: Final = 0.2

Features = list[list[Float[Array, "_ _ _ _"]]]
"""What each layer of each resolution makes; the last is the judgement."""


class Layer(nnx.Module):
  """A convolution over frames and bins, every second bin kept."""

  def __init__(self, inner: int, outer: int, *, rngs: nnx.Rngs):
    sizes = _TAPS | {"D": inner, "F": outer}
    fan_in = _TAPS["Z"] * _TAPS["I"] * inner
    # Of what comes in, the leak takes nearly half the power; outputs are to
    # be as large as inputs.
    self.taps = params.normal(
      rngs, "Z I D F", sizes, std=(2 / (1 + _LEAK**2) / fan_in) ** 0.5
    )
    self.bias = params.constant(0.0, "F", sizes)

  def __call__(
    self, x: Float[Array, "B A _ D"], *, stride: int
  ) -> Float[Array, "B A _ F"]:
    """Args: stride: bins from one output to the next."""
    y = lax.conv_general_dilated(
      x,
      self.taps[...],
      window_strides=(1, stride),
      padding="SAME",
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return y + self.bias[...]


class Picture(nnx.Module):
  """Judges a sound at one resolution."""

  def __init__(self, width: int, *, rngs: nnx.Rngs):
    inner = [1, *[width] * (_NUM_LAYERS - 1)]
    self.layers = nnx.List([Layer(one, width, rngs=rngs) for one in inner])
    self.judgement = Layer(width, 1, rngs=rngs)

  def __call__(
    self, size: Float[Array, "B A _"]
  ) -> list[Float[Array, "B A _ _"]]:
    """Args: size: of every bin."""
    # About 0 and of deviation 1 for speech at a usual level.
    x = (jnp.log(jnp.maximum(size, 1e-4)) + 3.0)[..., None] / 3.0
    made = []
    for layer in self.layers:
      x = jax.nn.leaky_relu(layer(x, stride=2), _LEAK)
      made.append(x)
    return [*made, self.judgement(x, stride=1)]


class Discriminator(nnx.Module):
  """One judge for each resolution, which know nothing of each other."""

  def __init__(self, cfg: VocoderConfig, width: int, *, rngs: nnx.Rngs):
    self.cfg = cfg
    self.pictures = nnx.List([Picture(width, rngs=rngs) for _ in RESOLUTIONS])

  def __call__(self, sound: Float[Array, "B W"]) -> Features:
    """Returns what every layer makes of a sound."""
    made = []
    for hops, picture in zip(RESOLUTIONS, self.pictures, strict=True):
      grid = {
        "hop": hops * self.cfg.hop // 2,
        "window": 2 * hops * self.cfg.hop,
      }
      made.append(picture(waveform.absolute(sound, **grid)))
    return made


def build(cfg: VocoderConfig, width: int) -> Callable[[jax.Array], Any]:
  """The function from a random key to judges, for `core.params`.

  Args:
    width: channels of a layer.
  """
  return functools.partial(_build, cfg, width)


def features(
  weights: Params,
  sound: Float[Array, "B W"],
  *,
  cfg: VocoderConfig,
  width: int,
) -> Features:
  """What the judges with these weights make of a sound."""
  return params.bind(build(cfg, width), weights)(sound)


def tell(recorded: Features, made: Features) -> Float[Array, ""]:
  """What the judges learn from: to tell both apart, and no further.

  mean over resolutions of mean max(0, 1 - D(recorded))
  + mean max(0, 1 + D(made)).
  """
  each = [
    jax.nn.relu(1 - one[-1]).mean() + jax.nn.relu(1 + other[-1]).mean()
    for one, other in zip(recorded, made, strict=True)
  ]
  return _mean(each)


def convince(made: Features) -> Float[Array, ""]:
  """What the vocoder learns from: - mean D(made)."""
  return _mean([-one[-1].mean() for one in made])


def match(recorded: Features, made: Features) -> Float[Array, ""]:
  """How far layers are from what they make of the recording, in parts of it.

  It leads the vocoder where judgements alone say only "no".
  """
  each = [
    jnp.abs(a - b).mean() / (jnp.abs(lax.stop_gradient(a)).mean() + 1e-6)
    for one, other in zip(recorded, made, strict=True)
    for a, b in zip(one[:-1], other[:-1], strict=True)
  ]
  return _mean(each)


def _build(cfg: VocoderConfig, width: int, key: jax.Array) -> Discriminator:
  return Discriminator(cfg, width, rngs=nnx.Rngs(key))


def _mean(each: Sequence[jax.Array]) -> jax.Array:
  return jnp.stack(list(each)).mean()
