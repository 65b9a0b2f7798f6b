"""Whether the model speaks in the next 200 ms."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from interaction_jax.core import params
from interaction_jax.model import config
from interaction_jax.ops import norm


class GateHead(nnx.Module):
  """One logit from the last hidden state of a turn."""

  def __init__(self, cfg: config.InteractionConfig, *, rngs: nnx.Rngs):
    sizes = {"D": cfg.backbone.width}
    dtype = cfg.param_dtype
    self.eps = cfg.backbone.norm_eps
    self.norm = params.constant(1.0, "D", sizes, dtype=dtype)
    self.weight = params.normal(
      rngs, "D", sizes, std=cfg.backbone.width**-0.5, dtype=dtype
    )
    self.bias = params.constant(0.0, "", sizes)

  def __call__(self, x: Float[Array, "... D"]) -> Float[Array, "..."]:
    """The logit of speaking, in float32."""
    x = norm.rms(x, self.norm[...], eps=self.eps).astype(jnp.float32)
    return x @ self.weight[...].astype(jnp.float32) + self.bias[...]
