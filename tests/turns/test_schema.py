import jax
import jax.numpy as jnp
import jaxtyping
import pytest

from interaction_jax.turns import clock
from interaction_jax.turns.schema import Media, TurnInput

B = 3


def turn(**changes):
  fields = {
    "active": jnp.ones((B,), bool),
    "heard": jnp.zeros((B, clock.SAMPLES)),
    "text": jnp.zeros((B, 5), jnp.int32),
    "num_text": jnp.zeros((B,), jnp.int32),
  }
  return TurnInput(**fields | changes)


def test_a_turn_is_a_tree_of_arrays():
  leaves, shape = jax.tree.flatten(turn())
  assert [leaf.shape for leaf in leaves] == [(3,), (3, 3200), (3, 5), (3,)]
  assert isinstance(jax.tree.unflatten(shape, leaves), TurnInput)


def test_turns_stack_as_a_stream_takes_them():
  stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), turn(), turn())
  assert isinstance(stacked, TurnInput)
  assert stacked.heard.shape == (2, B, clock.SAMPLES)


def test_no_video_is_no_array():
  media = Media(
    active=jnp.ones((B,), bool),
    text=jnp.zeros((B, 4), jnp.int32),
    num_text=jnp.zeros((B,), jnp.int32),
    pinned=jnp.zeros((B,), bool),
  )
  assert media.frames is None
  assert len(jax.tree.leaves(media)) == 4


@pytest.mark.parametrize(
  "wrong",
  [
    {"active": jnp.ones((B + 1,), bool)},
    {"active": jnp.ones((B,))},
    {"heard": jnp.zeros((B, clock.SAMPLES), jnp.int16)},
    {"text": jnp.zeros((B,), jnp.int32)},
    {"num_text": jnp.zeros((2, B), jnp.int32)},
    {"lost": jnp.zeros((B,))},
  ],
  ids=["batch", "mask", "pcm", "axis", "stack", "lost"],
)
def test_types_say_what_a_turn_is(wrong):
  with pytest.raises(jaxtyping.TypeCheckError):
    turn(**wrong)
