"""A model whose every weight matters, and its programs, compiled once."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import settings
from interaction_jax.core.params import Params
from interaction_jax.model import forward, interaction, step
from interaction_jax.model import state as states
from interaction_jax.model.config import InteractionConfig, SamplingConfig
from interaction_jax.model.state import SessionState
from interaction_jax.turns import clock
from interaction_jax.turns.schema import Episode, Media, TurnInput, TurnOutput

SMALL = Path(__file__).parent.parent / "small.py"


@dataclasses.dataclass(frozen=True)
class Small:
  """The model, and programs for batches of one size each.

  Attributes:
    donating_step, donating_absorb: of `model/step.py`, using states up.
    forward: of `model/forward.py`.
    traces: how often each program was traced.
  """

  cfg: InteractionConfig
  params: Params
  sampling: SamplingConfig
  donating_step: Callable[..., Any]
  donating_absorb: Callable[..., Any]
  forward: Callable[..., Any]
  traces: dict[str, int]

  def start(self, turn: Sequence[int], seed: int = 5) -> SessionState:
    """Sessions that begin at these turns."""
    seeds = jnp.arange(len(turn), dtype=jnp.uint32) + seed
    first = jnp.asarray(turn, jnp.int32)
    return states.start(seeds, cfg=self.cfg, turn=first)

  def step(
    self, state: SessionState, turn: TurnInput, params: Params | None = None
  ) -> tuple[SessionState, TurnOutput]:
    """One turn; `state` is kept."""
    state = jax.tree.map(jnp.copy, state)
    return self.donating_step(params or self.params, state, turn)

  def absorb(
    self, state: SessionState, media: Media, params: Params | None = None
  ) -> SessionState:
    """Appends media; `state` is kept."""
    state = jax.tree.map(jnp.copy, state)
    return self.donating_absorb(params or self.params, state, media)

  def turn(
    self, rng: np.random.Generator, batch: int, active: Any = True
  ) -> TurnInput:
    """A turn; in two of five, text is read."""
    most = self.cfg.turn.text_in
    read = rng.integers(1, most + 1, batch) * (rng.random(batch) < 0.4)
    return TurnInput(
      active=jnp.broadcast_to(jnp.asarray(active), (batch,)),
      heard=self.sound(rng, batch),
      text=self.tokens(rng, batch, most),
      num_text=jnp.asarray(read, jnp.int32),
      lost=self.lost(rng, batch),
    )

  def lost(self, rng: np.random.Generator, *shape: int) -> jax.Array:
    """Shares of sound and of frames that were lost, mostly none."""
    lost = rng.random((*shape, 2)) * (rng.random((*shape, 2)) < 0.3)
    return jnp.asarray(lost, jnp.float32)

  def media(self, rng: np.random.Generator, batch: int) -> Media:
    """Text for everybody, pinned for every second one, and frames."""
    video, row = self.cfg.video, np.arange(batch)
    side = (video.rows * video.patch, video.columns * video.patch)
    frames = rng.integers(0, 256, (batch, 2, *side, 3))
    return Media(
      active=jnp.ones((batch,), bool),
      text=self.tokens(rng, batch, 6),
      num_text=jnp.asarray(1 + row % 6, jnp.int32),
      pinned=jnp.asarray(row % 2 == 0),
      frames=jnp.asarray(frames, jnp.uint8),
      has_frames=jnp.ones((batch,), bool),
    )

  def episode(
    self, rng: np.random.Generator, batch: int, num_turns: int
  ) -> Episode:
    """Episodes from turn 0 on, with everything an episode can have."""
    turn, voice, video = self.cfg.turn, self.cfg.vocoder, self.cfg.video
    shape = (batch, num_turns)
    side = (video.rows * video.patch, video.columns * video.patch)

    def count(most: int, *shape: int) -> jax.Array:
      return jnp.asarray(rng.integers(0, most + 1, shape), jnp.int32)

    def normal(*shape: int) -> jax.Array:
      return jnp.asarray(rng.normal(size=shape), jnp.float32)

    mel = normal(*shape, voice.frames_per_turn, voice.num_mels)
    return Episode(
      start=jnp.zeros((batch,), jnp.int32),
      num_turns=jnp.full((batch,), num_turns, jnp.int32),
      heard=self.sound(rng, *shape),
      voice=self.sound(rng, *shape),
      speaks=jnp.asarray(rng.random(shape) < 0.6),
      mel=self.cfg.flow.mel_mean + mel,
      text_in=self.tokens(rng, *shape, turn.text_in),
      num_text_in=count(turn.text_in, *shape),
      text_out=self.tokens(rng, *shape, turn.text_out),
      num_text_out=count(turn.text_out, *shape),
      pinned=self.tokens(rng, batch, 4),
      num_pinned=count(4, batch),
      frames=jnp.asarray(
        rng.integers(0, 256, (*shape, 2, *side, 3)), jnp.uint8
      ),
      frames_of=jnp.asarray(
        np.where(rng.random(shape) < 0.5, np.arange(num_turns), -1), jnp.int32
      ),
      lost=self.lost(rng, *shape),
    )

  def sound(self, rng: np.random.Generator, *shape: int) -> jax.Array:
    """Tones in noise, other ones every 50 ms; noise alone has one level."""
    hop = self.cfg.audio.hop
    frames = (*shape, clock.SAMPLES // hop, 1)
    cycles = 10.0 ** rng.uniform(-2, -0.4, frames) * np.arange(hop)
    tone = np.sin(2 * np.pi * cycles) * 10.0 ** rng.uniform(-3, 0, frames)
    noise = rng.normal(size=tone.shape) * 10.0 ** rng.uniform(-6, -1, frames)
    both = (tone + noise).reshape(*shape, clock.SAMPLES)
    return jnp.asarray(both, jnp.float32)

  def tokens(self, rng: np.random.Generator, *shape: int) -> jax.Array:
    """Any tokens, control tokens among them."""
    size = self.cfg.text.vocab_size
    return jnp.asarray(rng.integers(0, size, shape), jnp.int32)


@pytest.fixture(scope="session")
def make_small() -> Callable[[], Small]:
  """A function that builds the small model, with programs not yet traced."""
  return _small


@pytest.fixture(scope="session")
def small() -> Small:
  """The small model that laws share."""
  return _small()


@pytest.fixture(scope="session")
def same_bits() -> Callable[[Any, Any], None]:
  """A function that fails on the first leaf that differs in any bit."""

  def compare(one: Any, other: Any) -> None:
    leaves = jax.tree_util.tree_leaves_with_path(one)
    others = jax.tree.leaves(other)
    for (path, a), b in zip(leaves, others, strict=True):
      name = jax.tree_util.keystr(path)
      a, b = np.asarray(a), np.asarray(b)
      assert (a.dtype, a.shape) == (b.dtype, b.shape), name
      assert a.tobytes() == b.tobytes(), f"{name} differs"

  return compare


def _small() -> Small:
  """With drawn weights, those that begin at 0 or 1 as well."""
  cfg = settings.load(SMALL).model
  rng = np.random.default_rng(0)

  def draw(path: Any, leaf: jax.ShapeDtypeStruct) -> jax.Array:
    name = jax.tree_util.keystr(path)
    value = rng.normal(size=leaf.shape)
    if leaf.ndim > 1:
      value *= 1.0 if "embed" in name else 0.3
    elif "norm" in name or "scale" in name:
      value = 1 + 0.2 * value
    else:
      value *= 0.3
    return jnp.asarray(value, leaf.dtype)

  build = functools.partial(interaction.init, cfg=cfg)
  shapes = jax.eval_shape(build, jax.random.key(0))
  # Warm, so that texts end early.
  sampling = SamplingConfig(temperature=1.5, flow_steps=2, guidance=1.5)
  traces: dict[str, int] = {}

  def program(function: Callable[..., Any], **kwargs: Any) -> Any:
    name = function.__name__

    def traced(*args: Any) -> Any:
      traces[name] = traces.get(name, 0) + 1
      return function(*args, cfg=cfg, **kwargs)

    return jax.jit(traced, donate_argnums=1 if name != "forward" else ())

  return Small(
    cfg=cfg,
    params=jax.tree_util.tree_map_with_path(draw, shapes),
    sampling=sampling,
    donating_step=program(step.step, sampling=sampling),
    donating_absorb=program(step.absorb),
    forward=program(forward.forward),
    traces=traces,
  )
