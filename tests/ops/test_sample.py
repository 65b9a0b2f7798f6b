import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import keys
from interaction_jax.ops import sample

B, V = 4, 6
ALL = jnp.ones((V,), bool)


def keys_of(seeds, turn=7):
  seeds = jnp.asarray(seeds, jnp.uint32)
  turns = jnp.full(seeds.shape, turn, jnp.int32)
  return keys.at(seeds, turns, keys.Purpose.TEXT)


def draw(seed=0, rows=B):
  rng = np.random.default_rng(seed)
  return jnp.asarray(rng.normal(size=(rows, V)), jnp.float32)


def test_zero_temperature_takes_the_likeliest():
  logits = draw()
  token = sample.token(keys_of(range(B)), logits, ALL, temperature=0.0)
  assert token.dtype == jnp.int32
  np.testing.assert_array_equal(token, np.argmax(logits, axis=1))


@pytest.mark.parametrize("temperature", [0.0, 1.0, 50.0])
def test_only_what_is_allowed_is_written(temperature):
  logits = draw(rows=300).at[:, 2].set(30.0)
  allowed = ALL.at[jnp.asarray([2, 5])].set(False)
  token = sample.token(
    keys_of(range(300)), logits, allowed, temperature=temperature
  )
  assert not set(token.tolist()) & {2, 5}
  if temperature == 50:
    assert set(token.tolist()) == {0, 1, 3, 4}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_come_as_often_as_they_should(temperature):
  rows = 8000
  logits = draw(1, rows=1)[0]
  token = sample.token(
    keys_of(range(rows)),
    jnp.broadcast_to(logits, (rows, V)),
    ALL,
    temperature=temperature,
  )
  share = np.bincount(np.asarray(token), minlength=V) / rows
  wanted = np.asarray(jax.nn.softmax(logits / temperature))
  # Five standard errors.
  assert (np.abs(share - wanted) < 5 * np.sqrt(wanted / rows)).all()


def test_a_row_draws_by_itself():
  """Neither its place nor its neighbours, NaN or more of them, matter."""
  logits, seeds = draw(2), np.asarray([11, 12, 13, 14])
  whole = sample.token(keys_of(seeds), logits, ALL, temperature=1.5)
  order = np.asarray([2, 0, 3, 1])
  moved = sample.token(
    keys_of(seeds[order]), logits[order], ALL, temperature=1.5
  )
  np.testing.assert_array_equal(moved, whole[order])
  alone = sample.token(keys_of(seeds[2:3]), logits[2:3], ALL, temperature=1.5)
  assert alone[0] == whole[2]
  ill = logits.at[0].set(jnp.nan)
  beside = sample.token(keys_of(seeds), ill, ALL, temperature=1.5)
  np.testing.assert_array_equal(beside[1:], whole[1:])


def test_other_keys_draw_other_tokens():
  logits = jnp.zeros((200, V))
  one = sample.token(keys_of(range(200), 7), logits, ALL, temperature=1.0)
  two = sample.token(keys_of(range(200), 8), logits, ALL, temperature=1.0)
  assert 0.6 < np.mean(np.asarray(one != two)) < 0.98
