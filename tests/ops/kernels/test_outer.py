import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.ops.kernels import outer


def by_hand(x, grad, sizes):
  """In float64, group by group."""
  ends = np.cumsum(sizes)
  x, grad = np.asarray(x, np.float64), np.asarray(grad, np.float64)
  return np.stack(
    [
      x[end - size : end].T @ grad[end - size : end]
      for size, end in zip(sizes, ends, strict=True)
    ]
  )


@pytest.mark.parametrize(
  ("length", "sizes"),
  [
    (7, (2, 0, 3)),
    (300, (0, 0, 300)),
    (640, (1, 513, 0, 63)),
    (128, (0, 0)),
  ],
  ids=["few", "one", "uneven", "none"],
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_is_the_gradient_of_the_weights_of_groups(length, sizes, dtype):
  rng = np.random.default_rng(length)
  x = jnp.asarray(rng.normal(size=(length, 24)), dtype)
  grad = jnp.asarray(rng.normal(size=(length, 40)), dtype)
  given = jnp.asarray(sizes, jnp.int32)
  got = outer.outer(x, grad, given, interpret=True)
  assert got.shape == (len(sizes), 24, 40) and got.dtype == dtype
  # Products of two bfloat16 are exact in float32; the sum is rounded once.
  rounding = {"float32": 1e-6, "bfloat16": 2.0**-8}[dtype]
  np.testing.assert_allclose(
    np.asarray(got, np.float64),
    by_hand(x, grad, sizes),
    rtol=rounding,
    atol=1e-6 * max(*sizes, 1),
  )


def test_it_is_the_transpose_of_ragged_dot():
  rng = np.random.default_rng(0)
  x, grad = (
    jnp.asarray(rng.normal(size=(200, width)), jnp.float32) for width in (16, 8)
  )
  sizes = jnp.asarray([50, 0, 120], jnp.int32)
  shape = jax.ShapeDtypeStruct((3, 16, 8), jnp.float32)
  (wanted,) = jax.linear_transpose(
    lambda weights: jax.lax.ragged_dot(x, weights, sizes), shape
  )(grad)
  got = outer.outer(x, grad, sizes, interpret=True)
  np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4)
