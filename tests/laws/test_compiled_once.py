"""Two programs serve every turn, and they work in place."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.model import state as states

ROWS = 3


@pytest.fixture(scope="module")
def small(make_small):
  """One of its own: other laws take turns of other sizes."""
  return make_small()


@pytest.fixture(scope="module")
def served(small):
  """A state that has been through everything that may happen to one."""
  rng = np.random.default_rng(7)
  state = small.start([0, 144_000, 9])
  for index in range(10):
    turn = small.turn(rng, ROWS, rng.random(ROWS) < 0.7)
    media = small.media(rng, ROWS)
    if index == 3:
      turn = dataclasses.replace(turn, heard=jnp.zeros_like(turn.heard))
    if index == 5:
      mask, seeds = jnp.asarray([True, False, False]), state.seed + 7
      state = states.reset(state, mask, seeds, cfg=small.cfg)
    if index == 7:
      state = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), state)
    state = small.donating_absorb(small.params, state, media)
    state, _ = small.donating_step(small.params, state, turn)
  return state


def test_nothing_is_traced_twice(small, served):
  assert int(served.turn.max()) > 144_000
  assert small.traces["step"] == 1
  assert small.traces["absorb"] == 1


def test_a_state_keeps_its_types(small, served):
  """One that drifted would be compiled for anew, in the middle of a talk."""
  fresh = jax.tree_util.tree_leaves_with_path(small.start([0] * ROWS))
  for (path, one), other in zip(fresh, jax.tree.leaves(served), strict=True):
    name = jax.tree_util.keystr(path)
    assert one.aval == other.aval, name
    assert one.weak_type == other.weak_type, name


@pytest.mark.parametrize("program", ["step", "absorb"])
def test_a_state_is_used_up(small, served, program):
  """Every ring that stays on the device keeps its place there."""
  rng = np.random.default_rng(8)
  state = jax.tree.map(jnp.copy, served)
  if program == "step":
    places = _places(state.memory.layers)
    after, _ = small.donating_step(small.params, state, small.turn(rng, ROWS))
  else:
    places = _places(state.memory.layers)
    after = small.donating_absorb(small.params, state, small.media(rng, ROWS))
  for path, leaf in jax.tree_util.tree_leaves_with_path(state):
    assert leaf.is_deleted(), jax.tree_util.keystr(path)
  assert _places(after.memory.layers) == places


def _places(layers):
  """Where keys and values lie in memory."""
  return [
    ring.unsafe_buffer_pointer()
    for layer in layers
    for ring in (layer.keys, layer.values)
  ]
