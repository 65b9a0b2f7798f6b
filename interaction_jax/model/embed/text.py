"""Text in: a table of tokens and the norm behind it."""

from flax import nnx
from jaxtyping import Array, Float, Int

from interaction_jax.core import params
from interaction_jax.model import config
from interaction_jax.ops import norm


class TextEmbedding(nnx.Module):
  """A vector a token, normed. Control tokens are rows like any other."""

  def __init__(self, cfg: config.InteractionConfig, *, rngs: nnx.Rngs):
    sizes = {"V": cfg.text.table_size, "D": cfg.backbone.width}
    dtype = cfg.param_dtype
    self.eps = cfg.backbone.norm_eps
    self.dtype = cfg.dtype
    self.table = params.normal(rngs, "V D", sizes, std=1.0, dtype=dtype)
    self.norm = params.constant(1.0, "D", sizes, dtype=dtype)

  def __call__(self, tokens: Int[Array, "B T"]) -> Float[Array, "B T D"]:
    """Looks the tokens up."""
    return self.scale(self.table[...][tokens].astype(self.dtype))

  def scale(self, x: Float[Array, "B T D"]) -> Float[Array, "B T D"]:
    """The norm alone, for vectors that stand beside the table's rows."""
    return norm.rms(x, self.norm[...], eps=self.eps)
