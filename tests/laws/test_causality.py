"""What comes later never changes what came out before."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.model import step as steps

ROWS, J = 3, 6
STREAMS = [
  "heard", "voice", "text_in", "text_out", "frames", "speaks", "lost",
]  # fmt: skip


@pytest.fixture(scope="module")
def episode(small):
  drawn = small.episode(np.random.default_rng(5), ROWS, J)
  # Every turn has all there is, so that a change of it is a change.
  full = {
    "num_text_in": jnp.full_like(drawn.num_text_in, small.cfg.turn.text_in),
    "num_text_out": jnp.full_like(drawn.num_text_out, 3),
    "speaks": jnp.ones_like(drawn.speaks),
    "frames_of": jnp.broadcast_to(jnp.arange(J), (ROWS, J)),
    "lost": jnp.full_like(drawn.lost, 0.02),
  }
  return dataclasses.replace(drawn, **full)


@pytest.fixture(scope="module")
def seen(small, episode):
  return small.forward(small.params, episode)


def changed(episode, stream, first):
  """The episode with other values in a stream, from a turn on."""
  old = getattr(episode, stream)
  later = jnp.arange(J) >= first
  later = later.reshape((1, J) + (1,) * (old.ndim - 2))
  if old.dtype == bool:
    new = ~old
  elif stream.startswith("text"):
    new = (old + 1) % 13
  else:
    new = old[:, :, ::-1] if stream == "frames" else 40 * old
  return dataclasses.replace(
    episode, **{stream: jnp.where(later, new, old).astype(old.dtype)}
  )


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("first", [1, 4])
def test_an_episode_does_not_know_its_future(
  small, episode, seen, same_bits, stream, first
):
  other = small.forward(small.params, changed(episode, stream, first))
  # What a turn decides to speak is heard in the next.
  first += stream == "speaks"
  past = slice(None, first)
  same_bits(other.hidden[:, past], seen.hidden[:, past])
  same_bits(other.gate[:, past], seen.gate[:, past])
  same_bits(other.logits[:, past], seen.logits[:, past])
  now = np.abs(np.asarray(other.hidden - seen.hidden))[:, first]
  assert (now.max(axis=1) > 1e-4).all(), "the change itself is not seen"


def test_a_choice_does_not_know_what_it_will_be(
  small, episode, seen, same_bits
):
  """Place u of the logits has seen u tokens of its turn."""
  text = episode.text_out.at[:, 2, 1].set((episode.text_out[:, 2, 1] + 1) % 13)
  other = dataclasses.replace(episode, text_out=text)
  other = small.forward(small.params, other)
  same_bits(other.logits[:, 2, :2], seen.logits[:, 2, :2])
  later = np.abs(np.asarray(other.logits - seen.logits))[:, 2, 2:]
  assert (later.max(axis=2) > 1e-4).all()


def test_a_stream_does_not_know_its_future(small, same_bits, quick):
  rng = np.random.default_rng(6)
  turns = [small.turn(rng, ROWS) for _ in range(J)]
  others = turns[:4] + [small.turn(rng, ROWS) for _ in range(J - 4)]

  def stack(turns):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *turns)

  stream = jax.jit(
    functools.partial(steps.stream, cfg=small.cfg, sampling=small.sampling),
    compiler_options=quick,
  )
  start = small.start([0, 144_000, 9])
  end, one = stream(small.params, start, stack(turns))
  _, two = stream(small.params, start, stack(others))
  past, coming = slice(None, 4), slice(4, None)
  same_bits(
    jax.tree.map(lambda leaf: leaf[past], one),
    jax.tree.map(lambda leaf: leaf[past], two),
  )
  assert not np.array_equal(one.gate[coming], two.gate[coming])
  # And a stream is nothing but its steps.
  state = start
  for index, turn in enumerate(turns):
    state, out = small.step(state, turn)
    same_bits(out.text, one.text[index])
    # Compiled together, sums are added up in another order.
    np.testing.assert_allclose(out.gate, one.gate[index], rtol=1e-4, atol=1e-5)
  same_bits(state.turn, end.turn)
  same_bits(state.memory.counts, end.memory.counts)
