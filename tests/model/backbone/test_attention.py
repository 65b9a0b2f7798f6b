import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from interaction_jax.model.backbone import attention
from interaction_jax.model.backbone.memory import LayerMemory
from interaction_jax.model.backbone.where import Episode
from interaction_jax.ops import norm

LENGTH = 13


def build(cfg, layer, **fields):
  backbone = dataclasses.replace(cfg.backbone, **fields)
  return attention.Attention(backbone, layer, dtype="float32", rngs=nnx.Rngs(0))


def look(module, cfg, x):
  ones = jnp.ones(x.shape[:2], jnp.int32)
  where = Episode.of(
    ones, ones == 1, None, window=5,
    memory_cfg=dataclasses.replace(cfg.memory, text=LENGTH),
  )  # fmt: skip
  return jax.jit(lambda x: module(x, where, LayerMemory())[0])(x)


def draw(cfg, seed=0):
  shape = (2, LENGTH, cfg.backbone.width)
  return jnp.float32(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize(("layer", "reach"), [(0, 5), (1, LENGTH)])
def test_a_layer_reaches_as_far_as_its_kind(layer, reach, small):
  module = build(small, layer)
  x = draw(small)
  base = look(module, small, x)
  moved = look(module, small, x.at[:, 2].add(1.0))
  changed = np.abs(np.asarray(moved - base)).max(axis=(0, 2)) > 1e-6
  # With taps of zero nothing but attention carries a position further.
  wanted = [2 <= t < 2 + reach for t in range(LENGTH)]
  assert changed.tolist() == wanted


def test_heads_have_the_sizes_of_their_kind(small):
  window, everywhere = build(small, 0), build(small, 1)
  assert window.query.shape == (48, 6, 8)
  assert everywhere.query.shape == (48, 15, 12)
  assert window.bank.shape == (7, 5)
  assert everywhere.bank.shape == (7, 9)
  assert window.key_taps.shape == (4, 3, 8)


def test_scores_are_spread_by_about_one_to_begin_with(small):
  """An entry can be told from others before anything is learned."""
  module = build(small, 1)
  x, width = draw(small), module.query.shape[-1]
  q = norm.rms(
    jnp.einsum("BTD,DNH->BTNH", x, module.query[...]),
    module.query_norm[...],
    eps=1e-6,
  )
  k = norm.rms(
    jnp.einsum("BTD,DKH->BTKH", x, module.key[...]),
    module.key_norm[...],
    eps=1e-6,
  )
  scores = jnp.einsum("BTNH,BSKH->BNKTS", q, k) / width
  assert 0.8 < float(scores.std()) < 1.2


def test_growth_is_one_up_to_the_floor_and_the_logarithm_beyond():
  pos = jnp.asarray([[0, 5, 6, 11, 59]], jnp.int32)
  grow = attention._growth(pos, 6, 0.1)[..., 0, 0]
  wanted = 1 + 0.1 * np.log(np.maximum(np.array([1, 6, 7, 12, 60]) / 6, 1))
  np.testing.assert_allclose(grow, wanted[None], rtol=1e-6)


def test_only_global_layers_grow(small):
  x = draw(small)
  for layer, differs in ((0, False), (1, True)):
    never = look(build(small, layer, log_floor=None), small, x)
    early = look(build(small, layer, log_floor=1), small, x)
    assert (np.abs(never - early).max() > 1e-5) == differs


def test_the_convolutions_act_on_keys_and_values(small):
  x = draw(small)
  for name in ("key_taps", "value_taps"):
    module = build(small, 0)
    base = look(module, small, x)
    taps = getattr(module, name)
    taps[...] = taps[...] + 0.5
    assert np.abs(look(module, small, x) - base).max() > 1e-3
