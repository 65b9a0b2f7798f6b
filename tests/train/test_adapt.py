import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import sharding
from interaction_jax.model import interaction
from interaction_jax.train import adapt, update
from interaction_jax.train import state as states
from interaction_jax.train.config import (
  AdaptConfig,
  OptimizerConfig,
  TrainConfig,
)

# A matrix of heads, one that joins them, a dense one, and a stack of experts.
PATTERNS = (
  "backbone/layers/*/attention/query",
  "backbone/layers/1/attention/out",
  "backbone/layers/0/feed/up",
  "backbone/layers/1/feed/down",
)
CFG = AdaptConfig(low_rank=PATTERNS, rank=3, alpha=4.5)
TRAIN = TrainConfig(
  batch=2,
  num_steps=8,
  optimizer=OptimizerConfig(name="muon", warmup=0, learning_rate=1e-2),
  adapt=dataclasses.replace(CFG, whole=("heads/gate/*", "embed/streams/*")),
)
STATIC = ("cfg", "train")


@pytest.fixture(scope="module")
def axes(cfg):
  return interaction.axes(cfg)


@pytest.fixture(scope="module")
def parts(weights, axes):
  """Adapted weights whose products are not zero."""
  made = adapt.split(weights, axes, jax.random.key(1), cfg=CFG)
  trained = jax.tree.map(
    lambda leaf: (
      leaf + 0.1 * jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape)
    ),
    made.trained,
  )
  return dataclasses.replace(made, trained=trained)


def bits(tree):
  return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def test_at_first_the_model_is_what_it_was(weights, axes):
  made = adapt.split(weights, axes, jax.random.key(1), cfg=CFG)
  merged = adapt.merge(made, axes, cfg=CFG)
  assert jax.tree.structure(merged) == jax.tree.structure(weights)
  assert bits(merged) == bits(weights)


def test_the_pairs_are_as_thin_as_their_rank(cfg, parts):
  pairs = sharding.by_name(parts.trained["low_rank"])
  shapes = {name: leaf.shape for name, leaf in pairs.items()}
  layer = "backbone/layers/1/attention"
  assert shapes[f"{layer}/query/down"] == (24, 3)
  assert shapes[f"{layer}/query/up"] == (3, 10, 7)
  assert shapes[f"{layer}/out/down"] == (10, 7, 3)
  assert shapes[f"{layer}/out/up"] == (3, 24)
  assert shapes["backbone/layers/1/feed/down/down"] == (11, 16, 3)
  assert shapes["backbone/layers/1/feed/down/up"] == (11, 3, 24)
  assert len(shapes) == 2 * 5


def test_merged_is_the_sum_with_each_product(weights, axes, parts):
  merged = adapt.merge(parts, axes, cfg=CFG)["backbone"]["layers"]["1"]
  base = weights["backbone"]["layers"]["1"]
  pair = parts.trained["low_rank"]["backbone"]["layers"]["1"]

  def wide(leaf):
    return np.asarray(leaf, np.float64)

  two = pair["attention"]["out"]
  product = np.tensordot(wide(two["down"]), wide(two["up"]), axes=1)
  wanted = wide(base["attention"]["out"]) + 1.5 * product
  # Sums of three float32 products.
  np.testing.assert_allclose(merged["attention"]["out"], wanted, atol=1e-6)
  two = pair["feed"]["down"]
  for expert in range(11):
    product = wide(two["down"][expert]) @ wide(two["up"][expert])
    wanted = wide(base["feed"]["down"][expert]) + 1.5 * product
    np.testing.assert_allclose(
      merged["feed"]["down"][expert], wanted, atol=1e-6
    )
  assert merged["attention"]["key"] is base["attention"]["key"]


def test_bfloat16_weights_lose_nothing_of_a_small_product(weights, axes, parts):

  @jax.jit
  def both(parts):
    half = jax.tree.map(lambda leaf: leaf.astype("bfloat16"), parts.frozen)
    small = jax.tree.map(lambda leaf: 1e-2 * leaf, parts.trained)
    return half, adapt.merge(adapt.Split(small, half), axes, cfg=CFG)

  half, merged = both(parts)
  leaf = merged["backbone"]["layers"]["0"]["feed"]["up"]
  base = half["backbone"]["layers"]["0"]["feed"]["up"].astype("float32")
  assert leaf.dtype == jnp.float32
  assert 0 < np.abs(np.asarray(leaf - base)).max() < 1e-3


def test_the_letters_are_those_of_the_parts(axes, parts):
  letters = adapt.axes_of(axes, cfg=CFG)
  for words, leaves in (
    (letters.trained, parts.trained),
    (letters.frozen, parts.frozen),
  ):
    words, leaves = sharding.by_name(words), sharding.by_name(leaves)
    assert {name: len(line.split()) for name, line in words.items()} == {
      name: leaf.ndim for name, leaf in leaves.items()
    }
  pair = letters.trained["low_rank"]["backbone"]["layers"]["1"]["feed"]["down"]
  assert pair == {"down": "E F I", "up": "E I D"}


@pytest.fixture(scope="module")
def trained(cfg, weights, episode, quick):
  """A state before and after two updates."""
  run = jax.jit(
    update.update.__wrapped__, static_argnames=STATIC, compiler_options=quick
  )
  before = states.restart(weights, cfg, TRAIN)
  state = before
  for _ in range(2):
    state, parts = run(state, episode, cfg=cfg, train=TRAIN)
    assert np.isfinite(parts.total)
  return before, state


def test_what_is_frozen_keeps_its_bits(trained):
  before, after = trained
  assert bits(before.frozen) == bits(after.frozen)
  assert int(after.skipped) == 0


def test_what_is_trained_moves(trained):
  before, after = trained
  old, new = sharding.by_name(before.params), sharding.by_name(after.params)
  still = {name for name in old if (old[name] == new[name]).all()}
  # There is no video in the episode.
  assert still == {"whole/embed/streams/video"}


def test_only_what_is_trained_has_moments(weights, trained):
  _, after = trained
  held = sum(leaf.size for leaf in jax.tree.leaves(after.optimizer))
  own = sum(leaf.size for leaf in jax.tree.leaves(after.params))
  whole = sum(leaf.size for leaf in jax.tree.leaves(weights))
  # Two moments each, and a few counters.
  assert 2 * own <= held <= 2 * own + 8
  assert own < whole / 20


def test_what_is_saved_is_what_was_trained(cfg, trained, axes):
  """A model is adapted within a program, and merged outside of it."""
  _, after = trained
  within = jax.jit(lambda parts: adapt.merge(parts, axes, cfg=TRAIN.adapt))(
    adapt.Split(after.params, after.frozen)
  )
  merged = states.weights(after, cfg=cfg, train=TRAIN, average=False)
  for name, leaf in sharding.by_name(merged).items():
    # A product and a sum may be one operation: half an ulp of numbers near 1.
    np.testing.assert_allclose(
      leaf, sharding.by_name(within)[name], rtol=0, atol=2e-7, err_msg=name
    )


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"low_rank": ("backbone/layers/7/*",)}, r"'backbone/layers/7/\*' fits no"),
    ({"low_rank": ("heads/gate/weight",)}, r"weight \(D\) is no matrix"),
    ({"whole": ("head/gate/*",)}, r"adapt.whole: 'head/gate/\*' fits no"),
  ],
  ids=["unknown", "vector", "whole"],
)
def test_a_wrong_pattern_is_named(weights, axes, change, message):
  with pytest.raises(ValueError, match=message):
    adapt.split(weights, axes, jax.random.key(0), cfg=AdaptConfig(**change))
