import dataclasses

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


def test_long_gradients_are_shortened_together():
  """Before anything else sees them: their direction stays."""
  cfg = dataclasses.replace(CFG, max_norm=2.0)
  chain = optimizer.make(cfg, NUM_STEPS, AXES)
  weights = {"w": jnp.ones((2, 3)), "b": jnp.ones((3,))}
  slope = {"w": jnp.full((2, 3), 30.0), "b": jnp.full((3,), 40.0)}
  kept = []
  for scale in (1.0, 100.0, 0.01):
    given = jax.tree.map(lambda leaf, scale=scale: leaf * scale, slope)
    _, memory = chain.update(given, chain.init(weights), weights)
    means = [
      leaf
      for path, leaf in jax.tree_util.tree_leaves_with_path(memory)
      if ".mu" in jax.tree_util.keystr(path)
    ]
    kept.append(np.concatenate([np.ravel(leaf) for leaf in means]))
  # Of a gradient the mean takes up a tenth.
  norms = [float(np.linalg.norm(one)) for one in kept]
  np.testing.assert_allclose(norms[:2], 0.2, rtol=1e-5)
  own = 0.1 * 0.01 * np.sqrt(6 * 30.0**2 + 3 * 40.0**2)
  np.testing.assert_allclose(norms[2], own, rtol=1e-5)
  np.testing.assert_allclose(kept[0], kept[1], rtol=1e-5)


MUON = OptimizerConfig(
  name="muon", learning_rate=1e-2, warmup=0, weight_decay=0.0
)
SHAPES = {
  "query": ("D N H", (12, 4, 5)),
  "experts": ("E D F", (3, 12, 6)),
  "table": ("V D", (15, 12)),
  "scale": ("D", (12,)),
}


@pytest.fixture(scope="module")
def moved():
  """Gradients that favour few directions, and the moves made of them."""
  rng = np.random.default_rng(0)
  axes = {name: axes for name, (axes, _) in SHAPES.items()}
  weights = {name: jnp.ones(shape) for name, (_, shape) in SHAPES.items()}
  slopes = {}
  for name, (_, shape) in SHAPES.items():
    slope = rng.normal(size=shape)
    slope[..., 0] *= 30
    slopes[name] = jnp.asarray(slope, jnp.float32)
  chain = optimizer.make(MUON, NUM_STEPS, axes)
  moves, _ = chain.update(slopes, chain.init(weights), weights)
  return slopes, moves


def spread(matrix):
  """The largest singular value over the smallest."""
  sizes = np.linalg.svd(np.asarray(matrix, np.float64), compute_uv=False)
  return sizes[0] / sizes[-1]


def test_muon_moves_a_matrix_in_all_directions_alike(moved):
  """All heads of a projection as one matrix, and each expert by itself."""
  slopes, moves = moved
  pairs = [(slopes["query"].reshape(12, 20), moves["query"].reshape(12, 20))]
  pairs += list(zip(slopes["experts"], moves["experts"], strict=True))
  for slope, move in pairs:
    # Five steps of Newton and Schulz bring all to about 1.
    assert spread(move) < 2 < 8 < spread(slope)
    assert (np.asarray(slope) * np.asarray(move)).sum() < 0
    size = np.sqrt(np.mean(np.square(move)))
    assert size == pytest.approx(0.2 * MUON.learning_rate, rel=0.25)


@pytest.mark.parametrize("name", ["table", "scale"])
def test_tables_and_vectors_have_adam(moved, name):
  """Whose first move has one size in every number."""
  slopes, moves = moved
  wanted = -MUON.learning_rate * np.sign(slopes[name])
  # But where a gradient is next to nothing.
  np.testing.assert_allclose(moves[name], wanted, rtol=1e-2)
