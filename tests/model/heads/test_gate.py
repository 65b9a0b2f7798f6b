import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from interaction_jax.core import settings
from interaction_jax.model.heads.gate import GateHead


def build(root, **changes):
  cfg = settings.load(root / "tests" / "small.py").model
  head = GateHead(dataclasses.replace(cfg, **changes), rngs=nnx.Rngs(0))
  rng = np.random.default_rng(0)
  scale = 1 + 0.3 * rng.normal(size=head.norm[...].shape)
  head.norm = nnx.Param(jnp.asarray(scale, head.norm[...].dtype))
  head.bias = nnx.Param(jnp.float32(0.7))
  return head


@pytest.mark.parametrize("shape", [(3,), (2, 5), ()], ids=str)
def test_a_gate_is_a_weighted_sum_of_a_normed_vector(root, shape):
  head = build(root)
  width = head.norm[...].shape[0]
  x = 9 * np.random.default_rng(1).normal(size=(*shape, width))
  got = head(jnp.asarray(x, jnp.float32))
  normed = x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True))
  wanted = (normed * np.asarray(head.norm[...])) @ np.asarray(head.weight[...])
  assert got.shape == shape
  np.testing.assert_allclose(got, wanted + 0.7, rtol=1e-5, atol=1e-5)


def test_a_logit_is_float32_whatever_the_model_is(root):
  head = build(root, param_dtype="bfloat16", dtype="bfloat16")
  assert head.weight[...].dtype == jnp.bfloat16
  x = jnp.ones((3, 24), jnp.bfloat16)
  assert head(x).dtype == jnp.float32


def test_loudness_of_the_hidden_state_does_not_matter(root):
  head = build(root)
  x = jnp.asarray(np.random.default_rng(2).normal(size=(4, 24)), jnp.float32)
  np.testing.assert_allclose(head(x), head(100 * x), rtol=1e-4, atol=1e-5)
