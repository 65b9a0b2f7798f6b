"""Text out: the logits of the next token."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from interaction_jax.core import params
from interaction_jax.model import config


class TextHead(nnx.Module):
  """Logits by a table of its own, untied from the embedding.

  z = W h / divisor, where the divisor is the width multiplier of muP.

  Reference: Yang et al. 2022, arXiv:2203.03466.
  """

  def __init__(self, cfg: config.InteractionConfig, *, rngs: nnx.Rngs):
    sizes = {"V": cfg.text.table_size, "D": cfg.backbone.width}
    self.divisor = cfg.text.logit_divisor
    self.vocab_size = cfg.text.vocab_size
    self.table = params.normal(
      rngs, "V D", sizes, std=cfg.backbone.width**-0.5, dtype=cfg.param_dtype
    )

  def __call__(self, x: Float[Array, "B T D"]) -> Float[Array, "B T V"]:
    """Logits in float32, of the tokens that are not padding of the table."""
    logits = jnp.einsum(
      "BTD,VD->BTV",
      x / self.divisor,
      self.table[...].astype(x.dtype),
      preferred_element_type=jnp.float32,
    )
    return logits[..., : self.vocab_size]
