"""A small model and an episode, for tests of losses and updates."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import settings
from interaction_jax.data.synthetic import recorder, world
from interaction_jax.model import config, interaction
from interaction_jax.train.config import DataConfig, Experiment, TrainConfig
from interaction_jax.turns import clock
from interaction_jax.turns.schema import Episode

B, J = 2, 3


@pytest.fixture(scope="session")
def cfg(root):
  return settings.load(root / "tests" / "small.py").model


@pytest.fixture(scope="session")
def experiment(cfg, tmp_path_factory):
  """The small model with the words of a small bank."""
  words = world.vocabulary()
  bank = tmp_path_factory.mktemp("bank") / "bank"
  recorder.make(
    bank, seed=1, num_clips=300, num_shards=1, num_workers=1, num_voices=3
  )
  experts = dataclasses.replace(cfg.backbone.experts, num_routed=8)
  model = dataclasses.replace(
    cfg,
    # Eight of them lie on a mesh of eight devices.
    backbone=dataclasses.replace(cfg.backbone, experts=experts),
    text=config.TextConfig(
      table_size=words.table_size + 3,
      vocab_size=words.table_size,
      first_control=words.first_control,
    ),
    turn=config.TurnConfig(text_in=8, text_out=4),
    memory=dataclasses.replace(cfg.memory, block=20),
  )
  data = DataConfig(bank=str(bank), num_turns=25, positions=200)
  train = TrainConfig(batch=2, data=data)
  return Experiment(name="small", model=model, train=train)


@pytest.fixture(scope="session")
def weights(cfg):
  """Drawn ones; nothing that training begins at 0 is 0."""
  rng = np.random.default_rng(0)
  shapes = jax.eval_shape(
    functools.partial(interaction.init, cfg=cfg), jax.random.key(0)
  )
  return jax.tree.map(
    lambda leaf: jnp.asarray(0.25 * rng.normal(size=leaf.shape), leaf.dtype),
    shapes,
  )


@pytest.fixture(scope="session")
def episode(cfg):
  """Two rows: the second one has two turns and padding."""
  rng = np.random.default_rng(1)
  voice, vocab = cfg.vocoder, cfg.text.vocab_size

  def sound():
    size = 10.0 ** rng.uniform(-5, 0, (B, J, 4, 1))
    drawn = rng.normal(size=(B, J, 4, cfg.audio.hop)) * size
    return jnp.asarray(drawn.reshape(B, J, clock.SAMPLES), jnp.float32)

  def tokens(*shape):
    return jnp.asarray(rng.integers(0, vocab, shape), jnp.int32)

  mel = rng.uniform(-4.5, -1, (B, J, voice.frames_per_turn, voice.num_mels))
  return Episode(
    start=jnp.asarray([3, 144_000], jnp.int32),
    num_turns=jnp.asarray([3, 2], jnp.int32),
    heard=sound(),
    voice=sound(),
    speaks=jnp.asarray([[1, 0, 1], [0, 1, 1]], bool),
    mel=jnp.asarray(mel, jnp.float32),
    text_in=tokens(B, J, cfg.turn.text_in),
    num_text_in=jnp.asarray([[0, 2, 0], [5, 0, 1]], jnp.int32),
    text_out=tokens(B, J, cfg.turn.text_out),
    num_text_out=jnp.asarray([[3, 0, 1], [2, 0, 1]], jnp.int32),
    pinned=tokens(B, 4),
    num_pinned=jnp.asarray([4, 0], jnp.int32),
  )
