"""A model does by itself, turn by turn, what it was taught by whole episodes.

Training sees the recorded past, a session the model's own. That both come out
alike needs everything at once: losses, update, memories, sampling, the voice
that is heard again.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.model import config, interaction, step
from interaction_jax.model import state as states
from interaction_jax.train import state as runs
from interaction_jax.train.config import (
  LossConfig,
  OptimizerConfig,
  TrainConfig,
)
from interaction_jax.train.update import update
from interaction_jax.turns import clock
from interaction_jax.turns.schema import Episode, TurnInput

B, J = 2, 7
STEPS = 300


@pytest.fixture(scope="module")
def cfg(small):
  return dataclasses.replace(
    small.cfg,
    flow=dataclasses.replace(small.cfg.flow, width=48, num_layers=2),
  )


@pytest.fixture(scope="module")
def weights(cfg):
  rng = np.random.default_rng(2)
  shapes = jax.eval_shape(lambda: interaction.init(jax.random.key(0), cfg=cfg))

  def draw(path, leaf):
    name = jax.tree_util.keystr(path)
    if leaf.ndim > 1:
      value = rng.normal(size=leaf.shape) * 0.2
    else:
      value = np.full(leaf.shape, "norm" in name or "scale" in name, float)
    return jnp.asarray(value, leaf.dtype)

  return jax.tree_util.tree_map_with_path(draw, shapes)


@pytest.fixture(scope="module")
def episode(cfg, small, weights):
  """What is said and written has nothing to do with what is heard."""
  rng = np.random.default_rng(4)
  voice, size = cfg.vocoder, cfg.text.first_control
  speaks = np.zeros((B, J), bool)
  speaks[0, 1:4] = speaks[1, 3:6] = True
  # A slope of the spectrum for every turn, another one for each.
  slope = rng.uniform(-1, 1, (B, J, 1, 1))
  place = np.linspace(-1, 1, voice.num_mels)
  mel = cfg.flow.mel_mean + cfg.flow.mel_std * slope * place
  mel = np.broadcast_to(mel, (B, J, voice.frames_per_turn, voice.num_mels))
  mel = jnp.asarray(np.where(speaks[..., None, None], mel, voice.floor))
  mel = mel.astype(jnp.float32)
  counts = rng.integers(0, cfg.turn.text_out + 1, (B, J))
  return Episode(
    start=jnp.zeros((B,), jnp.int32),
    num_turns=jnp.full((B,), J, jnp.int32),
    heard=small.sound(rng, B, J),
    voice=_audible(cfg, weights, mel),
    speaks=jnp.asarray(speaks),
    mel=mel,
    text_in=jnp.zeros((B, J, cfg.turn.text_in), jnp.int32),
    num_text_in=jnp.zeros((B, J), jnp.int32),
    text_out=jnp.asarray(
      rng.integers(0, size, (B, J, cfg.turn.text_out)), jnp.int32
    ),
    num_text_out=jnp.asarray(counts, jnp.int32),
    pinned=jnp.zeros((B, 0), jnp.int32),
    num_pinned=jnp.zeros((B,), jnp.int32),
  )


def _audible(cfg, weights, mel):
  """The sound that the vocoder makes of each turn, a turn later."""

  @jax.jit
  def make(mel, state):
    vocoder = interaction.bind(weights, cfg=cfg).heads.vocoder
    return vocoder(mel, state)

  state = states.start(jnp.zeros((B,), jnp.uint32), cfg=cfg).vocoder
  sounds = [jnp.zeros((B, clock.SAMPLES))]
  for turn in range(J - 1):
    sound, state = make(mel[:, turn], state)
    sounds.append(jnp.clip(sound, -1, 1))
  return jnp.stack(sounds, axis=1)


@pytest.fixture(scope="module")
def taught(cfg, weights, episode):
  train = TrainConfig(
    num_steps=STEPS,
    losses=LossConfig(flow_draws=4, flow_share=1.0, past_noise=0.1, drop=0.0),
    optimizer=OptimizerConfig(
      learning_rate=1e-2, warmup=20, weight_decay=0.0, ema=0.9
    ),
  )
  state = runs.restart(weights, cfg, train)
  first = last = None
  for _ in range(STEPS):
    state, last = update(state, episode, cfg=cfg, train=train)
    first = first or last
  assert last.total < 0.1 * first.total
  return state.average


@pytest.fixture(scope="module")
def made(cfg, taught, episode):
  """What the model does, hearing what was heard and its own voice."""

  @jax.jit
  def run(params, turns):
    state = states.start(jnp.arange(B, dtype=jnp.uint32), cfg=cfg)
    sampling = config.SamplingConfig(flow_steps=8)
    return step.stream(params, state, turns, cfg=cfg, sampling=sampling)[1]

  turns = TurnInput(
    active=jnp.ones((J, B), bool),
    heard=jnp.swapaxes(episode.heard, 0, 1),
    text=jnp.zeros((J, B, cfg.turn.text_in), jnp.int32),
    num_text=jnp.zeros((J, B), jnp.int32),
  )
  output = run(taught, turns)
  return jax.tree.map(lambda x: np.swapaxes(np.asarray(x), 0, 1), vars(output))


def test_it_writes_what_it_was_taught(made, episode):
  np.testing.assert_array_equal(made["num_text"], episode.num_text_out)
  for row in range(B):
    for turn in range(J):
      count = made["num_text"][row, turn]
      np.testing.assert_array_equal(
        made["text"][row, turn, :count], episode.text_out[row, turn, :count]
      )


def test_it_speaks_when_it_was_taught(made, episode):
  np.testing.assert_array_equal(made["speaks"], episode.speaks)
  # It is sure of it: more than nine to one.
  assert np.abs(made["gate"]).min() > np.log(9)


def test_it_sounds_as_it_was_taught(cfg, made, episode):
  spoken = np.asarray(episode.speaks)
  error = np.abs(made["mel"] - episode.mel)[spoken] / cfg.flow.mel_std
  wrong = np.abs(np.asarray(episode.mel)[spoken][:1] - episode.mel[spoken])
  # Drawn from pure noise, of deviation 1: a small part of that is left.
  assert error.mean() < 0.15
  assert error.mean() < 0.5 * wrong.mean() / cfg.flow.mel_std
  assert (made["mel"][~spoken] <= cfg.vocoder.floor + 1e-4).all()
