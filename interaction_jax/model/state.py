"""Everything a session remembers, as one pytree with one row a session.

Snapshot, resume and fork are `jax.tree` on this object. Rows are reset and
frozen independently, and no leaf grows with time.
"""

import dataclasses
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jaxtyping import Array, Bool, Float, Int, UInt32

from interaction_jax.core import sharding
from interaction_jax.model import config
from interaction_jax.model.backbone import memory
from interaction_jax.model.backbone.memory import BackboneMemory
from interaction_jax.model.heads import vocoder
from interaction_jax.model.heads.vocoder import VocoderState
from interaction_jax.ops import spectral
from interaction_jax.turns import clock
from interaction_jax.turns.vocabulary import Control

Tree = TypeVar("Tree")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SessionState:
  """What B sessions carry from turn to turn.

  Attributes:
    memory: of the backbone.
    seed: of all random draws of the session.
    turn: index of the next turn.
    heard_tail, voice_tail: the samples behind which the dMel front ends go on.
    voice: the sound made last, which is audible while the next turn is heard.
    spoke: whether that sound is a voice.
    mel: the last frames of its own voice, normalised.
    vocoder: its state.
    channel: the control token of the text channel in use.
  """

  memory: BackboneMemory
  seed: UInt32[Array, " B"]
  turn: Int[Array, " B"]
  heard_tail: Float[Array, "B I"]
  voice_tail: Float[Array, "B I"]
  voice: Float[Array, "B W"]
  spoke: Bool[Array, " B"]
  mel: Float[Array, "B S M"]
  vocoder: VocoderState
  channel: Int[Array, " B"]


def start(
  seed: UInt32[Array, " B"],
  *,
  cfg: config.InteractionConfig,
  turn: Int[Array, " B"] | None = None,
) -> SessionState:
  """The state of sessions that have not begun.

  Args:
    seed: one a session.
    turn: index of the first turn; None: 0.
  """
  batch = seed.shape[0]
  hop, window = cfg.audio.hop, cfg.audio.window

  def tail() -> jax.Array:
    return spectral.initial_tail(batch, hop=hop, window=window)

  return SessionState(
    memory=memory.empty(cfg.backbone, cfg.memory, batch, cfg.dtype),
    seed=seed.astype(jnp.uint32),
    turn=jnp.zeros((batch,), jnp.int32)
    if turn is None
    else turn.astype(jnp.int32),
    heard_tail=tail(),
    voice_tail=tail(),
    voice=jnp.zeros((batch, clock.SAMPLES), jnp.float32),
    spoke=jnp.zeros((batch,), bool),
    mel=silent_mel(batch, cfg.flow.past_frames, cfg=cfg),
    vocoder=vocoder.start(cfg.vocoder, batch),
    channel=jnp.full(
      (batch,), (cfg.text.first_control or 0) + Control.SAY, jnp.int32
    ),
  )


def select(mask: Bool[Array, " B"], new: Tree, old: Tree) -> Tree:
  """Takes the rows of `new` where `mask`, those of `old` elsewhere."""

  def leaf(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.where(mask.reshape(mask.shape + (1,) * (a.ndim - 1)), a, b)

  return jax.tree.map(leaf, new, old)


def reset(
  state: SessionState,
  mask: Bool[Array, " B"],
  seed: UInt32[Array, " B"],
  *,
  cfg: config.InteractionConfig,
) -> SessionState:
  """Begins new sessions in the rows of `mask`; the others keep their bits."""
  return select(mask, start(seed, cfg=cfg), state)


def shapes(
  batch: int, *, cfg: config.InteractionConfig
) -> tuple[list[tuple[str, jax.ShapeDtypeStruct]], Any]:
  """The arrays of a state of so many sessions, by name, and their tree.

  They are no `SessionState`, which holds arrays.
  """
  found = []

  def begin(seed: jax.Array) -> list[jax.Array]:
    state = start(seed, cfg=cfg)
    found.append(jax.tree.structure(state))
    found.extend(sharding.by_name(state))
    return jax.tree.leaves(state)

  leaves = jax.eval_shape(begin, jax.ShapeDtypeStruct((batch,), jnp.uint32))
  tree, *names = found
  return list(zip(names, leaves, strict=True)), tree


def places(
  batch: int, mesh: sharding.AnyMesh, *, cfg: config.InteractionConfig
) -> list[NamedSharding]:
  """Where the arrays of a state lie on a mesh, in the order of its leaves.

  Each session lies where its positions are computed, keys and values with the
  heads that read them.

  Raises:
    ValueError: its rows or its heads cannot be spread over the mesh.
  """

  def place(name: str, leaf: jax.ShapeDtypeStruct) -> NamedSharding:
    ring = name.endswith(("/keys", "/values"))
    axes = "B S K" if ring else "B"
    return sharding.place(axes, leaf.shape[: len(axes.split())], mesh)

  return [place(name, leaf) for name, leaf in shapes(batch, cfg=cfg)[0]]


def silent_mel(
  batch: int, frames: int, *, cfg: config.InteractionConfig
) -> Float[Array, "B S M"]:
  """Frames of silence, normalised as the flow decoder sees them."""
  level = (cfg.vocoder.floor - cfg.flow.mel_mean) / cfg.flow.mel_std
  return jnp.full((batch, frames, cfg.vocoder.num_mels), level, jnp.float32)


def usage(
  state: SessionState, *, cfg: config.InteractionConfig
) -> Float[Array, "B 3"]:
  """How full the global memories are, pinned, text and media, 0 to 1.

  At 1 the oldest text and media are forgotten as new ones come, and no more
  instructions fit.
  """
  keep = jnp.asarray(
    (cfg.memory.pinned, cfg.memory.text, cfg.memory.media), jnp.float32
  )
  return jnp.minimum(state.memory.counts.astype(jnp.float32) / keep, 1.0)
