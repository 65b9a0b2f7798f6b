import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.turns import layout

X, O = True, False  # noqa: E741
DRAWN = [
  [X, O, X, X, O],
  [O, O, O, O, O],
  [O, X, O, O, X],
]


def test_the_drawn_example():
  packing = layout.pack(jnp.asarray(DRAWN), 5)
  assert packing.slot[0, :3].tolist() == [0, 2, 3]
  assert packing.count[0].tolist() == [1, 1, 2, 3, 3]
  assert packing.real.tolist() == [
    [X, X, X, O, O],
    [O, O, O, O, O],
    [X, X, O, O, O],
  ]
  assert packing.slot[2, :2].tolist() == [1, 4]


def test_slots_move_to_the_front_in_their_order():
  packing = layout.pack(jnp.asarray(DRAWN), 4)
  slots = jnp.arange(15).reshape(3, 5)
  taken = packing.take(slots)
  assert taken.shape == (3, 4)
  assert taken[0, :3].tolist() == [0, 2, 3]
  assert taken[2, :2].tolist() == [11, 14]
  wide = packing.take(jnp.stack([slots, -slots], axis=2))
  np.testing.assert_array_equal(wide[..., 1], -taken)


@pytest.mark.parametrize(
  ("length", "dropped"),
  [(5, [0, 0, 0]), (3, [0, 0, 0]), (2, [1, 0, 0]), (1, [2, 0, 1])],
)
def test_what_does_not_fit_is_counted(length, dropped):
  packing = layout.pack(jnp.asarray(DRAWN), length)
  assert layout.overflow(packing).tolist() == dropped
  assert packing.slot.shape == (3, length)
  # The first ones stay.
  assert packing.slot[0].tolist()[:2] == [0, 2][:length]


def test_more_room_than_slots_is_no_room():
  packing = layout.pack(jnp.asarray(DRAWN), 9)
  assert packing.slot.shape == packing.real.shape == (3, 5)


def test_the_last_real_slot_up_to_a_slot():
  packing = layout.pack(jnp.asarray(DRAWN), 5)
  last = packing.last(jnp.asarray([0, 1, 2, 4]))
  assert last[0].tolist() == [0, 0, 1, 2]
  # Nothing real is up to slot 0 of the third row: the first position, then.
  assert last[2].tolist() == [0, 0, 0, 1]
  assert packing.last(jnp.asarray([[0, 2], [3, 4]])).shape == (3, 2, 2)


def test_upto():
  mask = layout.upto(jnp.asarray([[0, 1], [3, 9]]), 3)
  assert mask.tolist() == [[[O, O, O], [X, O, O]], [[X, X, X], [X, X, X]]]


def test_a_drawn_packing_is_the_plain_one():
  rng = np.random.default_rng(0)
  real = rng.random((7, 23)) < 0.5
  packing = layout.pack(jnp.asarray(real), 13)
  slots = rng.normal(size=(7, 23)).astype(np.float32)
  taken = np.asarray(packing.take(jnp.asarray(slots)))
  for row in range(7):
    wanted = slots[row][real[row]][:13]
    here = np.asarray(packing.real[row])
    assert here.sum() == len(wanted)
    assert not here[len(wanted) :].any()
    np.testing.assert_array_equal(taken[row][here], wanted)
  dropped = np.maximum(real.sum(axis=1) - 13, 0)
  np.testing.assert_array_equal(layout.overflow(packing), dropped)
