"""The parts of a micro-turn, each a program of its own.

Each takes the parameters, something that it uses up as a step does with the
state, and what else there is.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

from interaction_jax.core import keys
from interaction_jax.core.params import Params
from interaction_jax.model import interaction
from interaction_jax.model.backbone.memory import BackboneMemory, Kind
from interaction_jax.model.config import InteractionConfig, SamplingConfig
from interaction_jax.model.heads.flow import Condition
from interaction_jax.model.heads.vocoder import VocoderState
from interaction_jax.model.state import SessionState
from interaction_jax.ops import sample
from interaction_jax.turns import clock, layout

Programs = dict[str, Callable[..., Any]]
Arguments = dict[str, tuple[Any, ...]]
"""What each program takes behind the parameters; the first is used up."""


@functools.cache
def programs(cfg: InteractionConfig, sampling: SamplingConfig) -> Programs:
  """The parts by name, jitted."""
  bound = {
    "front end": functools.partial(_front_end, cfg=cfg),
    "backbone pass": functools.partial(_backbone_pass, cfg=cfg),
    "text step": functools.partial(_text_step, cfg=cfg, sampling=sampling),
    "flow": functools.partial(_flow, cfg=cfg, sampling=sampling),
    "vocoder": functools.partial(_vocoder, cfg=cfg),
  }
  return {name: jax.jit(part, donate_argnums=1) for name, part in bound.items()}


def arguments(
  state: SessionState, *, cfg: InteractionConfig, sampling: SamplingConfig
) -> Arguments:
  """What the programs take in sessions that have come to `state`."""
  batch, width = state.turn.shape[0], cfg.backbone.width
  rng = np.random.default_rng(0)

  def normal(*shape: int) -> jax.Array:
    return jnp.asarray(rng.standard_normal(shape, np.float32))

  num_real = 1 + 2 * cfg.audio_positions
  room = num_real + cfg.turn.text_in
  block = normal(batch, room, width).astype(cfg.dtype)
  real = layout.upto(jnp.full((batch,), num_real, jnp.int32), room)
  heard = 0.1 * normal(batch, clock.SAMPLES)
  voice = 0.01 * normal(batch, clock.SAMPLES)
  frames = (batch, cfg.vocoder.frames_per_turn, cfg.vocoder.num_mels)
  noise = sampling.flow_temperature**0.5 * normal(*frames)
  mel = cfg.flow.mel_mean + cfg.flow.mel_std * normal(*frames)
  token = jnp.zeros((batch,), jnp.int32)
  given = Condition(
    hidden=normal(batch, width).astype(cfg.dtype),
    text=normal(batch, cfg.turn.text_out, width).astype(cfg.dtype),
    text_mask=jnp.ones((batch, cfg.turn.text_out), bool),
    past=state.mel,
  )
  tails = (state.heard_tail, state.voice_tail)
  return {
    "front end": (tails, heard, voice),
    "backbone pass": (state.memory, block, real),
    "text step": (state.memory, token, state.seed, state.turn),
    "flow": (noise, given),
    "vocoder": (state.vocoder, mel),
  }


def _front_end(
  params: Params,
  tails: tuple[Float[Array, "B I"], Float[Array, "B I"]],
  heard: Float[Array, "B W"],
  voice: Float[Array, "B W"],
  *,
  cfg: InteractionConfig,
) -> Any:
  del params
  return [
    interaction.listen(tail, sound, cfg=cfg)
    for tail, sound in zip(tails, (heard, voice), strict=True)
  ]


def _backbone_pass(
  params: Params,
  memory: BackboneMemory,
  block: Float[Array, "B T D"],
  real: Bool[Array, "B T"],
  *,
  cfg: InteractionConfig,
) -> Any:
  kind = jnp.full(real.shape, Kind.MEDIA, jnp.int32)
  model = interaction.bind(params, cfg=cfg)
  return model.backbone.stream(block, kind, real, memory)


def _text_step(
  params: Params,
  memory: BackboneMemory,
  token: Int[Array, " B"],
  seed: UInt32[Array, " B"],
  turn: Int[Array, " B"],
  *,
  cfg: InteractionConfig,
  sampling: SamplingConfig,
) -> Any:
  model = interaction.bind(params, cfg=cfg)
  x = model.embed.written(token[:, None])
  kind = jnp.full(x.shape[:2], Kind.TEXT, jnp.int32)
  real = jnp.ones(x.shape[:2], bool)
  hidden, memory = model.backbone.stream(x, kind, real, memory)
  chosen = sample.token(
    keys.at(seed, turn, keys.Purpose.TEXT),
    model.heads.text(hidden)[:, 0],
    jnp.ones((cfg.text.vocab_size,), bool),
    temperature=sampling.temperature,
  )
  return chosen, memory


def _flow(
  params: Params,
  noise: Float[Array, "B I M"],
  given: Condition,
  *,
  cfg: InteractionConfig,
  sampling: SamplingConfig,
) -> Any:
  return interaction.bind(params, cfg=cfg).heads.flow.make(
    noise,
    given,
    num_steps=sampling.flow_steps,
    guidance=sampling.guidance,
  )


def _vocoder(
  params: Params,
  state: VocoderState,
  mel: Float[Array, "B A M"],
  *,
  cfg: InteractionConfig,
) -> Any:
  return interaction.bind(params, cfg=cfg).heads.vocoder(mel, state)
