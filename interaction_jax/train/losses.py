"""What a model is trained for: masked means, each with its own count.

What the user said is context, never a target. Gate and voice are learned at
turn-final positions only.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from interaction_jax.core.params import Params
from interaction_jax.model import config, interaction
from interaction_jax.model import state as states
from interaction_jax.model.forward import Predictions, forward
from interaction_jax.model.heads.flow import Condition
from interaction_jax.ops import flow
from interaction_jax.train.config import LossConfig
from interaction_jax.turns import layout
from interaction_jax.turns.schema import Episode
from interaction_jax.turns.vocabulary import Control


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Losses:
  """The parts of the loss, and what else one step can tell.

  Attributes:
    total: weighted sum of the parts.
    text, gate, flow: the parts.
    text_count, gate_count, flow_count: what each is a mean over.
    positions: real positions of the batch.
    load: positions that chose each expert, by layer.
    dropped: positions that did not fit; their turns do not count.
  """

  total: Float[Array, ""]
  text: Float[Array, ""]
  gate: Float[Array, ""]
  flow: Float[Array, ""]
  text_count: Float[Array, ""]
  gate_count: Float[Array, ""]
  flow_count: Float[Array, ""]
  positions: Float[Array, ""]
  load: Float[Array, "L E"]
  dropped: Int[Array, ""]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Sum:
  """A loss added up, and over how many."""

  total: Float[Array, ""]
  count: Float[Array, ""]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Tally:
  """What `Losses` are made of; those of parts of a batch may be added.

  Attributes:
    text, gate, flow: sums, each with its own count.
    positions, load, dropped: as in `Losses`.
  """

  text: Sum
  gate: Sum
  flow: Sum
  positions: Float[Array, ""]
  load: Float[Array, "L E"]
  dropped: Int[Array, ""]


def losses(
  params: Params,
  episode: Episode,
  key: Key[Array, ""],
  *,
  cfg: config.InteractionConfig,
  weights: LossConfig,
  length: int | None = None,
  remat: config.Remat = "none",
) -> Losses:
  """The losses of a batch of episodes; see `tally` for the arguments."""
  return means(
    tally(
      params,
      episode,
      key,
      cfg=cfg,
      weights=weights,
      length=length,
      remat=remat,
    ),
    weights=weights,
  )


def tally(
  params: Params,
  episode: Episode,
  key: Key[Array, ""],
  *,
  cfg: config.InteractionConfig,
  weights: LossConfig,
  rows: Int[Array, " B"] | None = None,
  length: int | None = None,
  remat: config.Remat = "none",
) -> Tally:
  """The losses of episodes, not divided yet.

  What is drawn for a row depends on `key` and its number alone, so a batch
  may be computed in parts.

  Args:
    key: for the noise of the flow loss.
    rows: the number of each row in the whole batch; None: from 0 on.
    length: positions of a row after packing.
    remat: what layers keep for their gradients.
  """
  seen = forward(params, episode, cfg=cfg, length=length, remat=remat)
  batch, num_turns = episode.speaks.shape
  rows = jnp.arange(batch) if rows is None else rows
  alive = layout.upto(episode.num_turns, num_turns) & seen.fits
  keys = jax.vmap(lambda row: jax.random.fold_in(key, row))(rows)
  return Tally(
    text=_text(seen, episode, alive, cfg),
    gate=_sum(
      optax.sigmoid_binary_cross_entropy(
        seen.gate, episode.speaks.astype(jnp.float32)
      ),
      alive,
    ),
    flow=_voice(params, seen, episode, alive, keys, cfg, weights),
    positions=seen.load[:1].sum() / cfg.backbone.experts.num_chosen,
    load=jax.lax.stop_gradient(seen.load),
    dropped=seen.dropped.sum(),
  )


def means(
  summed: Tally, *, weights: LossConfig, counts: Tally | None = None
) -> Losses:
  """Divides each sum by its count, and weighs the parts.

  Args:
    counts: where to take the counts from; None: from the sums themselves. The
      losses of parts of a batch, divided by the counts of all of it, add up
      to the losses of the batch, and so do their gradients.
  """
  over = summed if counts is None else counts

  def mean(part: str) -> jax.Array:
    count = getattr(over, part).count
    return getattr(summed, part).total / jnp.maximum(count, 1.0)

  text, gate, voice = mean("text"), mean("gate"), mean("flow")
  return Losses(
    total=weights.text * text + weights.gate * gate + weights.flow * voice,
    text=text,
    gate=gate,
    flow=voice,
    text_count=summed.text.count,
    gate_count=summed.gate.count,
    flow_count=summed.flow.count,
    positions=summed.positions,
    load=summed.load,
    dropped=summed.dropped,
  )


def _text(
  seen: Predictions,
  episode: Episode,
  alive: Bool[Array, "B J"],
  cfg: config.InteractionConfig,
) -> Sum:
  """Cross entropy of every choice: the tokens of a turn, then END.

  A turn that used its budget up was ended by force; that END is no choice.
  """
  target, made = choices(episode, cfg=cfg)
  made &= alive[..., None]
  each = optax.softmax_cross_entropy_with_integer_labels(seen.logits, target)
  return _sum(each, made)


def choices(
  episode: Episode, *, cfg: config.InteractionConfig
) -> tuple[Int[Array, "B J _"], Bool[Array, "B J _"]]:
  """What was chosen at each place of a turn's text, and whether it was free."""
  num = episode.text_out.shape[2]
  end = (cfg.text.first_control or 0) + int(Control.END)
  place = jnp.arange(num + 1)
  count = episode.num_text_out[..., None]
  padded = jnp.pad(episode.text_out, ((0, 0), (0, 0), (0, 1)))
  target = jnp.where(place < count, padded, end)
  return target, (place <= count) & (place < num)


def _voice(
  params: Params,
  seen: Predictions,
  episode: Episode,
  alive: Bool[Array, "B J"],
  keys: Key[Array, " B"],
  cfg: config.InteractionConfig,
  weights: LossConfig,
) -> Sum:
  """Squared error of the frames expected from a noisy version of them.

  Only as many turns of a row as `flow_share` allows are computed, any of the
  spoken ones; each several times, with other noise. A part of them loses its
  condition, for guidance, and the past is damaged, since at run time it is
  the model's own and never exact.
  """
  model = interaction.bind(params, cfg=cfg)
  target = _normalized(episode.mel, cfg)
  past = _past(target, episode.speaks, cfg)
  spoken = episode.speaks & alive
  draws = jax.vmap(functools.partial(_draw, cfg=cfg, weights=weights))(
    keys, spoken
  )

  def rows(x: jax.Array) -> jax.Array:
    """The chosen turns of each row, as rows; a row's own never leave it."""
    index = draws.turn.reshape(draws.turn.shape + (1,) * (x.ndim - 2))
    return _flat(jnp.take_along_axis(x, index, axis=1))

  data, noise, time = rows(target), _flat(draws.noise), _flat(draws.time)
  given = Condition(
    hidden=rows(seen.hidden),
    text=model.embed.text(rows(episode.text_out)),
    text_mask=layout.upto(
      rows(episode.num_text_out), episode.text_out.shape[2]
    ),
    past=rows(past) + _flat(draws.damage),
  )
  given = states.select(
    _flat(draws.free), model.heads.flow.without(given), given
  )
  expected = model.heads.flow.expect(
    flow.between(noise, data, time), time, given
  )
  error = jnp.square(expected - data).mean(axis=(1, 2))
  return _sum(error, rows(spoken))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Draws:
  """What chance decides for a row; a leading axis for its chosen turns.

  Attributes:
    turn: which ones they are.
    noise, time: where on its path each is looked at.
    damage: what is added to its past.
    free: which ones lose their condition.
  """

  turn: Int[Array, "*B I"]
  noise: Float[Array, "*B I _ M"]
  time: Float[Array, "*B I"]
  damage: Float[Array, "*B I _ M"]
  free: Bool[Array, "*B I"]


def _draw(
  key: Key[Array, ""],
  spoken: Bool[Array, " J"],
  *,
  cfg: config.InteractionConfig,
  weights: LossConfig,
) -> _Draws:
  """Chooses turns of one row, spoken ones first, and draws for each."""
  order, noise, time, past, size, drop = jax.random.split(key, 6)
  room = max(1, round(weights.flow_share * spoken.shape[0]))
  chance = jax.random.uniform(order, spoken.shape)
  chosen = jnp.argsort(jnp.where(spoken, chance, 1.0 + chance))[:room]
  turn = jnp.tile(chosen, weights.flow_draws)
  num, mels = turn.shape[0], cfg.vocoder.num_mels
  damage = weights.past_noise * jax.random.uniform(size, (num, 1, 1))
  return _Draws(
    turn=turn,
    noise=jax.random.normal(noise, (num, cfg.vocoder.frames_per_turn, mels)),
    time=flow.times(time, (num,), mean=cfg.flow.mean, std=cfg.flow.std),
    damage=damage * jax.random.normal(past, (num, cfg.flow.past_frames, mels)),
    free=jax.random.uniform(drop, (num,)) < weights.drop,
  )


def _past(
  target: Float[Array, "B J _ M"],
  speaks: Bool[Array, "B J"],
  cfg: config.InteractionConfig,
) -> Float[Array, "B J _ M"]:
  """The last frames before each turn, silence where it did not speak."""
  batch, num_turns, frames, _ = target.shape
  num_past = cfg.flow.past_frames
  back = -(-num_past // frames)
  silent = states.silent_mel(batch, frames, cfg=cfg)[:, None]
  made = jnp.where(speaks[..., None, None], target, silent)
  made = jnp.concatenate([jnp.repeat(silent, back, axis=1), made], axis=1)
  turns = [made[:, one : one + num_turns] for one in range(back)]
  return jnp.concatenate(turns, axis=2)[:, :, -num_past:]


def _normalized(
  mel: Float[Array, "B J _ M"], cfg: config.InteractionConfig
) -> Float[Array, "B J _ M"]:
  loud = jnp.maximum(mel, cfg.vocoder.floor)
  return (loud - cfg.flow.mel_mean) / cfg.flow.mel_std


def _sum(x: Float[Array, "..."], mask: Bool[Array, "..."]) -> Sum:
  """The sum of `x` where `mask`, and over how many."""
  count = mask.sum().astype(jnp.float32)
  return Sum(jnp.where(mask, x, 0.0).sum(), count)


def _flat(x: jax.Array) -> jax.Array:
  """Joins the first two axes."""
  return x.reshape(-1, *x.shape[2:])
