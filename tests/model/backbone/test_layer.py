import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from interaction_jax.model.backbone.feed import Dense, Experts
from interaction_jax.model.backbone.layer import Layer
from interaction_jax.model.backbone.memory import LayerMemory
from interaction_jax.model.backbone.where import Episode


def build(cfg, index):
  return Layer(cfg.backbone, index, dtype="float32", rngs=nnx.Rngs(0))


def run(layer, cfg, x):
  ones = jnp.ones(x.shape[:2], jnp.int32)
  where = Episode.of(ones, ones == 1, None, window=5, memory_cfg=cfg.memory)
  passed = jax.jit(lambda x: layer(x, where, LayerMemory()))(x)
  return passed


def draw(cfg):
  shape = (2, 9, cfg.backbone.width)
  return jnp.float32(np.random.default_rng(0).normal(size=shape))


@pytest.mark.parametrize(
  ("index", "feed"), [(0, Dense), (1, Experts), (2, Experts)]
)
def test_a_layer_is_of_its_kind(index, feed, small):
  layer = build(small, index)
  assert isinstance(layer.feed, feed)
  assert layer.attention.kind == small.backbone.kind(index)
  passed = run(layer, small, draw(small))
  assert passed.x.shape == (2, 9, 48)
  assert (passed.load is None) == (feed is Dense)


def test_both_halves_add_to_what_comes_in(small):
  layer = build(small, 0)
  x = draw(small)
  layer.attention.out[...] = jnp.zeros_like(layer.attention.out[...])
  layer.feed.down[...] = jnp.zeros_like(layer.feed.down[...])
  np.testing.assert_array_equal(run(layer, small, x).x, x)


@pytest.mark.parametrize("taps", ["attention_taps", "feed_taps"])
def test_each_half_ends_in_a_convolution(taps, small):
  layer = build(small, 0)
  x = draw(small)
  base = run(layer, small, x).x
  weights = jnp.zeros((4, 48)).at[0].set(1.0)
  getattr(layer, taps)[...] = weights
  moved = run(layer, small, x).x
  # The oldest of four taps: the first three positions have nothing there.
  np.testing.assert_array_equal(moved[:, :3], base[:, :3])
  assert np.abs(moved[:, 3:] - base[:, 3:]).max() > 1e-3


def test_an_episode_leaves_no_memory(small):
  passed = run(build(small, 1), small, draw(small))
  assert jax.tree.leaves(passed.memory) == []
