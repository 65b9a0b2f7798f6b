import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from interaction_jax.core import settings, sharding
from interaction_jax.model import state as states
from interaction_jax.turns.vocabulary import Control

B = 3


@pytest.fixture(scope="module")
def cfg(root):
  return settings.load(root / "tests" / "small.py").model


def seeds(*values):
  return jnp.asarray(values, jnp.uint32)


def start(cfg, **kwargs):
  return states.start(seeds(7, 8, 9), cfg=cfg, **kwargs)


def row(tree, index):
  return [np.asarray(leaf[index]) for leaf in jax.tree.leaves(tree)]


def test_a_session_begins_in_silence(cfg):
  state = start(cfg)
  assert state.turn.tolist() == [0, 0, 0]
  assert state.seed.tolist() == [7, 8, 9]
  assert state.channel.tolist() == [cfg.text.first_control + Control.SAY] * B
  assert not state.spoke.any()
  assert not state.voice.any()
  assert not state.memory.counts.any()
  assert state.mel.shape == (B, cfg.flow.past_frames, cfg.vocoder.num_mels)


def test_the_arrays_of_a_state_are_known_without_one(cfg):
  named, tree = states.shapes(B, cfg=cfg)
  state = start(cfg)
  assert tree == jax.tree.structure(state)
  found = {name: (leaf.shape, leaf.dtype) for name, leaf in named}
  wanted = sharding.by_name(state)
  assert found == {name: (x.shape, x.dtype) for name, x in wanted.items()}


def test_sessions_lie_with_their_experts_and_heads(cfg):
  # 3 sessions; window layers have 3 key heads of 8, global ones 5 of 7.
  mesh = sharding.planned("expert=3")
  named, _ = states.shapes(B, cfg=cfg)
  places = states.places(B, mesh, cfg=cfg)
  rows = ("data", "fsdp", "expert")
  for (name, _), place in zip(named, places, strict=True):
    ring = name.endswith(("/keys", "/values"))
    heads = (None, "tensor") if ring else ()
    assert place.spec == PartitionSpec(rows, *heads), name


def test_rows_that_cannot_be_spread_are_refused(cfg):
  with pytest.raises(ValueError, match=r"B=3 .*4"):
    states.places(B, sharding.planned("data=4"), cfg=cfg)


def test_a_session_may_begin_at_any_turn(cfg):
  state = start(cfg, turn=jnp.asarray([0, 144_000, 2**20]))
  assert state.turn.tolist() == [0, 144_000, 2**20]
  assert state.turn.dtype == jnp.int32


def test_every_leaf_has_a_row_a_session_and_a_buffer_of_its_own(cfg):
  """A buffer that occurred twice could not be donated."""
  leaves = jax.tree.leaves(start(cfg))
  assert all(leaf.shape[0] == B for leaf in leaves)
  places = [leaf.unsafe_buffer_pointer() for leaf in leaves]
  assert len(set(places)) == len(places)


def test_select_takes_rows(cfg):
  one, two = start(cfg), start(cfg, turn=jnp.asarray([4, 5, 6]))
  mixed = states.select(jnp.asarray([True, False, True]), two, one)
  assert mixed.turn.tolist() == [4, 0, 6]
  for index, source in enumerate((two, one, two)):
    for a, b in zip(row(mixed, index), row(source, index), strict=True):
      np.testing.assert_array_equal(a, b)


def test_reset_begins_anew_in_some_rows(cfg):
  worn = jax.tree.map(lambda leaf: (leaf + 1).astype(leaf.dtype), start(cfg))
  again = states.reset(
    worn, jnp.asarray([False, True, False]), seeds(1, 2, 3), cfg=cfg
  )
  fresh = states.start(seeds(1, 2, 3), cfg=cfg)
  for index, source in enumerate((worn, fresh, worn)):
    for a, b in zip(row(again, index), row(source, index), strict=True):
      np.testing.assert_array_equal(a, b)


def test_silence_is_the_floor_once_it_is_denormalised(cfg):
  mel = states.silent_mel(2, 4, cfg=cfg)
  assert mel.shape == (2, 4, cfg.vocoder.num_mels)
  np.testing.assert_allclose(
    mel * cfg.flow.mel_std + cfg.flow.mel_mean, cfg.vocoder.floor, rtol=1e-6
  )


def test_usage_counts_up_to_full(cfg):
  state = start(cfg)
  assert not states.usage(state, cfg=cfg).any()
  counts = jnp.asarray([[3, 9, 0], [6, 18, 15], [0, 0, 10**6]], jnp.int32)
  memory = dataclasses.replace(state.memory, counts=counts)
  state = dataclasses.replace(state, memory=memory)
  # The memories hold 6, 9 and 30 positions.
  np.testing.assert_allclose(
    states.usage(state, cfg=cfg), [[0.5, 1, 0], [1, 1, 0.5], [0, 0, 1]]
  )
