import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import settings
from interaction_jax.model import interaction
from interaction_jax.ops import spectral
from interaction_jax.turns import clock


@pytest.fixture(scope="module")
def cfg(root):
  return settings.load(root / "tests" / "small.py").model


@pytest.fixture(scope="module")
def weights(cfg, quick):
  init = functools.partial(interaction.init, cfg=cfg)
  return jax.jit(init, compiler_options=quick)(jax.random.key(3))


def test_weights_are_a_plain_dict(weights):
  assert set(weights) == {"embed", "backbone", "heads"}
  assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(weights))
  kinds = {type(node) for node in (weights, weights["embed"]["text"])}
  assert kinds == {dict}


def test_weights_begin_as_they_should(cfg, weights):
  table = np.asarray(weights["embed"]["text"]["table"])
  # Five standard errors of the deviation of 360 draws.
  assert abs(table.std() - 1) < 0.19
  layer = weights["backbone"]["layers"]["1"]
  query = np.asarray(layer["attention"]["query"])
  assert abs(query.std() * cfg.backbone.width**0.5 - 1) < 0.1
  for name in ("heard", "voice", "video", "read", "written"):
    assert not np.asarray(weights["embed"]["streams"][name]).any()
  # Convolutions begin as the identity beside them, routers without a bias.
  assert not np.asarray(layer["attention"]["key_taps"]).any()
  assert not np.asarray(layer["feed"]["router"]["selection_bias"]).any()
  assert (np.asarray(weights["backbone"]["norm"]) == 1).all()


def test_every_weight_is_drawn_by_itself(weights):
  drawn = [
    np.asarray(leaf).reshape(-1)[:4].tobytes()
    for leaf in jax.tree.leaves(weights)
    if leaf.ndim > 1 and np.asarray(leaf).std() > 0
  ]
  assert len(set(drawn)) == len(drawn) > 30


def test_shapes_are_those_of_the_weights(cfg, weights):
  shapes = interaction.shapes(cfg)
  assert jax.tree.structure(shapes) == jax.tree.structure(weights)
  for shape, leaf in zip(
    jax.tree.leaves(shapes), jax.tree.leaves(weights), strict=True
  ):
    assert (shape.shape, shape.dtype) == (leaf.shape, leaf.dtype)


def test_every_weight_has_its_letters(cfg, weights):
  axes = interaction.axes(cfg)
  named = jax.tree_util.tree_leaves_with_path(weights)
  letters = jax.tree_util.tree_leaves_with_path(axes)
  assert len(named) == len(letters)
  for (path, leaf), (other, text) in zip(named, letters, strict=True):
    assert path == other
    assert len(text.split()) == leaf.ndim, jax.tree_util.keystr(path)


@pytest.mark.parametrize("fault", ["missing", "unknown"])
def test_other_weights_are_refused(cfg, weights, fault):
  heads = dict(weights["heads"])
  if fault == "missing":
    del heads["gate"]
  else:
    heads["second"] = heads["gate"]
  with pytest.raises(ValueError, match=rf"{fault} \['heads/(gate|second)/bias"):
    interaction.bind(weights | {"heads": heads}, cfg=cfg)


def test_streams_share_tables_and_differ_by_a_vector(cfg, weights):
  """Zero at first, so that imported weights see what they know."""
  streams = weights["embed"]["streams"] | {
    "voice": jnp.full((cfg.backbone.width,), 2.0),
    "written": jnp.full((cfg.backbone.width,), -3.0),
  }
  changed = weights | {"embed": weights["embed"] | {"streams": streams}}
  embed = interaction.bind(changed, cfg=cfg).embed
  rng = np.random.default_rng(0)
  levels = jnp.asarray(
    rng.integers(0, cfg.audio.num_levels, (2, 4, cfg.audio.num_mels))
  )
  tokens = jnp.asarray([[0, 3, 5, 1]])
  # One rounding of a sum of numbers below 8.
  close = {"rtol": 0, "atol": 1e-6}
  np.testing.assert_allclose(
    embed.voice(levels) - embed.heard(levels), 2, **close
  )
  np.testing.assert_allclose(
    embed.written(tokens) - embed.read(tokens), -3, **close
  )


def test_listening_goes_on_where_it_stopped(cfg):
  rng = np.random.default_rng(1)
  size = 10.0 ** rng.uniform(-5, 0, (2, 12, 1))
  sound = rng.normal(size=(2, 12, cfg.audio.hop)) * size
  sound = jnp.asarray(sound.reshape(2, -1), jnp.float32)
  tail = spectral.initial_tail(2, hop=cfg.audio.hop, window=cfg.audio.window)
  _, whole = interaction.listen(tail, sound, cfg=cfg)
  assert whole.shape == (2, 12, cfg.audio.num_mels)
  assert 0 <= whole.min() < whole.max() < cfg.audio.num_levels
  assert len(np.unique(whole)) > 3
  parts = []
  for turn in range(3):
    piece = sound[:, turn * clock.SAMPLES : (turn + 1) * clock.SAMPLES]
    tail, levels = interaction.listen(tail, piece, cfg=cfg)
    parts.append(levels)
  np.testing.assert_array_equal(jnp.concatenate(parts, axis=1), whole)
