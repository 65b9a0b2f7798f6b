import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from interaction_jax.core import settings
from interaction_jax.model.embed import tick

NUM = 18
PERIODS = [2**power for power in range(1, NUM + 1)]
TURNS = [0, 1, 5, 144_000, 2**18 - 1, 2**18, 2**18 + 1, 2**30 + 3, 2**31 - 1]


def phases(turns):
  turns = np.asarray(turns, np.int32)[None]
  return np.asarray(jax.jit(tick.phases)(turns))[0]


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_phases_are_exact_at_any_turn(turn):
  """Python's integers know the place in each period without rounding."""
  angle = [2 * np.pi * (turn % period) / period for period in PERIODS]
  wanted = np.concatenate([np.sin(angle), np.cos(angle)])
  # An angle below 2 pi is right to half an ulp, 2.4e-7, and so is its sine.
  np.testing.assert_allclose(phases([turn])[0], wanted, rtol=0, atol=5e-7)


@pytest.mark.parametrize("index", [0, 6, 17], ids=lambda i: str(PERIODS[i]))
def test_a_period_repeats_bit_for_bit(index):
  period = PERIODS[index]
  turns = np.asarray([3, 144_001, 2**18 - 1])
  early, late = phases(turns % period), phases(turns + 5 * period)
  for column in (index, NUM + index):
    np.testing.assert_array_equal(early[:, column], late[:, column])


def test_neighbouring_turns_differ_as_much_after_hours():
  early, late = phases([0, 1]), phases([144_000, 144_001])
  for power in range(NUM):
    columns = [power, NUM + power]
    steps = [
      np.linalg.norm(two[columns] - one[columns]) for one, two in (early, late)
    ]
    # A chord of the same angle; the sines it is made of are right to 5e-7.
    assert abs(steps[0] - steps[1]) < 2e-6
    assert steps[1] > 2e-5


def test_a_tick_is_a_vector_plus_phases(root):
  cfg = settings.load(root / "tests" / "small.py").model
  module = tick.TickEmbedding(cfg, rngs=nnx.Rngs(0))
  turns = jnp.asarray([[0, 7, 144_000], [1, 2, 3]], jnp.int32)
  got = np.asarray(module(turns))
  assert got.shape == (2, 3, cfg.backbone.width)
  weights = np.asarray(module.phases[...], np.float64)
  assert weights.shape == (2 * NUM, cfg.backbone.width)
  waves = np.stack([phases(row) for row in turns])
  wanted = waves @ weights + np.asarray(module.vector[...])
  # A sum of 36 terms of size one in float32.
  np.testing.assert_allclose(got, wanted, rtol=0, atol=5e-6)


def test_what_was_lost_is_told_by_its_share(root):
  cfg = settings.load(root / "tests" / "small.py").model
  module = tick.TickEmbedding(cfg, rngs=nnx.Rngs(0))
  turns = jnp.asarray([[0, 7, 9]], jnp.int32)
  lost = jnp.asarray([[[0.0, 0.0], [0.25, 0.0], [0.5, 1.0]]], jnp.float32)
  plain = np.asarray(module(turns))
  # A new model makes nothing of it.
  np.testing.assert_array_equal(module(turns, lost), plain)
  vectors = np.random.default_rng(0).normal(size=(2, cfg.backbone.width))
  module.lost = nnx.Param(jnp.asarray(vectors, jnp.float32))
  wanted = np.asarray(lost[0]) @ vectors
  # Differences of sums of some tens of terms in float32.
  np.testing.assert_allclose(
    module(turns, lost)[0] - plain[0], wanted, atol=5e-6
  )
