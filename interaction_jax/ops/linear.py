"""Products with weights."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def contract(
  equation: str, x: Float[Array, "..."], w: Float[Array, "..."]
) -> Float[Array, "..."]:
  """Multiplies activations with a weight, in the dtype of the activations.

  The product is asked for in float32 and rounded once at the end: on a CPU a
  bfloat16 product with a bfloat16 result runs at a tenth of the speed.

  Args:
    equation: an einsum over the letters of `core/dims.py`, such as
      `"BTD,DNH->BTNH"`.
    w: at rest in any dtype; it is cast to that of `x`.
  """
  y = jnp.einsum(
    equation, x, w.astype(x.dtype), preferred_element_type=jnp.float32
  )
  return y.astype(x.dtype)
