import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.ops import norm


def test_rms_equals_its_equation():
  x = np.random.default_rng(0).normal(size=(2, 3, 5))
  scale = np.arange(1.0, 6.0)
  wanted = scale * x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-3)
  y = norm.rms(jnp.float32(x), jnp.float32(scale), eps=1e-3)
  # Values up to 10 in float32, a handful of roundings.
  np.testing.assert_allclose(y, wanted, rtol=0, atol=4e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_rms_rounds_before_the_scale(dtype):
  x = jax.random.normal(jax.random.key(1), (4, 7)).astype(dtype)
  scale = jnp.linspace(0.3, 1.7, 7)
  unit = norm.rms(x.astype("float32"), jnp.ones(7), eps=1e-6).astype(dtype)
  y = norm.rms(x, scale, eps=1e-6)
  assert y.dtype == x.dtype
  np.testing.assert_array_equal(y, scale.astype(dtype) * unit)


def test_rms_of_large_half_precision_values_is_finite():
  x = jnp.full((1, 3), 60_000.0, "float16")
  y = norm.rms(x, jnp.ones(3), eps=1e-6)
  np.testing.assert_array_equal(y, np.ones((1, 3)))


def test_rms_of_nothing_is_nothing():
  y = norm.rms(jnp.zeros((1, 3)), jnp.ones(3), eps=1e-6)
  np.testing.assert_array_equal(y, np.zeros((1, 3)))


def test_rms_has_a_finite_gradient_at_zero():
  def loss(x):
    return norm.rms(x, jnp.ones(3), eps=1e-6).sum()

  assert np.isfinite(jax.grad(loss)(jnp.zeros((1, 3)))).all()
