import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from interaction_jax.model.backbone import feed


def draw(cfg, length, seed=0):
  shape = (2, length, cfg.backbone.width)
  return jnp.float32(np.random.default_rng(seed).normal(size=shape))


def silu(x):
  return x / (1 + np.exp(-x))


def test_dense_equals_its_equation(small):
  module = feed.Dense(small.backbone, dtype="float32", rngs=nnx.Rngs(0))
  module.scale[...] = jnp.float32(0.7)
  x = draw(small, 5)
  fed = jax.jit(lambda x: module(x, jnp.ones((2, 5), bool)).out)(x)
  wide = np.float64(x)
  gate, up, down = (
    np.float64(w[...]) for w in (module.gate, module.up, module.down)
  )
  wanted = 0.7 * (silu(wide @ gate) * (wide @ up)) @ down
  # Some hundred float32 products of values around one.
  np.testing.assert_allclose(fed, wanted, rtol=0, atol=2e-5)


def build(cfg):
  module = feed.Experts(cfg.backbone, dtype="float32", rngs=nnx.Rngs(0))
  bias = np.random.default_rng(3).normal(size=cfg.backbone.experts.num_routed)
  module.router.selection_bias[...] = jnp.float32(0.3 * bias)
  module.router.scale[...] = jnp.float32(0.6)
  return module


def definition(module, x, cfg):
  """Position by position, in float64."""
  experts = cfg.backbone.experts
  w = {
    name: np.float64(getattr(module, name)[...])
    for name in (
      "gate",
      "up",
      "down",
      "shared_gate",
      "shared_up",
      "shared_down",
    )
  }
  router = module.router
  rows = np.float64(x).reshape(-1, x.shape[-1])
  out = np.zeros_like(rows)
  for t, row in enumerate(rows):
    routed = row @ np.float64(router.routed[...])
    shared = row @ np.float64(router.shared[...])
    score = 1 / (1 + np.exp(-routed))
    best = np.argsort(-(score + np.float64(router.selection_bias[...])))
    best = best[: experts.num_chosen]
    weights = np.concatenate([score[best], 1 / (1 + np.exp(-shared))])
    weights = weights / weights.sum() * experts.route_scale * 0.6
    for expert, weight in zip(best, weights[: len(best)], strict=True):
      hidden = silu(row @ w["gate"][expert]) * (row @ w["up"][expert])
      out[t] += weight * (hidden @ w["down"][expert])
    for expert, weight in enumerate(weights[len(best) :]):
      hidden = silu(row @ w["shared_gate"][expert])
      hidden = hidden * (row @ w["shared_up"][expert])
      out[t] += weight * (hidden @ w["shared_down"][expert])
  return out.reshape(x.shape)


@pytest.mark.parametrize("length", [3, 40], ids=["few", "many"])
def test_experts_equal_their_equation(length, small):
  module = build(small)
  x = draw(small, length)
  real = jnp.ones((2, length), bool)
  with jax.default_matmul_precision("highest"):
    got = jax.jit(lambda x: module(x, real).out)(x)
  wanted = definition(module, x, small)
  scale = np.abs(wanted).max()
  np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * scale)


def test_the_load_counts_real_positions(small):
  module = build(small)
  x = draw(small, 6)
  real = jnp.asarray([[True] * 6, [True] * 2 + [False] * 4])
  load = jax.jit(lambda x: module(x, real).load)(x)
  routing = module.router(x.reshape(-1, x.shape[-1]))
  chosen = np.asarray(routing.experts)[np.asarray(real).reshape(-1)]
  wanted = np.bincount(chosen.reshape(-1), minlength=10)
  np.testing.assert_array_equal(load, wanted)
  assert load.sum() == 8 * small.backbone.experts.num_chosen


def test_the_router_is_float32_whatever_comes_in(small):
  module = build(small)
  x = draw(small, 5).reshape(-1, 48)
  wide = module.router(x.astype(jnp.bfloat16).astype(jnp.float32))
  narrow = module.router(x.astype(jnp.bfloat16))
  assert narrow.weights.dtype == jnp.float32
  np.testing.assert_array_equal(wide.weights, narrow.weights)
  np.testing.assert_array_equal(wide.experts, narrow.experts)
