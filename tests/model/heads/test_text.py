import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from interaction_jax.core import settings
from interaction_jax.model.heads.text import TextHead


@pytest.mark.parametrize("divisor", [1.0, 2.0, 24.0])
def test_logits_are_of_the_hidden_state_divided(root, divisor):
  cfg = settings.load(root / "tests" / "small.py").model
  text = dataclasses.replace(cfg.text, logit_divisor=divisor)
  head = TextHead(dataclasses.replace(cfg, text=text), rngs=nnx.Rngs(0))
  x = np.random.default_rng(1).normal(size=(2, 3, cfg.backbone.width))
  got = head(jnp.asarray(x, jnp.float32))
  table = np.asarray(head.table[...], np.float64)
  # The two rows above the vocabulary are padding and have no logit.
  assert table.shape[0] == 15
  assert got.shape == (2, 3, 13)
  wanted = np.einsum("BTD,VD->BTV", x, table[:13]) / divisor
  np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_logits_are_float32_whatever_the_model_is(root):
  cfg = settings.load(root / "tests" / "small.py").model
  head = TextHead(dataclasses.replace(cfg, dtype="bfloat16"), rngs=nnx.Rngs(0))
  assert head(jnp.ones((1, 1, 24), jnp.bfloat16)).dtype == jnp.float32
