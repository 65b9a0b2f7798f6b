"""One layer: attention and feed-forward, each behind a short convolution."""

import dataclasses

import jax
from flax import nnx
from jaxtyping import Array, Float

from interaction_jax.core import params, sharding
from interaction_jax.model import config
from interaction_jax.model.backbone.attention import Attention
from interaction_jax.model.backbone.feed import Dense, Experts
from interaction_jax.model.backbone.memory import LayerMemory
from interaction_jax.model.backbone.where import Episode, Stream
from interaction_jax.ops import norm


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Passed:
  """What leaves a layer.

  Attributes:
    memory: what it will remember.
    load: positions that chose each expert; None in a dense layer.
  """

  x: Float[Array, "B T D"]
  memory: LayerMemory
  load: Float[Array, " E"] | None


class Layer(nnx.Module):
  """x + conv(attention(norm x)), then x + conv(feed(norm x))."""

  def __init__(
    self,
    cfg: config.BackboneConfig,
    index: int,
    *,
    dtype: str,
    rngs: nnx.Rngs,
  ):
    sizes = {"D": cfg.width, "Z": cfg.conv_taps}
    self.eps = cfg.norm_eps
    self.attention_norm = params.constant(1.0, "D", sizes, dtype=dtype)
    self.attention = Attention(cfg, index, dtype=dtype, rngs=rngs)
    self.attention_taps = params.constant(0.0, "Z D", sizes)
    self.feed_norm = params.constant(1.0, "D", sizes, dtype=dtype)
    feed = Dense if index in cfg.dense_layers else Experts
    self.feed = feed(cfg, dtype=dtype, rngs=rngs)
    self.feed_taps = params.constant(0.0, "Z D", sizes)

  def __call__(
    self,
    x: Float[Array, "B T D"],
    where: Episode | Stream,
    past: LayerMemory,
  ) -> Passed:
    """Applies the layer."""
    y = norm.rms(x, self.attention_norm[...], eps=self.eps)
    y, past = self.attention(y, where, past)
    y, attention_tail = where.convolve(
      y, self.attention_taps[...], past.attention_tail
    )
    x = sharding.constrain(x + y, "B T D")
    fed = self.feed(norm.rms(x, self.feed_norm[...], eps=self.eps), where.real)
    y, feed_tail = where.convolve(fed.out, self.feed_taps[...], past.feed_tail)
    past = dataclasses.replace(
      past, attention_tail=attention_tail, feed_tail=feed_tail
    )
    return Passed(sharding.constrain(x + y, "B T D"), past, fed.load)
