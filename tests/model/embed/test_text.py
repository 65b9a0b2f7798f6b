import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from interaction_jax.core import settings
from interaction_jax.model.embed.text import TextEmbedding


@pytest.fixture(scope="module")
def embed(root):
  cfg = settings.load(root / "tests" / "small.py").model
  module = TextEmbedding(cfg, rngs=nnx.Rngs(0))
  scale = 1 + 0.3 * np.random.default_rng(0).normal(size=24)
  module.norm = nnx.Param(jnp.asarray(scale, jnp.float32))
  return module


def test_a_token_is_its_row_normed(embed):
  tokens = jnp.asarray([[0, 14, 3], [5, 5, 1]])
  got = embed(tokens)
  rows = np.asarray(embed.table[...], np.float64)[np.asarray(tokens)]
  size = np.sqrt(np.mean(rows**2, axis=-1, keepdims=True))
  wanted = rows / size * np.asarray(embed.norm[...])
  # Float32 against float64.
  np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
  np.testing.assert_array_equal(got[1, 0], got[1, 1])


def test_vectors_beside_the_table_pass_the_same_norm(embed):
  row = embed.table[...][7][None, None]
  np.testing.assert_array_equal(embed.scale(row), embed(jnp.asarray([[7]])))
  np.testing.assert_allclose(
    embed.scale(50 * row), embed.scale(row), rtol=1e-5, atol=1e-6
  )
