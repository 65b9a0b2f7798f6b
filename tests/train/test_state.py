"""What a run has come to, on one device and on eight.

JAX fixes its devices when it starts, so what is compared runs in a process of
its own: this very file, as a program.
"""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import settings, sharding
from interaction_jax.train import state as states
from interaction_jax.train.config import (
  AdaptConfig,
  LossConfig,
  OptimizerConfig,
  TrainConfig,
)

LINE = "fsdp=2,expert=2,tensor=2"
# Sums over some hundreds of float32 terms, in another order; in parts of the
# largest number of each array.
CLOSE = 1e-4
# Larger arrays are split.
SMALL = 1500

MUON = TrainConfig(batch=4, optimizer=OptimizerConfig(name="muon"))
PART = dataclasses.replace(
  MUON,
  adapt=AdaptConfig(
    low_rank=("backbone/*/query", "backbone/*/up"),
    rank=2,
    whole=("heads/gate/*",),
  ),
)
WAYS = {"adamw": TrainConfig(batch=4), "muon": MUON, "part": PART}


def bits(tree):
  return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


@pytest.fixture(scope="module", params=WAYS.values(), ids=list(WAYS))
def train(request):
  return request.param


@pytest.fixture(scope="module")
def state(cfg, weights, train):
  return states.restart(weights, cfg, train)


def test_a_checkpoint_holds_all_of_a_state(cfg, train, state):
  tree = states.to_tree(vars(state))
  assert "frozen" in tree or train.adapt.everything
  again = states.from_tree(tree, cfg=cfg, train=train)
  assert jax.tree.structure(again) == jax.tree.structure(state)
  assert bits(again) == bits(state)


def test_the_shapes_are_those_of_a_state(cfg, train, state):
  shapes = sharding.by_name(states.to_tree(states.abstract(cfg, train)))
  found = sharding.by_name(states.to_tree(vars(state)))
  wanted = {name: (leaf.shape, leaf.dtype) for name, leaf in found.items()}
  assert {n: (s.shape, s.dtype) for n, s in shapes.items()} == wanted


def test_the_state_of_another_optimizer_is_refused(cfg, train, state):
  tree = states.to_tree(vars(state))
  for name, other in WAYS.items():
    if other is not train:
      with pytest.raises(ValueError, match=r"begun with another .* differs in"):
        states.from_tree(tree, cfg=cfg, train=other)
        pytest.fail(name)


def test_weights_at_rest_are_float32(cfg, weights):
  """Moves are lost in bfloat16; what is not trained stays as it came."""
  half = jax.tree.map(lambda leaf: leaf.astype("bfloat16"), weights)
  state = states.restart(half, cfg, PART)
  for tree in (state.params, state.average):
    assert {leaf.dtype for leaf in jax.tree.leaves(tree)} == {
      jnp.dtype("float32")
    }
  assert {leaf.dtype for leaf in jax.tree.leaves(state.frozen)} == {
    jnp.dtype("bfloat16")
  }


def test_a_mesh_that_does_not_divide_the_model_is_refused(cfg):
  with pytest.raises(ValueError, match=r"D=24 .* cannot be split 5 ways"):
    states.places_of(cfg, MUON, sharding.planned("fsdp=5"))


def test_the_full_size_is_split_to_the_last_matrix():
  """What every chip holds whole is a thousandth of its share."""
  cfg = settings.load("interaction_276b").model
  shapes = states.to_tree(states.abstract(cfg, MUON))
  places = states.places_of(cfg, MUON, sharding.planned("fsdp=8,expert=8"))
  spread = sharding.by_name(states.to_tree(places))
  whole = split = 0
  for name, leaf in sharding.by_name(shapes).items():
    held = spread[name].shard_shape(leaf.shape)
    size = int(np.prod(held)) * leaf.dtype.itemsize
    whole += size if held == leaf.shape else 0
    split += size
  # All 42 layers: of one period alone, the flow decoder, which is small and
  # has no width that such a mesh splits, would be too large a share.
  assert whole < 1e-3 * split
  assert split < 60e9


# The program.


def _size(cfg):
  """The small model with sizes that two devices can share."""
  backbone = cfg.backbone
  heads = dataclasses.replace(
    backbone.global_attention, query_heads=8, key_heads=4
  )
  return dataclasses.replace(
    cfg,
    backbone=dataclasses.replace(
      backbone,
      global_attention=heads,
      window_attention=dataclasses.replace(
        backbone.window_attention, query_heads=4, key_heads=2
      ),
      experts=dataclasses.replace(backbone.experts, num_routed=6),
    ),
    text=dataclasses.replace(cfg.text, table_size=16),
  )


def _episode(cfg, num_rows):
  """Any episode; rows that differ in how much there is in them."""
  from interaction_jax.turns.schema import Episode

  rng = np.random.default_rng(1)
  num_turns, voice = 3, cfg.vocoder

  def tokens(*shape):
    return jnp.asarray(rng.integers(0, cfg.text.vocab_size, shape), jnp.int32)

  def sound():
    return jnp.asarray(rng.normal(size=(num_rows, num_turns, 3200)) * 0.1)

  def counts(most, *shape):
    return jnp.asarray(rng.integers(0, most + 1, shape), jnp.int32)

  shape = (num_rows, num_turns)
  mel = rng.uniform(-4, -1, (*shape, voice.frames_per_turn, voice.num_mels))
  return Episode(
    start=counts(9, num_rows),
    num_turns=counts(1, num_rows) + 2,
    heard=sound().astype(jnp.float32),
    voice=sound().astype(jnp.float32),
    speaks=jnp.asarray(rng.random(shape) < 0.6),
    mel=jnp.asarray(mel, jnp.float32),
    text_in=tokens(*shape, cfg.turn.text_in),
    num_text_in=counts(cfg.turn.text_in, *shape),
    text_out=tokens(*shape, cfg.turn.text_out),
    num_text_out=counts(cfg.turn.text_out, *shape),
    pinned=tokens(num_rows, 2),
    num_pinned=counts(2, num_rows),
  )


def _apart(got, wanted):
  """The largest difference of an array, in parts of its largest number."""
  worst = 0.0
  for one, two in zip(
    jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True
  ):
    one, two = np.asarray(one, np.float64), np.asarray(two, np.float64)
    if two.size:
      worst = max(
        worst, float(np.abs(one - two).max() / np.abs(two).max(initial=1e-6))
      )
  return worst


def main():
  """Prints how an update on eight devices differs from one on one."""
  from interaction_jax.train import update

  root = Path(__file__).parent.parent.parent
  cfg = _size(settings.load(root / "tests" / "small.py").model)
  # At the second update the learning rate is at its height.
  train = TrainConfig(
    batch=4,
    losses=LossConfig(flow_share=0.7, flow_draws=2),
    optimizer=OptimizerConfig(name="muon", warmup=0, learning_rate=1e-2),
  )
  mesh = sharding.mesh(LINE)
  episode = _episode(cfg, train.batch)
  begun = states.begin(cfg, train)
  spread = states.begin(cfg, train, mesh=mesh)
  again = states.restart(begun.params, cfg, train, mesh=mesh)
  report = {
    "devices": jax.device_count(),
    "begun": _apart(vars(spread), vars(begun)),
    "restarted": _apart(vars(again), vars(begun)),
  }
  local, parts = update.update(begun, episode, cfg=cfg, train=train)
  there = jax.device_put(episode, states.rows_on(mesh))
  with jax.set_mesh(mesh):
    got, same = update.update(spread, there, cfg=cfg, train=train)
  report["loss"] = _apart(vars(same), vars(parts))
  report["moved"] = _apart(vars(got), vars(local))
  found = sharding.by_name(states.to_tree(vars(got)))
  wanted = sharding.by_name(states.to_tree(states.places_of(cfg, train, mesh)))
  report["elsewhere"] = [
    name
    for name, leaf in found.items()
    if not leaf.sharding.is_equivalent_to(wanted[name], leaf.ndim)
  ]
  report["whole"] = [
    name
    for name, leaf in found.items()
    if leaf.size > SMALL and leaf.addressable_shards[0].data.size == leaf.size
  ]
  print(json.dumps(report))


@pytest.fixture(scope="module")
def report(on_eight_devices):
  return on_eight_devices(__file__)


def test_an_update_on_eight_devices_equals_one(report):
  assert report["devices"] == 8
  compared = ("begun", "restarted", "loss", "moved")
  assert {n: report[n] for n in compared if report[n] > CLOSE} == {}


def test_every_array_stays_where_it_belongs(report):
  assert report["elsewhere"] == []


def test_no_device_holds_an_array_whole(report):
  assert report["whole"] == []


if __name__ == "__main__":
  main()
