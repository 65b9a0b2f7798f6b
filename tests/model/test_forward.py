"""What the laws do not show: packing, padding and what does not fit."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import settings
from interaction_jax.model import interaction
from interaction_jax.model.forward import forward
from interaction_jax.turns import clock
from interaction_jax.turns.schema import Episode

B, J = 2, 4
# Unoptimised, programs compile in half the time.
# Packed rows are shorter, and sums over them come in other orders.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def cfg(root):
  return settings.load(root / "tests" / "small.py").model


@pytest.fixture(scope="module")
def weights(cfg):
  init = functools.partial(interaction.init, cfg=cfg)
  rng = np.random.default_rng(0)
  return jax.tree.map(
    lambda leaf: jnp.asarray(0.3 * rng.normal(size=leaf.shape), leaf.dtype),
    jax.eval_shape(init, jax.random.key(0)),
  )


@pytest.fixture(scope="module")
def episode(cfg):
  rng = np.random.default_rng(1)
  num_mels, vocab = cfg.vocoder.num_mels, cfg.text.vocab_size

  def sound():
    # Noise that is always as loud would always have the same level.
    size = 10.0 ** rng.uniform(-5, 0, (B, J, 4, 1))
    drawn = rng.normal(size=(B, J, 4, cfg.audio.hop)) * size
    return jnp.asarray(drawn.reshape(B, J, clock.SAMPLES), jnp.float32)

  def integers(high, *shape):
    return jnp.asarray(rng.integers(0, high, shape), jnp.int32)

  return Episode(
    start=jnp.asarray([3, 70], jnp.int32),
    num_turns=jnp.asarray([J, 3], jnp.int32),
    heard=sound(),
    voice=sound(),
    speaks=jnp.asarray([[1, 0, 1, 0], [0, 1, 1, 1]], bool),
    mel=jnp.zeros((B, J, cfg.vocoder.frames_per_turn, num_mels)),
    text_in=integers(vocab, B, J, cfg.turn.text_in),
    num_text_in=jnp.asarray([[0, 2, 0, 5], [1, 0, 0, 3]], jnp.int32),
    text_out=integers(vocab, B, J, cfg.turn.text_out),
    num_text_out=jnp.asarray([[3, 0, 1, 0], [0, 2, 0, 1]], jnp.int32),
    pinned=integers(vocab, B, 6),
    num_pinned=jnp.asarray([6, 2], jnp.int32),
  )


# 6 pinned, 4 x (tick, heard), two voices, 7 read, 4 written; 2 pinned,
# 3 x (tick, heard), one voice, 1 read, 2 written.
POSITIONS = [6 + 4 * 5 + 2 * 4 + 7 + 4, 2 + 3 * 5 + 1 * 4 + 1 + 2]


def run(cfg, weights, episode, quick, **kwargs):
  program = functools.partial(forward, cfg=cfg, **kwargs)
  return jax.jit(program, compiler_options=quick)(weights, episode)


@pytest.fixture(scope="module")
def seen(cfg, weights, episode, quick):
  return run(cfg, weights, episode, quick)


def test_shapes(cfg, seen):
  places, vocab = cfg.turn.text_out + 1, cfg.text.vocab_size
  assert seen.logits.shape == (B, J, places, vocab)
  assert seen.gate.shape == (B, J)
  assert seen.hidden.shape == (B, J, cfg.backbone.width)
  # One layer of the two has experts.
  assert seen.load.shape == (1, cfg.backbone.experts.num_routed)


def test_every_real_position_is_there_once(cfg, seen):
  chosen = cfg.backbone.experts.num_chosen
  assert int(seen.load.sum()) == chosen * sum(POSITIONS)
  assert seen.dropped.tolist() == [0, 0]


def test_packing_tightly_changes_nothing(cfg, weights, episode, seen, quick):
  tight = run(cfg, weights, episode, quick, length=max(POSITIONS))
  for name in ("logits", "gate", "hidden"):
    np.testing.assert_allclose(
      getattr(tight, name), getattr(seen, name), **CLOSE, err_msg=name
    )
  np.testing.assert_array_equal(tight.load, seen.load)
  assert tight.dropped.tolist() == [0, 0]


def test_what_does_not_fit_is_counted(cfg, weights, episode):
  short = functools.partial(forward, cfg=cfg, length=20)
  dropped = jax.jit(lambda *args: short(*args).dropped)(weights, episode)
  assert dropped.tolist() == [POSITIONS[0] - 20, POSITIONS[1] - 20]


def test_what_is_not_real_is_not_read(cfg, weights, episode, seen, quick):
  """Padding turns, text beyond its count, and a voice that did not sound."""
  text_in = jnp.arange(cfg.turn.text_in) >= episode.num_text_in[..., None]
  text_out = jnp.arange(cfg.turn.text_out) >= episode.num_text_out[..., None]
  padding = jnp.arange(J) >= episode.num_turns[:, None]
  other = dataclasses.replace(
    episode,
    text_in=jnp.where(text_in | padding[..., None], 1, episode.text_in),
    text_out=jnp.where(text_out | padding[..., None], 1, episode.text_out),
    heard=jnp.where(padding[..., None], 5.0, episode.heard),
    # The dMel window reaches one frame back, so only the last turn's can be
    # another without being heard in the next; row 1's is padding.
    voice=jnp.where(padding[..., None], 5.0, episode.voice),
    mel=episode.mel + 1,
    pinned=episode.pinned.at[1, 2:].set(1),
  )
  assert not np.array_equal(other.text_out, episode.text_out)
  again = run(cfg, weights, other, quick)
  for name in ("logits", "gate", "hidden"):
    np.testing.assert_array_equal(getattr(again, name), getattr(seen, name))
