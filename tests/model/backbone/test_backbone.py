import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from interaction_jax.core import params
from interaction_jax.model.backbone import memory
from interaction_jax.model.backbone.backbone import Backbone

LENGTH = 19


def builder(cfg):
  return lambda key: Backbone(cfg, rngs=nnx.Rngs(key))


@pytest.fixture(scope="module")
def weights(small, drawn):
  return drawn(lambda key: params.to_dict(builder(small)(key)))


def draw(cfg, seed=0):
  numbers = np.random.default_rng(seed)
  x = jnp.asarray(numbers.normal(size=(2, LENGTH, 48)), cfg.dtype)
  kind = jnp.asarray(numbers.integers(1, 3, (2, LENGTH)), jnp.int32)
  return x, kind


def episode(cfg, **options):
  def passage(weights, x, kind, real, segment=None):
    model = params.bind(builder(cfg), weights)
    return model.episode(x, kind, real, segment, **options)

  return jax.jit(passage)


def test_shapes_and_loads(small, weights):
  x, kind = draw(small)
  real = jnp.arange(LENGTH) < jnp.asarray([[LENGTH], [7]])
  passage = episode(small)(weights, x, kind, real)
  assert passage.hidden.shape == (2, LENGTH, 48)
  assert passage.load.shape == (2, 10)
  np.testing.assert_array_equal(passage.load.sum(axis=1), 3 * (LENGTH + 7))


def test_a_backbone_of_dense_layers_has_no_loads(small):
  cfg = dataclasses.replace(
    small,
    backbone=dataclasses.replace(
      small.backbone, num_layers=1, global_layers=(), dense_layers=(0,)
    ),
  )
  weights = params.to_dict(builder(cfg)(jax.random.key(0)))
  x, kind = draw(cfg)
  passage = episode(cfg)(weights, x, kind, kind > 0)
  assert passage.load.shape == (0, 10)


def test_the_padding_may_hold_anything(small, weights):
  x, kind = draw(small)
  real = jnp.arange(LENGTH) < jnp.asarray([[LENGTH], [7]])
  run = episode(small)
  clean = run(weights, x, kind, real).hidden
  dirty = run(
    weights, jnp.where(real[..., None], x, jnp.nan), kind, real
  ).hidden
  np.testing.assert_array_equal(clean, dirty)
  assert np.isfinite(dirty).all()


def test_gradients_do_not_see_the_padding(small, weights):
  x, kind = draw(small)
  real = jnp.arange(LENGTH) < jnp.asarray([[LENGTH], [7]])
  dirty = jnp.where(real[..., None], x, jnp.nan)

  def loss(weights):
    hidden = episode(small)(weights, dirty, kind, real).hidden
    return jnp.sum(jnp.where(real[..., None], hidden, 0.0) ** 2)

  for leaf in jax.tree.leaves(jax.jit(jax.grad(loss))(weights)):
    assert np.isfinite(leaf).all()


def test_segments_are_sessions_of_their_own(small, weights):
  x, kind = draw(small)
  segment = jnp.asarray([[0] * 8 + [1] * 11, [0] * 19], jnp.int32)
  run, real = episode(small), kind > 0
  packed = run(weights, x, kind, real, segment).hidden
  first = run(weights, x, kind, real & (segment == 0)).hidden
  second = jnp.roll(x, -8, axis=1), jnp.roll(kind, -8, axis=1)
  alone = run(weights, *second, real & (jnp.arange(LENGTH) < 11)).hidden
  scale = np.abs(packed).max()
  # The same sums, cut into other blocks.
  np.testing.assert_allclose(
    packed[0, :8], first[0, :8], rtol=0, atol=1e-5 * scale
  )
  np.testing.assert_allclose(
    packed[0, 8:], alone[0, :11], rtol=0, atol=1e-5 * scale
  )


def test_the_future_never_moves_the_past(small, weights):
  x, kind = draw(small)
  run = episode(small)
  before = run(weights, x, kind, kind > 0).hidden
  after = run(weights, x.at[:, 11:].set(9.0), kind, kind > 0).hidden
  np.testing.assert_array_equal(before[:, :11], after[:, :11])
  assert np.abs(before[:, 11:] - after[:, 11:]).max() > 0.1


def test_computing_anew_changes_nothing(small, weights):
  x, kind = draw(small)
  kept = episode(small)(weights, x, kind, kind > 0)
  anew = episode(small, remat="full")(weights, x, kind, kind > 0)
  # Fused otherwise, so a few ulps.
  np.testing.assert_allclose(kept.hidden, anew.hidden, rtol=0, atol=1e-5)
  np.testing.assert_array_equal(kept.load, anew.load)


def test_bfloat16_is_close_to_float32(small, weights):
  low = dataclasses.replace(small, dtype="bfloat16")
  x, kind = draw(low)
  narrow = episode(low)(weights, x, kind, kind > 0).hidden
  wide = episode(small)(weights, x.astype("float32"), kind, kind > 0).hidden
  assert narrow.dtype == jnp.bfloat16
  error = np.abs(narrow.astype("float32") - wide)
  # 8 bits through three layers; a close choice of experts may turn, so the
  # worst position is not asked for.
  assert np.median(error) < 0.02 * np.abs(wide).max()


def test_a_stream_in_bfloat16_keeps_its_dtypes(small, weights):
  low = dataclasses.replace(small, dtype="bfloat16")
  x, kind = draw(low)
  past = memory.empty(low.backbone, low.memory, 2, "bfloat16")

  @jax.jit
  def run(weights, x, kind, past):
    model = params.bind(builder(low), weights)
    return model.stream(x, kind, kind > 0, past)

  hidden, after = run(weights, x[:, :7], kind[:, :7], past)
  assert hidden.dtype == jnp.bfloat16
  assert np.isfinite(hidden.astype("float32")).all()
  for old, new in zip(
    jax.tree.leaves(past), jax.tree.leaves(after), strict=True
  ):
    assert (old.shape, old.dtype) == (new.shape, new.dtype)


def stream_flops(cfg, *, global_layers, reach, media):
  """What one block of a stream costs."""
  window = dataclasses.replace(cfg.backbone.window_attention, reach=reach)
  cfg = dataclasses.replace(
    cfg,
    backbone=dataclasses.replace(
      cfg.backbone, global_layers=global_layers, window_attention=window
    ),
    memory=dataclasses.replace(cfg.memory, media=media),
  )
  weights = jax.eval_shape(
    lambda key: params.to_dict(builder(cfg)(key)), jax.random.key(0)
  )
  x, kind = (part[:, : cfg.memory.block] for part in draw(cfg))

  def run(weights, x, kind):
    model = params.bind(builder(cfg), weights)
    past = memory.empty(cfg.backbone, cfg.memory, 2, "float32")
    return jax.tree.leaves(model.stream(x, kind, kind > 0, past))

  cost = jax.jit(run).lower(weights, x, kind).cost_analysis()
  return cost["flops"]


def test_a_window_layer_costs_what_its_window_does_however_much_is_kept(small):
  near = stream_flops(small, global_layers=(), reach=64, media=50)
  kept = stream_flops(small, global_layers=(), reach=64, media=5000)
  wide = stream_flops(small, global_layers=(), reach=640, media=50)
  # Who sees what is worked out for every memory, a few operations an entry.
  assert kept < 1.05 * near
  assert wide > 2 * near
  # A global layer costs what is kept: the measure sees it where it is.
  everywhere = stream_flops(small, global_layers=(1,), reach=64, media=5000)
  assert everywhere > 2 * kept
