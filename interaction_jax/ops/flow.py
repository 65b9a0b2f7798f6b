"""Rectified flow: straight paths from noise to data.

    x_t = (1 - t) x_0 + t x_1,    v = x_1 - x_0,    x_0 ~ N(0, 1)

Reference: Lipman et al. 2022, arXiv:2210.02747; Liu et al. 2022,
arXiv:2209.03003.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

Field = Callable[[jax.Array, jax.Array], jax.Array]
"""Velocity at (x_t, t), t one number a row."""


def between(
  noise: Float[Array, "B ..."],
  data: Float[Array, "B ..."],
  time: Float[Array, " B"],
) -> Float[Array, "B ..."]:
  """x_t on the straight path."""
  time = _like(time, data)
  return (1 - time) * noise + time * data


def velocity(
  data: Float[Array, "B ..."],
  point: Float[Array, "B ..."],
  time: Float[Array, " B"],
) -> Float[Array, "B ..."]:
  """The velocity that leads from x_t to the data a network expects.

  v = (x_1 - x_t) / (1 - t), for t below 1.
  """
  return (data - point) / (1 - _like(time, data))


def euler(
  field: Field, noise: Float[Array, "B ..."], *, num_steps: int
) -> Float[Array, "B ..."]:
  """Follows the field from t = 0 to 1 in equal steps."""

  def move(index, x):
    time = jnp.full(x.shape[:1], index / num_steps, jnp.float32)
    return x + field(x, time) / num_steps

  return jax.lax.fori_loop(0, num_steps, move, noise)


def times(
  key: Key[Array, ""], shape: tuple[int, ...], *, mean: float, std: float
) -> Float[Array, "..."]:
  """Draws training times, logit-normal: t = sigmoid(N(mean, std)).

  A negative mean asks for noisy inputs, which in wide blocks are the ones
  that do not show their content already.

  Reference: Esser et al. 2024, arXiv:2403.03206, section 3.1.
  """
  return jax.nn.sigmoid(mean + std * jax.random.normal(key, shape))


def _like(time: jax.Array, x: jax.Array) -> jax.Array:
  return time.reshape(time.shape + (1,) * (x.ndim - time.ndim))
