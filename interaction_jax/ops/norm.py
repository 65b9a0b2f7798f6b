"""Normalisation."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def rms(
  x: Float[Array, "... D"], scale: Float[Array, " D"], *, eps: float
) -> Float[Array, "... D"]:
  """Scales each vector to a mean square of one.

  The statistics are float32 whatever `x` is; the result is rounded to the
  dtype of `x` before `scale` multiplies it, not after, as Inkling does:
  y = scale * cast(x / √(mean(x²) + eps)).

  Reference: Zhang and Sennrich 2019, arXiv:1910.07467.
  """
  wide = x.astype(jnp.float32)
  square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
  unit = wide * lax.rsqrt(square + eps)
  return scale.astype(x.dtype) * unit.astype(x.dtype)
