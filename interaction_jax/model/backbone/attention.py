"""Attention of one layer: projections, short convolutions, learned bias."""

import dataclasses

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from interaction_jax.core import params
from interaction_jax.model import config
from interaction_jax.model.backbone.memory import LayerMemory
from interaction_jax.model.backbone.where import Episode, Stream
from interaction_jax.ops import attend, norm
from interaction_jax.ops.linear import contract


class Attention(nnx.Module):
  """Looks back over a window, or over everything remembered.

  Position enters by a bias each head mixes from a bank of profiles over the
  distance, not by rotation. Keys and values pass a short convolution first.

  Reference: Inkling (Apache-2.0 release, 2026).
  """

  def __init__(
    self,
    cfg: config.BackboneConfig,
    layer: int,
    *,
    dtype: str,
    rngs: nnx.Rngs,
  ):
    heads = cfg.attention(layer)
    self.kind: config.Kind = cfg.kind(layer)
    self.eps = cfg.norm_eps
    self.log_floor = cfg.log_floor if self.kind == "global" else None
    self.log_slope = cfg.log_slope
    sizes = {
      "D": cfg.width,
      "N": heads.query_heads,
      "K": heads.key_heads,
      "H": heads.head_width,
      "R": cfg.bias_features,
      "Y": heads.reach,
      "Z": cfg.conv_taps,
    }

    def normal(axes: str, fan_in: int):
      return params.normal(rngs, axes, sizes, std=fan_in**-0.5, dtype=dtype)

    width = cfg.width
    self.query = normal("D N H", width)
    self.key = normal("D K H", width)
    self.value = normal("D K H", width)
    self.features = normal("D N R", width)
    self.bank = normal("R Y", cfg.bias_features)
    self.out = normal("N H D", sizes["N"] * sizes["H"])
    # Scores are divided by H: with a gain of one none would exceed one, and
    # nothing could be told from thousands. This is q k / sqrt(H) to begin with.
    self.query_norm = params.constant(
      sizes["H"] ** 0.5, "H", sizes, dtype=dtype
    )
    self.key_norm = params.constant(1.0, "H", sizes, dtype=dtype)
    self.key_taps = params.constant(0.0, "Z K H", sizes)
    self.value_taps = params.constant(0.0, "Z K H", sizes)

  def __call__(
    self,
    x: Float[Array, "B T D"],
    where: Episode | Stream,
    past: LayerMemory,
  ) -> tuple[Float[Array, "B T D"], LayerMemory]:
    """Returns what was found, and the memory with keys and values added."""
    q = contract("BTD,DNH->BTNH", x, self.query[...])
    k = contract("BTD,DKH->BTKH", x, self.key[...])
    v = contract("BTD,DKH->BTKH", x, self.value[...])
    features = contract("BTD,DNR->BTNR", x, self.features[...])
    k, key_tail = where.convolve(k, self.key_taps[...], past.key_tail)
    v, value_tail = where.convolve(v, self.value_taps[...], past.value_tail)
    q = norm.rms(q, self.query_norm[...], eps=self.eps)
    k = norm.rms(k, self.key_norm[...], eps=self.eps)
    if self.log_floor is not None:
      grow = _growth(where.pos, self.log_floor, self.log_slope)
      q = (q.astype(jnp.float32) * grow).astype(q.dtype)
      features = (features.astype(jnp.float32) * grow).astype(features.dtype)
    bias = attend.Bias(features, self.bank[...])
    found = where.attend(self.kind, q, k, v, bias, past)
    return contract("BTNH,NHD->BTD", found.out, self.out[...]), (
      dataclasses.replace(
        past,
        keys=found.keys,
        values=found.values,
        key_tail=key_tail,
        value_tail=value_tail,
      )
    )


def _growth(
  pos: Int[Array, "B T"], floor: int, slope: float
) -> Float[Array, "B T 1 1"]:
  """1 + slope * log(max(1, (pos + 1) / floor)): sharper over long pasts."""
  ratio = (pos + 1).astype(jnp.float32) / floor
  return (1.0 + slope * jnp.log(jnp.maximum(ratio, 1.0)))[..., None, None]
