import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.ops import grouped

WIDTH, INNER = 6, 7


def draw(num_experts, length, seed=0):
  """Positions, and gate, up and down of experts."""
  numbers = np.random.default_rng(seed)
  x = jnp.float32(numbers.normal(size=(length, WIDTH)))
  inner, outer = (num_experts, WIDTH, INNER), (num_experts, INNER, WIDTH)
  shapes = inner, inner, outer
  return x, [jnp.float32(numbers.normal(size=shape)) for shape in shapes]


@pytest.mark.parametrize("way", [grouped.blockwise, grouped.ragged])
def test_gradients_pass_over_what_is_nobodys(way):
  """Blocks that end among rows of others, as on a device with some experts."""
  num_experts, length = 3, 40
  rng = np.random.default_rng(2)
  experts = np.sort([rng.choice(5, 2, replace=False) for _ in range(length)])
  experts = jnp.asarray(experts, jnp.int32)
  share = jnp.float32(rng.uniform(0.1, 2, experts.shape))
  (x, weights), pull = draw(num_experts, length), draw(1, length, seed=4)[0]
  longer = [jnp.concatenate([w, jnp.zeros((2, *w.shape[1:]))]) for w in weights]

  def gradients(way, weights, dtype="float32"):
    def loss(x, share, gate, up, down):
      out = way(x.astype(dtype), experts, share, gate, up, down)
      return jnp.sum(pull * out.astype(jnp.float32))

    with jax.default_matmul_precision("highest"):
      return jax.jit(jax.grad(loss, argnums=range(5)))(x, share, *weights)

  def dense(x, experts, share, gate, up, down):
    one = jax.nn.one_hot(experts, len(gate)) * share[..., None]
    hidden = jax.nn.silu(jnp.einsum("td,edf->tef", x, gate))
    hidden = hidden * jnp.einsum("td,edf->tef", x, up)
    return jnp.einsum("tef,efd,txe->td", hidden, down, one)

  wanted = gradients(dense, longer)
  for dtype, close in (("float32", 2e-6), ("bfloat16", 0.02)):
    got = gradients(way, weights, dtype)
    for ours, theirs in zip(got, wanted, strict=True):
      theirs = theirs[: len(ours)]
      scale = np.abs(theirs).max()
      assert scale > 0.1
      np.testing.assert_allclose(ours, theirs, rtol=0, atol=close * scale)
  share_grad = np.asarray(gradients(way, weights)[1])
  assert not share_grad[np.asarray(experts) >= num_experts].any()


def test_ragged_matmul_leaves_rows_past_the_last_group_zero():
  x, (gate, *_) = draw(3, 7)
  sizes = jnp.asarray([2, 0, 3], jnp.int32)
  got = grouped.ragged_matmul(x, gate, sizes)
  np.testing.assert_allclose(got[:2], x[:2] @ gate[0], atol=1e-5)
  np.testing.assert_allclose(got[2:5], x[2:5] @ gate[2], atol=1e-5)
  np.testing.assert_array_equal(got[5:], 0)
