"""A model turn by turn: the two programs of every session.

    absorb    appends instructions, long text or video; makes nothing
    step      hears one turn, and writes and speaks the next

A turn in which the model only listens, or goes on saying what it has chosen,
costs one pass of the backbone; each new token costs one more.
"""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from interaction_jax.core import keys
from interaction_jax.core.params import Params
from interaction_jax.model import config, interaction
from interaction_jax.model import state as states
from interaction_jax.model.backbone.memory import BackboneMemory, Kind
from interaction_jax.model.heads.flow import Condition
from interaction_jax.model.interaction import Interaction
from interaction_jax.model.state import SessionState
from interaction_jax.ops import sample
from interaction_jax.turns import layout
from interaction_jax.turns.schema import Media, TurnInput, TurnOutput
from interaction_jax.turns.vocabulary import CHANNELS, SPEAKERS, Control

Loop = Literal["while", "scan"]
"""How text is written: `while` ends when all rows have, `scan` always makes U
passes and has a gradient."""

GREEDY = config.SamplingConfig()


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Writing:
  """The state of the loop that writes a turn's text.

  Attributes:
    token: the next one.
    going: rows that have not ended.
    last: hidden state of each row's last real position.
    logits: of every choice made, place 0 the first.
  """

  memory: BackboneMemory
  token: Int[Array, " B"]
  going: Bool[Array, " B"]
  last: Float[Array, "B D"]
  text: Int[Array, "B U"]
  num_text: Int[Array, " B"]
  num_passes: Int[Array, ""]
  logits: Float[Array, "B _ V"] | None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Trace:
  """What a step thought, for comparison with `forward`.

  Attributes:
    logits: as `Predictions.logits`, zeros where no choice was made; None
      where the loop does not keep them.
    hidden: the turn's last hidden state.
  """

  logits: Float[Array, "*J B _ V"] | None
  hidden: Float[Array, "*J B D"]


def step(
  params: Params,
  state: SessionState,
  turn: TurnInput,
  *,
  cfg: config.InteractionConfig,
  sampling: config.SamplingConfig = GREEDY,
) -> tuple[SessionState, TurnOutput]:
  """Runs one micro-turn of B sessions.

  Rows that are not active stand still, bit for bit. Rows never touch each
  other.
  """
  state, output, _ = traced_step(
    params, state, turn, cfg=cfg, sampling=sampling, loop="while"
  )
  return state, output


def stream(
  params: Params,
  state: SessionState,
  turns: TurnInput,
  *,
  cfg: config.InteractionConfig,
  sampling: config.SamplingConfig = GREEDY,
) -> tuple[SessionState, TurnOutput]:
  """Runs J turns in one program: `step`, scanned.

  Args:
    turns: as for `step`, with an axis J in front of every array.
  """

  def body(state, turn):
    return step(params, state, turn, cfg=cfg, sampling=sampling)

  return jax.lax.scan(body, state, turns)


def absorb(
  params: Params,
  state: SessionState,
  media: Media,
  *,
  cfg: config.InteractionConfig,
) -> SessionState:
  """Appends what was read or seen before the next turn, without answering.

  The order is that of `forward`: instructions, video, other text. Rows that
  are not active keep their bits.
  """
  model = interaction.bind(params, cfg=cfg)
  shape = media.text.shape
  text = model.embed.read(media.text)
  told = layout.upto(media.num_text, shape[1]) & media.active[:, None]
  pinned = media.pinned[:, None]
  groups = [(text, Kind.PINNED, told & pinned)]
  if media.frames is not None and media.has_frames is not None:
    seen = model.embed.seen(media.frames, patch=cfg.video.patch)
    shown = (media.active & media.has_frames)[:, None]
    shown = jnp.broadcast_to(shown, seen.shape[:2])
    groups.append((seen, Kind.MEDIA, shown))
  groups.append((text, Kind.TEXT, told & ~pinned))
  x = jnp.concatenate([vectors for vectors, _, _ in groups], axis=1)
  real = jnp.concatenate([mask for _, _, mask in groups], axis=1)
  kind = [jnp.full(m.shape, kind, jnp.int32) for _, kind, m in groups]
  # A row's text is of one kind, so what is real has room without the other.
  packing = layout.pack(real, real.shape[1] - shape[1])
  _, memory = model.backbone.stream(
    packing.take(x),
    packing.take(jnp.concatenate(kind, axis=1)),
    packing.real,
    state.memory,
  )
  return dataclasses.replace(state, memory=memory)


def traced_step(
  params: Params,
  state: SessionState,
  turn: TurnInput,
  *,
  cfg: config.InteractionConfig,
  sampling: config.SamplingConfig,
  loop: Loop,
) -> tuple[SessionState, TurnOutput, Trace]:
  """`step`, with what it thought; with `loop="scan"` it has a gradient."""
  model = interaction.bind(params, cfg=cfg)
  # Scopes name the parts of a turn in profiles, and for `fit`.
  with jax.named_scope("listen"):
    heard_tail, heard = interaction.listen(
      state.heard_tail, turn.heard, cfg=cfg
    )
    voice_tail, voice = interaction.listen(
      state.voice_tail, state.voice, cfg=cfg
    )
  with jax.named_scope("take_in"):
    last, memory = _take_in(model, state, turn, heard, voice)
  with jax.named_scope("write"):
    writing = _write(
      model, state, turn.active, last, memory, cfg, sampling, loop
    )
  gate = model.heads.gate(writing.last)
  speaks = sample.decision(
    keys.at(state.seed, state.turn, keys.Purpose.GATE),
    gate + sampling.speak_bias,
    temperature=sampling.gate_temperature,
  )
  speaks &= turn.active
  with jax.named_scope("speak"):
    mel = _speak(model, state, writing, speaks, cfg, sampling)
    sound, vocoder = _sound(model, state, mel, cfg)
  output = TurnOutput(
    text=writing.text,
    num_text=writing.num_text,
    speaks=speaks,
    gate=gate,
    mel=_denormalized(mel, cfg),
    voice=sound,
    ended=~writing.going,
  )
  past = jnp.concatenate([state.mel, mel], axis=1)
  after = dataclasses.replace(
    state,
    turn=state.turn + 1,
    heard_tail=heard_tail,
    voice_tail=voice_tail,
    voice=sound,
    spoke=speaks,
    mel=jax.lax.stop_gradient(past[:, -cfg.flow.past_frames :]),
    vocoder=vocoder,
    channel=_channel(state.channel, writing, cfg),
  )
  # The rings already stand still in idle rows; selecting would copy them.
  after = dataclasses.replace(after, memory=writing.memory)
  small = ("turn", "heard_tail", "voice_tail", "voice", "spoke", "mel",
           "vocoder", "channel")  # fmt: skip
  chosen = {
    name: states.select(turn.active, getattr(after, name), getattr(state, name))
    for name in small
  }
  trace = Trace(writing.logits, writing.last)
  return dataclasses.replace(after, **chosen), output, trace


def _take_in(
  model: Interaction,
  state: SessionState,
  turn: TurnInput,
  heard: Int[Array, "B _ M"],
  voice: Int[Array, "B _ M"],
) -> tuple[Float[Array, "B D"], BackboneMemory]:
  """Appends all that came in; returns the hidden state at its end."""
  embed = model.embed
  heard_x, voice_x = embed.heard(heard), embed.voice(voice)
  batch, num_audio = heard_x.shape[:2]
  num_read = turn.text.shape[1]
  always = jnp.ones((batch, num_audio), bool)
  lost = None if turn.lost is None else turn.lost[:, None]
  tick = embed.at(state.turn[:, None], lost)
  x = jnp.concatenate([tick, voice_x, embed.read(turn.text), heard_x], axis=1)
  kind = jnp.asarray(
    [Kind.MEDIA] * (1 + num_audio)
    + [Kind.TEXT] * num_read
    + [Kind.MEDIA] * num_audio,
    jnp.int32,
  )
  real = jnp.concatenate(
    [
      jnp.ones((batch, 1), bool),
      always & state.spoke[:, None],
      layout.upto(turn.num_text, num_read),
      always,
    ],
    axis=1,
  )
  real &= turn.active[:, None]
  packing = layout.pack(real, real.shape[1])
  kind = jnp.broadcast_to(kind, real.shape)
  hidden, memory = model.backbone.stream(
    packing.take(x), packing.take(kind), packing.real, state.memory
  )
  at = packing.last(jnp.asarray([real.shape[1] - 1]))
  return jnp.take_along_axis(hidden, at[..., None], axis=1)[:, 0], memory


def _write(
  model: Interaction,
  state: SessionState,
  active: Bool[Array, " B"],
  last: Float[Array, "B D"],
  memory: BackboneMemory,
  cfg: config.InteractionConfig,
  sampling: config.SamplingConfig,
  loop: Loop,
) -> _Writing:
  """Writes tokens until every row chose END, or the budget is used up."""
  num = cfg.turn.text_out
  end = _control(cfg, Control.END)
  may = allowed(cfg)
  base = keys.at(state.seed, state.turn, keys.Purpose.TEXT)
  keep_logits = loop == "scan"

  def choose(last: jax.Array, index: jax.Array | int):
    logits = model.heads.text(last[:, None])[:, 0]
    key = jax.vmap(lambda one: jax.random.fold_in(one, index))(base)
    token = sample.token(key, logits, may, temperature=sampling.temperature)
    return logits, token

  def body(writing: _Writing) -> _Writing:
    index, going = writing.num_passes, writing.going
    x = model.embed.written(writing.token[:, None])
    kind = jnp.full(x.shape[:2], Kind.TEXT, jnp.int32)
    hidden, memory = model.backbone.stream(
      x, kind, going[:, None], writing.memory
    )
    last = jnp.where(going[:, None], hidden[:, 0], writing.last)
    text = writing.text.at[:, index].set(jnp.where(going, writing.token, 0))
    logits, token = choose(last, index + 1)
    kept = writing.logits
    if kept is not None:
      kept = kept.at[:, index + 1].set(jnp.where(going[:, None], logits, 0.0))
    return _Writing(
      memory=memory,
      token=token,
      going=going & ((token != end) | (index + 1 >= num)),
      last=last,
      text=text,
      num_text=writing.num_text + going,
      num_passes=index + 1,
      logits=kept,
    )

  logits, token = choose(last, 0)
  batch = last.shape[0]
  kept = None
  if keep_logits:
    kept = jnp.zeros((batch, num + 1, logits.shape[-1])).at[:, 0].set(logits)
  begin = _Writing(
    memory=memory,
    token=token,
    going=(token != end) & active,
    last=last,
    text=jnp.zeros((batch, num), jnp.int32),
    num_text=jnp.zeros((batch,), jnp.int32),
    num_passes=jnp.zeros((), jnp.int32),
    logits=kept,
  )
  if loop == "scan":
    return jax.lax.scan(lambda w, _: (body(w), None), begin, None, num)[0]
  return jax.lax.while_loop(
    lambda w: (w.num_passes < num) & w.going.any(), body, begin
  )


def _speak(
  model: Interaction,
  state: SessionState,
  writing: _Writing,
  speaks: Bool[Array, " B"],
  cfg: config.InteractionConfig,
  sampling: config.SamplingConfig,
) -> Float[Array, "B _ M"]:
  """The frames of the turn, normalised; silence where the gate is shut."""
  batch, frames = speaks.shape[0], cfg.vocoder.frames_per_turn
  silent = states.silent_mel(batch, frames, cfg=cfg)

  def make(_):
    key = keys.at(state.seed, state.turn, keys.Purpose.FLOW)
    draw = jax.vmap(lambda one: jax.random.normal(one, silent.shape[1:]))
    given = Condition(
      hidden=writing.last,
      text=model.embed.text(writing.text),
      text_mask=layout.upto(writing.num_text, writing.text.shape[1]),
      past=state.mel,
    )
    made = model.heads.flow.make(
      draw(key) * sampling.flow_temperature**0.5,
      given,
      num_steps=sampling.flow_steps,
      guidance=sampling.guidance,
    )
    return jnp.where(speaks[:, None, None], made, silent)

  # Skipped when nobody speaks; a row's own arithmetic is the same either way.
  mel = jax.lax.cond(speaks.any(), make, lambda _: silent, None)
  return jnp.maximum(mel, silent)


def _sound(model, state, mel, cfg):
  """The vocoder always runs, so that its tail decays in silence."""
  sound, after = model.heads.vocoder(_denormalized(mel, cfg), state.vocoder)
  return jax.lax.stop_gradient(jnp.clip(sound, -1.0, 1.0)), after


def _denormalized(mel, cfg):
  return mel * cfg.flow.mel_std + cfg.flow.mel_mean


def _channel(
  channel: Int[Array, " B"], writing: _Writing, cfg: config.InteractionConfig
) -> Int[Array, " B"]:
  """The last channel named, if any was."""
  for place in range(cfg.turn.text_out):
    token = writing.text[:, place]
    named = (place < writing.num_text) & jnp.isin(
      token, jnp.asarray([_control(cfg, one) for one in CHANNELS])
    )
    channel = jnp.where(named, token, channel)
  return channel


def allowed(cfg: config.InteractionConfig) -> Bool[Array, " V"]:
  """Tokens a model may write: text, channels and END, not speakers' marks."""
  tokens = jnp.arange(cfg.text.vocab_size)
  marks = jnp.asarray([_control(cfg, one) for one in SPEAKERS])
  return ~jnp.isin(tokens, marks)


def _control(cfg: config.InteractionConfig, which: Control) -> int:
  if cfg.text.first_control is None:
    raise ValueError(
      "text.first_control is None: a model without control tokens has no "
      "turns. Give the first free id above the tokenizer's."
    )
  return cfg.text.first_control + int(which)
