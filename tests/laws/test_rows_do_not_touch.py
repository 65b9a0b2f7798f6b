"""A session has the same bits whoever sits beside it, and wherever it sits."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import sharding
from interaction_jax.model import interaction
from interaction_jax.model import state as states
from interaction_jax.ops import quantised

ROWS = 3
MINE = 1
FAR = 144_000
"""Eight hours."""


def row(tree, index):
  """A row of every leaf, by the leaf's name."""
  leaves = jax.tree_util.tree_leaves_with_path(tree)
  return {jax.tree_util.keystr(path): leaf[index] for path, leaf in leaves}


def reordered(tree, order):
  return jax.tree.map(lambda leaf: leaf[jnp.asarray(order)], tree)


def others(tree, fill):
  """The tree with every floating number of the neighbours replaced."""

  def leaf(x):
    if not jnp.issubdtype(x.dtype, jnp.floating):
      return x
    near = jnp.arange(ROWS).reshape((-1,) + (1,) * (x.ndim - 1)) != MINE
    return jnp.where(near, jnp.asarray(fill, x.dtype), x)

  return jax.tree.map(leaf, tree)


@pytest.fixture(scope="module")
def warm(small):
  """Sessions that have heard, seen, read and said something, and a turn."""
  rng = np.random.default_rng(2)
  state = small.absorb(small.start([0, FAR, 9]), small.media(rng, ROWS))
  for _ in range(5):
    state, out = small.step(state, small.turn(rng, ROWS))
  turn, media = small.turn(rng, ROWS), small.media(rng, ROWS)
  assert int(out.num_text.sum()) > 0
  after, out = small.step(state, turn)
  assert np.isfinite(out.voice).all()
  mine = row((after, out), MINE)
  return state, turn, media, mine


@pytest.mark.parametrize("fill", [np.nan, np.inf, 3.0], ids=str)
def test_neighbours_values_do_not_reach_a_row(small, warm, same_bits, fill):
  state, turn, media, mine = warm
  got = small.step(others(state, fill), others(turn, fill))
  same_bits(row(got, MINE), mine)
  seen = small.absorb(state, media)
  got = small.absorb(others(state, fill), media)
  same_bits(row(got, MINE), row(seen, MINE))


def test_a_row_is_the_same_beside_other_sessions(small, warm, same_bits):
  state, turn, _, mine = warm
  rng = np.random.default_rng(3)
  near = jnp.arange(ROWS) != MINE
  strangers, _ = small.step(small.start([1, 2, 3], 99), small.turn(rng, ROWS))
  mixed = states.select(near, strangers, state)
  heard = states.select(near, small.turn(rng, ROWS), turn)
  same_bits(row(small.step(mixed, heard), MINE), mine)


def test_a_row_is_the_same_alone(small, warm, same_bits):
  state, turn, _, mine = warm
  alone = dataclasses.replace(turn, active=jnp.arange(ROWS) == MINE)
  same_bits(row(small.step(state, alone), MINE), mine)


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 2, 0)], ids=str)
def test_a_row_is_the_same_in_another_place(small, warm, same_bits, order):
  state, turn, media, _ = warm
  here = small.absorb(state, media), *small.step(state, turn)
  state, turn, media = reordered((state, turn, media), order)
  there = small.absorb(state, media), *small.step(state, turn)
  same_bits(there, reordered(here, order))


@pytest.mark.parametrize("idle", [(0,), (0, 2), (0, 1, 2)], ids=str)
def test_idle_rows_keep_every_bit(small, warm, same_bits, idle):
  state, turn, media, _ = warm
  active = jnp.asarray([index not in idle for index in range(ROWS)])
  heard = jnp.where(active[:, None], turn.heard, jnp.nan)
  turn = dataclasses.replace(turn, active=active, heard=heard)
  after, out = small.step(state, turn)
  seen = small.absorb(state, dataclasses.replace(media, active=active))
  for index in range(ROWS):
    if index in idle:
      same_bits(row((after, seen), index), row((state, state), index))
      assert not out.speaks[index]
      assert out.num_text[index] == 0
    else:
      assert after.turn[index] == state.turn[index] + 1
      assert seen.memory.length[index] > state.memory.length[index]


def test_a_row_reset_is_a_fresh_session(small, warm, same_bits):
  state, turn, _, mine = warm
  mask = jnp.asarray([True, False, False])
  seeds = jnp.asarray([40, 41, 42], jnp.uint32)
  again = states.reset(state, mask, seeds, cfg=small.cfg)
  fresh = states.start(seeds, cfg=small.cfg)
  same_bits(row(again, 0), row(fresh, 0))
  for index in (1, 2):
    same_bits(row(again, index), row(state, index))
  after = small.step(again, turn)
  same_bits(row(after, 0), row(small.step(fresh, turn), 0))
  same_bits(row(after, MINE), mine)


def test_a_fork_goes_on_as_the_original_does(small, warm, same_bits):
  state, turn, _, _ = warm
  leaves, shape = jax.tree.flatten(state)
  kept = [np.array(leaf) for leaf in leaves]
  fork = jax.tree.map(jnp.copy, state)
  after, _ = small.step(state, turn)
  original = small.step(after, turn)
  branch, _ = small.step(fork, turn)
  same_bits(small.step(branch, turn), original)
  thawed = jax.tree.unflatten(shape, [jnp.asarray(leaf) for leaf in kept])
  thawed, _ = small.step(thawed, turn)
  same_bits(small.step(thawed, turn), original)


def test_another_seed_says_other_things(small, warm):
  """What the equalities above would not notice: draws that never differ."""
  state, turn, _, _ = warm
  other = dataclasses.replace(state, seed=state.seed + 1)
  _, one = small.step(state, turn)
  _, two = small.step(other, turn)
  assert not np.array_equal(one.text, two.text)


@pytest.mark.parametrize("first", [FAR, 2**18 - 3, 2**30 + 5], ids=str)
def test_nothing_changes_after_hours_but_the_tick(small, same_bits, first):
  episode = small.episode(np.random.default_rng(4), ROWS, 6)
  late = dataclasses.replace(episode, start=jnp.full_like(episode.start, first))
  ticking = small.forward(small.params, late)
  assert np.isfinite(ticking.logits).all()
  assert not np.array_equal(
    ticking.hidden, small.forward(small.params, episode).hidden
  )
  embed = small.params["embed"]
  tick = embed["tick"] | {"phases": jnp.zeros_like(embed["tick"]["phases"])}
  timeless = small.params | {"embed": embed | {"tick": tick}}
  same_bits(small.forward(timeless, late), small.forward(timeless, episode))


@pytest.fixture(scope="module")
def narrow(small):
  """The same model, its routed experts in a byte a number."""
  leaves = sharding.by_name(small.params)
  for name in interaction.routed(small.cfg):
    leaves[name] = quantised.quantise(leaves[name], "int8")
  return sharding.nested(leaves)


def test_a_quantised_model_says_the_same_alone(small, narrow, same_bits):
  rng = np.random.default_rng(8)
  media = small.media(rng, ROWS)
  turns = [small.turn(rng, ROWS) for _ in range(4)]
  full = alone = small.start([0, FAR, 9])
  full = small.absorb(full, media, narrow)
  mine = jnp.arange(ROWS) == MINE
  alone = small.absorb(alone, dataclasses.replace(media, active=mine), narrow)
  wrote = 0
  for turn in turns:
    full, said = small.step(full, turn, narrow)
    quiet = dataclasses.replace(turn, active=mine)
    alone, same = small.step(alone, others(quiet, np.nan), narrow)
    same_bits(row((alone, same), MINE), row((full, said), MINE))
    wrote += int(said.num_text[MINE])
  assert wrote > 0
  plain = small.absorb(small.start([0, FAR, 9]), media)
  _, other = small.step(plain, turns[0])
  _, ours = small.step(
    small.absorb(small.start([0, FAR, 9]), media, narrow), turns[0], narrow
  )
  assert not np.array_equal(other.gate, ours.gate)
  # A byte a number moves a gate, by a small part of what gates are.
  np.testing.assert_allclose(ours.gate, other.gate, atol=0.5)
