"""A model over whole episodes, as training sees it.

`forward` over an episode equals `step` scanned over its turns: the same
slots in the same order, packed the same way.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from interaction_jax.core import sharding
from interaction_jax.core.params import Params
from interaction_jax.model import config, interaction
from interaction_jax.model.backbone.memory import Kind
from interaction_jax.model.interaction import Interaction
from interaction_jax.ops import spectral
from interaction_jax.turns import layout
from interaction_jax.turns.schema import Episode


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Predictions:
  """What the model expects of every turn.

  Attributes:
    logits: of each token written, END after them included: place u is the
      choice made when u tokens of the turn were written.
    gate: logit of speaking.
    hidden: the turn's last hidden state, from which gate and voice are made.
    load: positions that chose each expert, by layer.
    fits: turns that `length` had room for; nothing is known of the others.
    dropped: positions of each row that it had no room for.
  """

  logits: Float[Array, "B J _ V"]
  gate: Float[Array, "B J"]
  hidden: Float[Array, "B J D"]
  load: Float[Array, "L E"]
  fits: Bool[Array, "B J"]
  dropped: Int[Array, " B"]


def forward(
  params: Params,
  episode: Episode,
  *,
  cfg: config.InteractionConfig,
  length: int | None = None,
  remat: config.Remat = "none",
) -> Predictions:
  """Runs a model over episodes, with the recorded past as its own.

  Args:
    length: positions of a row after packing; None: as many as there are
      slots, real or not.
    remat: what layers keep for their gradients; the rest is computed anew.
  """
  model = interaction.bind(params, cfg=cfg)
  x, kind, real = _slots(model, episode, cfg)
  batch, num_turns = episode.speaks.shape
  before = episode.pinned.shape[1]
  packing = layout.pack(real, real.shape[1] if length is None else length)
  # Rows are moved about whole: pinned on both sides, or the tables they come
  # from would have them split by width, which gathers along rows do not bear.
  x = sharding.constrain(packing.take(sharding.constrain(x, "B I D")), "B T D")
  passage = model.backbone.episode(
    x, packing.take(kind), packing.real, remat=remat
  )
  hidden = sharding.constrain(passage.hidden, "B T D")
  # Slots of a turn up to the last heard one, then those of written text.
  width = (real.shape[1] - before) // num_turns
  num_written = episode.text_out.shape[2]
  ends = before + (jnp.arange(num_turns) + 1) * width - 1
  choices = ends[:, None] - jnp.arange(num_written, -1, -1)
  at = packing.last(choices).reshape(batch, -1)
  chosen = jnp.take_along_axis(hidden, at[..., None], axis=1)
  chosen = sharding.constrain(chosen, "B T D")
  last = jnp.take_along_axis(hidden, packing.last(ends)[..., None], axis=1)
  last = sharding.constrain(last, "B J D")
  logits = model.heads.text(chosen)
  return Predictions(
    logits=logits.reshape(batch, num_turns, num_written + 1, -1),
    gate=model.heads.gate(last),
    hidden=last,
    load=passage.load,
    fits=packing.fits(ends),
    dropped=layout.overflow(packing),
  )


def _slots(
  model: Interaction, episode: Episode, cfg: config.InteractionConfig
) -> tuple[Float[Array, "B I D"], Int[Array, "B I"], Bool[Array, "B I"]]:
  """Every slot of every turn: its vector, its kind, whether it is real."""
  embed = model.embed
  batch, num_turns = episode.speaks.shape
  turns = jnp.arange(num_turns)
  alive = turns < episode.num_turns[:, None]
  silent = jnp.zeros((batch, 1), bool)
  spoke = jnp.concatenate([silent, episode.speaks[:, :-1]], axis=1)
  heard = embed.heard(_levels(episode.heard, cfg))
  voice = embed.voice(_levels(episode.voice, cfg))
  num_read, num_written = episode.text_in.shape[2], episode.text_out.shape[2]
  groups = [
    (
      embed.at(episode.start[:, None] + turns, episode.lost)[:, :, None],
      Kind.MEDIA,
      alive,
    ),
    (_by_turn(voice, num_turns), Kind.MEDIA, alive & spoke),
    (
      _by_turn(embed.read(_flat(episode.text_in)), num_turns),
      Kind.TEXT,
      layout.upto(episode.num_text_in, num_read) & alive[..., None],
    ),
    (_by_turn(heard, num_turns), Kind.MEDIA, alive),
    (
      _by_turn(embed.written(_flat(episode.text_out)), num_turns),
      Kind.TEXT,
      layout.upto(episode.num_text_out, num_written) & alive[..., None],
    ),
  ]
  if episode.frames is not None and episode.frames_of is not None:
    groups.insert(0, _video(model, episode, alive, cfg))
  vectors, kinds, reals = zip(
    *(_group(*group) for group in groups), strict=True
  )
  x = _flat(jnp.concatenate(vectors, axis=2))
  kind = _flat(jnp.concatenate(kinds, axis=2))
  real = _flat(jnp.concatenate(reals, axis=2))
  pinned = embed.read(episode.pinned)
  shape = episode.pinned.shape
  return (
    jnp.concatenate([pinned, x], axis=1),
    jnp.concatenate([jnp.full(shape, Kind.PINNED, jnp.int32), kind], axis=1),
    jnp.concatenate([layout.upto(episode.num_pinned, shape[1]), real], axis=1),
  )


def _video(model, episode, alive, cfg):
  """The patches of each turn's pair of frames, if it has one."""
  frames = episode.frames
  flat = frames.reshape(-1, *frames.shape[2:])
  seen = model.embed.seen(flat, patch=cfg.video.patch)
  seen = seen.reshape(*frames.shape[:2], *seen.shape[1:])
  which = jnp.maximum(episode.frames_of, 0)[..., None, None]
  vectors = jnp.take_along_axis(seen, which, axis=1)
  return vectors, Kind.MEDIA, alive & (episode.frames_of >= 0)


def _group(vectors, kind, real):
  """Gives a group of slots its kind, and each of them its own mask."""
  shape = vectors.shape[:3]
  if real.ndim == 2:
    real = jnp.broadcast_to(real[..., None], shape)
  return vectors, jnp.full(shape, kind, jnp.int32), real


def _levels(
  sound: Float[Array, "B J W"], cfg: config.InteractionConfig
) -> Int[Array, "B _ M"]:
  batch = sound.shape[0]
  tail = spectral.initial_tail(
    batch, hop=cfg.audio.hop, window=cfg.audio.window
  )
  return interaction.listen(tail, sound.reshape(batch, -1), cfg=cfg)[1]


def _by_turn(
  x: Float[Array, "B T D"], num_turns: int
) -> Float[Array, "B J _ D"]:
  return x.reshape(x.shape[0], num_turns, -1, x.shape[-1])


def _flat(x: jax.Array) -> jax.Array:
  """Joins turns and the slots of a turn."""
  return x.reshape(x.shape[0], -1, *x.shape[3:])
