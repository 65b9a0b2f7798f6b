import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.train import optimizer
from interaction_jax.train.config import OptimizerConfig

NUM_STEPS = 40
CFG = OptimizerConfig(learning_rate=5e-3, warmup=2)
AXES = {"w": "D F", "b": "F"}


def test_steps_are_small_at_first_and_at_last():
  chain = optimizer.make(CFG, NUM_STEPS, AXES)
  weights = {"w": jnp.ones((2, 3)), "b": jnp.ones((3,))}
  memory = chain.init(weights)
  sizes = []
  for _ in range(NUM_STEPS):
    slope = {"w": jnp.full((2, 3), 50.0), "b": jnp.full((3,), 50.0)}
    moves, memory = chain.update(slope, memory, weights)
    sizes.append(float(-moves["b"][0]))
  peak = CFG.learning_rate
  assert sizes[0] == 0
  # Adam divides by a size it has corrected for; 1e-4 is its rounding.
  np.testing.assert_allclose(max(sizes), peak, rtol=1e-4)
  assert int(np.argmax(sizes)) == CFG.warmup
  assert 0.05 * peak < sizes[-1] < 0.06 * peak


def test_vectors_do_not_decay():
  chain = optimizer.make(CFG, NUM_STEPS, AXES)
  weights = {"w": jnp.ones((2, 3)), "b": jnp.ones((3,))}
  still = jax.tree.map(jnp.zeros_like, weights)
  memory = chain.init(weights)
  _, memory = chain.update(still, memory, weights)
  moves, _ = chain.update(still, memory, weights)
  assert (np.asarray(moves["w"]) < 0).all()
  assert not np.asarray(moves["b"]).any()


@pytest.mark.parametrize("num_steps", [1, 2, 20])
def test_a_run_shorter_than_its_warm_up_learns(num_steps):
  cfg = OptimizerConfig(warmup=100)
  chain = optimizer.make(cfg, num_steps, {"b": "D"})
  weights = {"b": jnp.ones((3,))}
  memory, far = chain.init(weights), 0.0
  for _ in range(num_steps):
    moves, memory = chain.update({"b": jnp.ones((3,))}, memory, weights)
    far = max(far, float(-moves["b"][0]))
  np.testing.assert_allclose(far, cfg.learning_rate, rtol=1e-4)
