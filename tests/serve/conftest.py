"""A small model with words of its own, drawn at random and compiled once."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import settings
from interaction_jax.data.synthetic import world
from interaction_jax.model import interaction
from interaction_jax.model.config import SamplingConfig, TextConfig
from interaction_jax.serve import models

# It writes much and speaks in about half of its turns.
LIVELY = SamplingConfig(temperature=1.0, flow_steps=1)


@pytest.fixture(scope="session")
def cfg(root):
  words = world.vocabulary()
  text = TextConfig(
    table_size=words.table_size,
    vocab_size=words.table_size,
    first_control=words.first_control,
  )
  experiment = settings.load(root / "tests" / "small.py")
  # More instructions than one `absorb` takes.
  memory = dataclasses.replace(experiment.model.memory, pinned=30)
  return dataclasses.replace(experiment.model, text=text, memory=memory)


@pytest.fixture(scope="session")
def params(cfg):
  # Drawn by NumPy: a program that draws takes longer to compile than all of
  # these tests to run.
  shapes = jax.eval_shape(lambda: interaction.init(jax.random.key(0), cfg=cfg))
  rng = np.random.default_rng(3)

  def draw(leaf):
    if len(leaf.shape) < 2:
      return jnp.ones(leaf.shape, leaf.dtype)
    std = leaf.shape[-2] ** -0.5
    return jnp.asarray(rng.normal(0, std, leaf.shape), leaf.dtype)

  return jax.tree.map(draw, shapes)


@pytest.fixture(scope="session")
def model(cfg, params):
  return models.of(params, cfg=cfg, words=world.vocabulary(), name="small")


@pytest.fixture(scope="session")
def lively():
  return LIVELY


@pytest.fixture(scope="session")
def movie(tmp_path_factory):
  """Two seconds that get brighter, ten pictures a second."""
  import av

  path = tmp_path_factory.mktemp("movie") / "movie.mkv"
  with av.open(str(path), "w") as container:
    stream = container.add_stream("ffv1", rate=10)
    stream.width, stream.height, stream.pix_fmt = 40, 30, "bgr0"
    for shade in range(20):
      pixels = np.full((30, 40, 3), 10 * shade, np.uint8)
      frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
      container.mux(stream.encode(frame.reformat(format="bgr0")))
    container.mux(stream.encode())
  return path
