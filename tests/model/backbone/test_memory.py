import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.model import config
from interaction_jax.model.backbone import memory

MEMORY = config.MemoryConfig(pinned=3, text=5, media=6, block=2)


def ints(values):
  return jnp.asarray(values, jnp.int32)


def test_rings_keep_what_is_seen_and_one_block_more():
  rings = memory.rings(MEMORY, window=4)
  assert rings["window"].keep == (4,)
  assert rings["window"].sizes == (6,)
  assert rings["global"].keep == (3, 5, 6)
  assert rings["global"].sizes == (3, 7, 8)
  assert rings["global"].num_slots == 18


def test_a_ring_begins_where_the_one_before_it_ends():
  rings = memory.rings(MEMORY, window=4)["global"]
  ring = ints([[0, 0, 1, 1, 1, 2, 2, 2]])
  rank = ints([[0, 2, 0, 6, 7, 0, 7, 8]])
  slots = rings.slot(ring, rank)
  assert slots.tolist() == [[0, 2, 3, 9, 3, 10, 17, 10]]


def test_the_horizon_is_the_oldest_rank_still_kept():
  rings = memory.rings(MEMORY, window=4)["global"]
  assert rings.horizon(ints([[[3, 9, 2]]])).tolist() == [[[0, 4, -4]]]


def test_slots_are_entries_of_their_ring():
  rings = memory.rings(MEMORY, window=4)["global"]
  pos, rank = np.random.default_rng(0).integers(0, 9, (2, 2, 18))
  entries = rings.entries(memory.Slots(ints(pos), ints(rank)))
  assert entries.kind[1].tolist() == [0] * 3 + [1] * 7 + [2] * 8
  np.testing.assert_array_equal(entries.pos, pos)
  np.testing.assert_array_equal(entries.rank, rank)


def test_an_empty_memory_has_the_shapes_of_the_model(small):
  empty = memory.empty(small.backbone, small.memory, 2, "bfloat16")
  assert empty.length.tolist() == [0, 0]
  assert empty.counts.shape == (2, 3)
  assert (empty.window_slots.pos == -1).all()
  assert (empty.global_slots.pos == -1).all()
  window, everywhere, _ = empty.layers
  # A window of 5 and a block of 7; 4 pinned, 6 and 5 with a block each.
  assert window.keys.shape == window.values.shape == (2, 12, 3 * 8)
  assert everywhere.keys.shape == (2, 4 + 13 + 12, 5 * 12)
  assert everywhere.value_tail.shape == (2, 3, 5, 12)
  assert window.attention_tail.shape == window.feed_tail.shape == (2, 3, 48)
  assert {leaf.dtype for leaf in jax.tree.leaves(empty.layers)} == {
    jnp.dtype("bfloat16")
  }


def test_no_buffer_occurs_twice(small):
  empty = memory.empty(small.backbone, small.memory, 2, "float32")
  held = [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(empty)]
  assert len(set(held)) == len(held)


def test_write_puts_real_entries_and_drops_the_others():
  ring = jnp.zeros((2, 4, 3))
  new = jnp.arange(1.0, 13.0).reshape(2, 2, 3)
  slot = ints([[3, 0], [1, 1]])
  real = jnp.asarray([[True, True], [True, False]])
  got = memory.write(ring, slot, real, new)
  wanted = np.zeros((2, 4, 3))
  wanted[0, 3], wanted[0, 0], wanted[1, 1] = new[0, 0], new[0, 1], new[1, 0]
  np.testing.assert_array_equal(got, wanted)


def test_write_keeps_the_bits_of_an_idle_row():
  ring = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 3)), "f4")
  garbage = jnp.full((2, 3, 3), jnp.nan)
  slot = jnp.zeros((2, 3), jnp.int32)
  got = memory.write(ring, slot, jnp.zeros((2, 3), bool), garbage)
  np.testing.assert_array_equal(got, ring)


def test_write_rounds_to_the_dtype_of_the_ring():
  ring = jnp.zeros((1, 2), jnp.bfloat16)
  new = jnp.full((1, 1), 1.001)
  got = memory.write(ring, ints([[1]]), jnp.ones((1, 1), bool), new)
  assert got.dtype == jnp.bfloat16
  assert got.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("block", [1, 2])
def test_a_block_overwrites_only_what_is_no_longer_seen(block):
  rings = memory.rings(dataclasses.replace(MEMORY, block=block), window=4)
  ring = rings["window"]
  held = np.full(ring.num_slots, -1)
  for start in range(0, 30, block):
    ranks = np.arange(start, start + block)
    slots = ring.slot(ints(ranks[None] * 0), ints(ranks[None]))[0]
    held[np.asarray(slots)] = ranks
    # The first of the block still sees `keep` entries, itself included.
    seen = set(range(max(0, start - 3), start + block))
    assert seen <= set(held.tolist())
