"""The parts of a model, its parameters, and how they are bound together.

`model/forward.py` runs a model over whole episodes, `model/step.py` turn by
turn; both ask the same parts for the same things.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Final

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, UInt8

from interaction_jax.core import params
from interaction_jax.core.params import Params
from interaction_jax.model import config
from interaction_jax.model.backbone.backbone import Backbone
from interaction_jax.model.embed.audio import AudioEmbedding
from interaction_jax.model.embed.text import TextEmbedding
from interaction_jax.model.embed.tick import TickEmbedding
from interaction_jax.model.embed.vision import PatchEmbedding
from interaction_jax.model.heads.flow import FlowHead
from interaction_jax.model.heads.gate import GateHead
from interaction_jax.model.heads.text import TextHead
from interaction_jax.model.heads.vocoder import Vocoder
from interaction_jax.ops import patches, spectral


class Streams(nnx.Module):
  """A vector a stream, which tells apart what shares a table.

  They start at zero, so that imported weights see what they know.
  """

  def __init__(self, cfg: config.InteractionConfig):
    sizes = {"D": cfg.backbone.width}
    dtype = cfg.param_dtype
    self.heard = params.constant(0.0, "D", sizes, dtype=dtype)
    self.voice = params.constant(0.0, "D", sizes, dtype=dtype)
    self.video = params.constant(0.0, "D", sizes, dtype=dtype)
    self.read = params.constant(0.0, "D", sizes, dtype=dtype)
    self.written = params.constant(0.0, "D", sizes, dtype=dtype)


class Embeddings(nnx.Module):
  """What comes in, each stream by its own table or tower."""

  def __init__(self, cfg: config.InteractionConfig, *, rngs: nnx.Rngs):
    width = cfg.backbone.width
    self.text = TextEmbedding(cfg, rngs=rngs)
    self.audio = AudioEmbedding(
      cfg.audio,
      width,
      dtype=cfg.dtype,
      param_dtype=cfg.param_dtype,
      rngs=rngs,
    )
    self.video = PatchEmbedding(
      cfg.video,
      width,
      dtype=cfg.dtype,
      param_dtype=cfg.param_dtype,
      rngs=rngs,
    )
    self.tick = TickEmbedding(cfg, rngs=rngs)
    self.streams = Streams(cfg)

  def at(
    self,
    turn: Int[Array, "B J"],
    lost: Float[Array, "B J 2"] | None = None,
  ) -> Float[Array, "B J D"]:
    """The ticks that open turns."""
    return self.text.scale(self.tick(turn, lost))

  def heard(self, levels: Int[Array, "B _ M"]) -> Float[Array, "B T D"]:
    """The user's sound, as dMel levels."""
    return _plus(self.audio(levels), self.streams.heard[...])

  def voice(self, levels: Int[Array, "B _ M"]) -> Float[Array, "B T D"]:
    """The model's own sound, as dMel levels."""
    return _plus(self.audio(levels), self.streams.voice[...])

  def read(self, tokens: Int[Array, "B T"]) -> Float[Array, "B T D"]:
    """Text that comes in."""
    return _plus(self.text(tokens), self.streams.read[...])

  def written(self, tokens: Int[Array, "B T"]) -> Float[Array, "B T D"]:
    """Text the model wrote itself."""
    return _plus(self.text(tokens), self.streams.written[...])

  def seen(
    self, frames: UInt8[Array, "B _ _ _ 3"], *, patch: int
  ) -> Float[Array, "B P D"]:
    """A pair of frames, patch by patch."""
    cut = patches.cut(patches.normalize(frames), patch=patch)
    return _plus(self.video(cut), self.streams.video[...])


class Heads(nnx.Module):
  """What goes out."""

  def __init__(self, cfg: config.InteractionConfig, *, rngs: nnx.Rngs):
    self.text = TextHead(cfg, rngs=rngs)
    self.gate = GateHead(cfg, rngs=rngs)
    self.flow = FlowHead(cfg, rngs=rngs)
    self.vocoder = Vocoder(cfg.vocoder, param_dtype=cfg.param_dtype, rngs=rngs)


class Interaction(nnx.Module):
  """A whole model: streams in, one backbone, heads out."""

  def __init__(self, cfg: config.InteractionConfig, *, rngs: nnx.Rngs):
    self.embed = Embeddings(cfg, rngs=rngs)
    self.backbone = Backbone(cfg, rngs=rngs)
    self.heads = Heads(cfg, rngs=rngs)


def build(
  cfg: config.InteractionConfig,
) -> Callable[[jax.Array], Interaction]:
  """The function from a random key to a model, as `core.params` wants it."""
  return functools.partial(_build, cfg)


def init(key: jax.Array, *, cfg: config.InteractionConfig) -> Params:
  """Draws the parameters of a model, as a plain nested dict."""
  return params.to_dict(build(cfg)(key))


def shapes(cfg: config.InteractionConfig) -> Params:
  """The shape and the type of every parameter, in a tree like theirs."""
  return params.to_dict(params.outline(build(cfg)))


def bind(weights: Params, *, cfg: config.InteractionConfig) -> Interaction:
  """The model with these parameters, for use while tracing.

  Raises:
    ValueError: a parameter is missing or unknown.
  """
  return params.bind(build(cfg), weights)


LATER: Final = ("embed/tick/lost",)
"""Names of the parameters that the first checkpoints lack."""


def complete(weights: Params) -> Params:
  """Adds what models have had only since the first checkpoints, as zeros.

  With zeros there, a model is what it was before.
  """
  tick = weights.get("embed", {}).get("tick")
  if tick is None or "lost" in tick:
    return weights
  phases = tick["phases"]
  added = jnp.zeros((2, phases.shape[1]), phases.dtype)
  # It has the letters of the phases, so it lies on a mesh as they do.
  tick = {**tick, "lost": jax.device_put(added, phases.sharding)}
  return {**weights, "embed": {**weights["embed"], "tick": tick}}


def routed(cfg: config.InteractionConfig) -> tuple[str, ...]:
  """Names of the weights of routed experts, most of a large model."""
  return tuple(
    f"backbone/layers/{layer}/feed/{name}"
    for layer in range(cfg.backbone.num_layers)
    if layer not in cfg.backbone.dense_layers
    for name in ("gate", "up", "down")
  )


def in_a_byte(
  cfg: config.InteractionConfig, chosen: Mapping[str, str]
) -> dict[str, str]:
  """Names of the weights that are quantised, each with its kind.

  Args:
    chosen: as `settings.quantised` reads it, such as `{"experts": "int8"}`.

  Raises:
    ValueError: there is nothing of that kind to be quantised.
  """
  if "experts" not in chosen:
    return {}
  names = routed(cfg)
  if not names:
    raise ValueError(
      f"quantise={dict(chosen)!r}: the model has no routed experts, all its "
      "layers are dense; without it it is served as it is."
    )
  return dict.fromkeys(names, chosen["experts"])


def axes(cfg: config.InteractionConfig) -> Params:
  """The letters of every parameter, for the sharding tables."""
  return params.axes_of(build(cfg))


def listen(
  tail: Float[Array, "B I"],
  sound: Float[Array, "B W"],
  *,
  cfg: config.InteractionConfig,
) -> tuple[Float[Array, "B I"], Int[Array, "B _ M"]]:
  """The dMel front end: sound to levels, going on from `tail`."""
  audio = cfg.audio
  tail, mel = spectral.stream(
    tail,
    sound,
    hop=audio.hop,
    window=audio.window,
    num_mels=audio.num_mels,
    sample_rate=audio.sample_rate,
  )
  return tail, spectral.quantize(
    mel, num_levels=audio.num_levels, low=audio.low, high=audio.high
  )


def _build(cfg: config.InteractionConfig, key: jax.Array) -> Interaction:
  return Interaction(cfg, rngs=nnx.Rngs(key))


def _plus(x: Float[Array, "B T D"], vector: jax.Array) -> jax.Array:
  return x + jnp.asarray(vector, x.dtype)
