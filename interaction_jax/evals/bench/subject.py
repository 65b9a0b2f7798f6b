"""The model that is measured: a checkpoint, or a config with drawn weights."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from interaction_jax.core import settings
from interaction_jax.core.params import Params
from interaction_jax.data.synthetic import world
from interaction_jax.model import interaction
from interaction_jax.model.config import InteractionConfig, TextConfig
from interaction_jax.serve import models
from interaction_jax.serve.models import Model
from interaction_jax.turns.vocabulary import Control, Vocabulary


def find(config: str | None, checkpoint: str | None, *, usual: str) -> Model:
  """The model of a checkpoint or of a config.

  Args:
    usual: the config if there is neither.

  Raises:
    FileNotFoundError: there is no such model or config.
    ValueError: there are both.
  """
  if checkpoint is not None and config is not None:
    raise ValueError(
      f"config={config!r} and checkpoint={checkpoint!r} are two models; one is "
      "measured at a time."
    )
  if checkpoint is not None:
    return models.load(checkpoint)
  name = config or usual
  return drawn(settings.load(name).model, name=name)


def drawn(cfg: InteractionConfig, *, name: str = "drawn") -> Model:
  """A model of a config with weights drawn at random.

  Its tables of text are replaced by larger ones where they have no room for
  the words of the synthetic conversations.
  """
  text = cfg.text
  words = world.vocabulary()
  first = text.first_control
  roomy = first is not None and first >= words.first_control
  if first is not None and roomy:
    words = Vocabulary(words.tokenizer, text.table_size, first)
  else:
    text = TextConfig(
      table_size=words.table_size,
      vocab_size=words.first_control + len(Control),
      first_control=words.first_control,
      logit_divisor=text.logit_divisor,
    )
    cfg = dataclasses.replace(cfg, text=text)
  return models.of(weights(cfg), cfg=cfg, words=words, name=name)


def weights(cfg: InteractionConfig) -> Params:
  """Weights drawn at random, as large as they would be at first."""
  # By NumPy: `init` compiles a program for every shape there is, and how long
  # a product takes is not a question of how its factors were drawn.
  shapes = interaction.shapes(cfg)
  rng = np.random.default_rng(0)

  def draw(leaf: jax.ShapeDtypeStruct) -> jax.Array:
    if len(leaf.shape) < 2:
      return jax.device_put(np.ones(leaf.shape, leaf.dtype))
    value = rng.standard_normal(leaf.shape, np.float32)
    value *= leaf.shape[-2] ** -0.5
    return jnp.asarray(jax.device_put(value), leaf.dtype)

  return jax.tree.map(draw, shapes)
