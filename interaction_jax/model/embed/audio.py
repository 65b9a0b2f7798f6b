"""What is heard, and the model's own voice, as vectors."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Array, Float, Int

from interaction_jax.core import params
from interaction_jax.model.config import AudioConfig
from interaction_jax.ops import norm


class AudioEmbedding(nnx.Module):
  """A vector for each level of each mel channel, summed over the channels.

  One position takes `frames_per_position` frames; each has rows of its own,
  the earliest frame first.

  Reference: Bai et al. 2024, arXiv:2407.15835, with a sum where the paper
  joins and projects.
  """

  def __init__(
    self,
    cfg: AudioConfig,
    width: int,
    *,
    dtype: str = "float32",
    param_dtype: str = "float32",
    norm_eps: float = 1e-6,
    std: float = 0.02,
    rngs: nnx.Rngs,
  ):
    self.frames_per_position = cfg.frames_per_position
    self.num_mels = cfg.num_mels
    self.num_levels = cfg.num_levels
    self.dtype = dtype
    self.norm_eps = norm_eps
    channels = cfg.frames_per_position * cfg.num_mels
    self.table = params.normal(
      rngs,
      "M Q D",
      {"M": channels, "Q": cfg.num_levels, "D": width},
      std=std,
      dtype=param_dtype,
    )
    self.norm = (
      params.constant(1.0, "D", {"D": width}, dtype=param_dtype)
      if cfg.norm
      else None
    )

  def __call__(self, levels: Int[Array, "B A M"]) -> Float[Array, "B T D"]:
    """Returns one vector a position.

    Args:
      levels: 0 to `num_levels - 1`; whole positions of frames.

    Raises:
      ValueError: the frames do not fill whole positions.
    """
    batch, frames, num_mels = levels.shape
    if frames % self.frames_per_position or num_mels != self.num_mels:
      raise ValueError(
        f"levels.shape={levels.shape}: frames must be a multiple of "
        f"frames_per_position={self.frames_per_position} and channels "
        f"num_mels={self.num_mels}."
      )
    levels = levels.reshape(batch, frames // self.frames_per_position, -1)
    x = _sum_of_rows(self.table[...], levels).astype(self.dtype)
    if self.norm is None:
      return x
    return norm.rms(x, self.norm[...], eps=self.norm_eps)


def _sum_of_rows(
  table: Float[Array, "M Q D"], levels: Int[Array, "B T M"]
) -> Float[Array, "B T D"]:
  """The float32 sum of the rows that `levels` choose, one a channel."""
  return lax.platform_dependent(
    table, levels, cpu=_by_channel, default=_by_product
  )


def _by_channel(
  table: Float[Array, "M Q D"], levels: Int[Array, "B T M"]
) -> Float[Array, "B T D"]:
  """Adds channel by channel: never holds the rows, nor zeros, of them all."""

  def add(total, channel):
    rows, chosen = channel
    return total + rows[chosen].astype(jnp.float32), None

  start = jnp.zeros((*levels.shape[:2], table.shape[-1]), jnp.float32)
  return lax.scan(add, start, (table, jnp.moveaxis(levels, -1, 0)))[0]


def _by_product(
  table: Float[Array, "M Q D"], levels: Int[Array, "B T M"]
) -> Float[Array, "B T D"]:
  """Multiplies with ones and zeros: what matrix units do best."""
  chosen = jax.nn.one_hot(levels, table.shape[1], dtype=table.dtype)
  return jnp.einsum(
    "BTMQ,MQD->BTD",
    chosen,
    table,
    precision=lax.Precision.HIGHEST,
    preferred_element_type=jnp.float32,
  )
