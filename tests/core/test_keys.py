import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import keys

SEEDS = jnp.asarray([7, 0, 2**32 - 1, 7, 41], jnp.uint32)
TURNS = jnp.asarray([3, 0, 144_000, 4, 3], jnp.int32)


def _words(seed, turn, purpose):
  return np.asarray(jax.random.key_data(keys.at(seed, turn, purpose)))


def test_a_key_does_not_depend_on_the_row():
  whole = _words(SEEDS, TURNS, keys.Purpose.TEXT)
  order = np.asarray([4, 2, 0, 3, 1])
  shuffled = _words(SEEDS[order], TURNS[order], keys.Purpose.TEXT)
  np.testing.assert_array_equal(shuffled, whole[order])
  for row in range(SEEDS.shape[0]):
    alone = _words(
      SEEDS[row : row + 1], TURNS[row : row + 1], keys.Purpose.TEXT
    )
    np.testing.assert_array_equal(alone[0], whole[row])


def test_a_draw_does_not_depend_on_the_row():
  def draw(seed, turn):
    made = keys.at(seed, turn, keys.Purpose.FLOW)
    return jax.vmap(lambda key: jax.random.normal(key, (3,)))(made)

  whole = jax.jit(draw)(SEEDS, TURNS)
  alone = jax.jit(draw)(SEEDS[2:3], TURNS[2:3])
  # Bits, not values: the words come from integers; the map to a normal is
  # elementwise. Eight float32 ulps allow another vectorisation of it.
  np.testing.assert_array_max_ulp(
    np.asarray(whole[2:3]), np.asarray(alone), maxulp=8
  )


def test_seed_turn_and_purpose_all_count():
  seen = set()
  for seed in (0, 1, 2**31):
    for turn in (0, 1, 70_000):
      for purpose in keys.Purpose:
        words = _words(
          jnp.asarray([seed], jnp.uint32), jnp.asarray([turn]), purpose
        )
        seen.add(tuple(words[0].tolist()))
  assert len(seen) == 3 * 3 * len(keys.Purpose)


def test_the_generator_is_fixed():
  try:
    jax.config.update("jax_default_prng_impl", "rbg")
    under_rbg = keys.at(SEEDS, TURNS, keys.Purpose.TEXT)
  finally:
    jax.config.update("jax_default_prng_impl", "threefry2x32")
  assert str(jax.random.key_impl(under_rbg)) == "threefry2x32"
  np.testing.assert_array_equal(
    np.asarray(jax.random.key_data(under_rbg)),
    _words(SEEDS, TURNS, keys.Purpose.TEXT),
  )


@pytest.mark.parametrize(
  ("purpose", "number"),
  [("TEXT", 0), ("FLOW", 1), ("GATE", 2), ("START", 3), ("TOKENS", 4)],
)
def test_purposes_keep_their_numbers(purpose, number):
  assert keys.Purpose[purpose] == number


def test_a_recorded_key_stays_what_it_was():
  # Written down once: a change here breaks the replay of every session.
  words = _words(
    jnp.asarray([11], jnp.uint32), jnp.asarray([5]), keys.Purpose.GATE
  )
  key = jax.random.key(11, impl="threefry2x32")
  for number in (5, 2):
    key = jax.random.fold_in(key, number)
  np.testing.assert_array_equal(words[0], np.asarray(jax.random.key_data(key)))
  assert words[0].tolist() == [3163578571, 3830704519]
