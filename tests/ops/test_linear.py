import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.ops import linear

# Every form that the model uses: one letter contracted, two, and a batch.
FORMS = [
  ("BTD,DNH->BTNH", (2, 3, 5), (5, 4, 7)),
  ("BTNH,NHD->BTD", (2, 3, 4, 7), (4, 7, 5)),
  ("BTD,DF->BTF", (2, 3, 5), (5, 6)),
]


def draw(x_shape, w_shape):
  numbers = np.random.default_rng(2)
  return numbers.normal(size=x_shape), numbers.normal(size=w_shape)


@pytest.mark.parametrize(("equation", "x_shape", "w_shape"), FORMS)
@pytest.mark.parametrize(
  # Rounding of the inputs and once of the result, at sums of 30 values.
  ("dtype", "atol"),
  [("float32", 1e-5), ("bfloat16", 0.15)],
)
def test_contract_equals_einsum(equation, x_shape, w_shape, dtype, atol):
  x, w = draw(x_shape, w_shape)
  y = jax.jit(linear.contract, static_argnums=0)(
    equation, jnp.asarray(x, dtype), jnp.asarray(w, "float32")
  )
  assert y.dtype == dtype
  np.testing.assert_allclose(
    y.astype("float32"), np.einsum(equation, x, w), rtol=0, atol=atol
  )


@pytest.mark.parametrize(("equation", "x_shape", "w_shape"), FORMS)
def test_contract_in_bfloat16_has_gradients(equation, x_shape, w_shape):
  x, w = draw(x_shape, w_shape)

  def loss(x, w):
    return linear.contract(equation, x, w).astype("float32").sum()

  grads = jax.jit(jax.grad(loss, argnums=(0, 1)))
  narrow = grads(jnp.asarray(x, "bfloat16"), jnp.asarray(w, "float32"))
  wide = grads(jnp.asarray(x, "float32"), jnp.asarray(w, "float32"))
  assert narrow[0].dtype == "bfloat16"
  assert narrow[1].dtype == "float32"
  for got, wanted in zip(narrow, wide, strict=True):
    # Sums of at most 30 values, each rounded to 8 bits.
    np.testing.assert_allclose(
      got.astype("float32"), wanted, rtol=0.02, atol=0.1
    )


def test_contract_sums_in_float32():
  # 300 ones: beyond 256 a bfloat16 sum would stand still.
  ones = jnp.ones((1, 1, 300), "bfloat16")
  y = linear.contract("BTD,DF->BTF", ones, jnp.ones((300, 1)) * 1.0)
  assert float(y[0, 0, 0]) == 300.0
