import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.model import interaction, language
from interaction_jax.model.backbone import memory

LENGTH, AUDIO, IMAGE = 23, 90, 91


@pytest.fixture(scope="module")
def weights(small, drawn):
  return drawn(functools.partial(interaction.init, cfg=small))


@pytest.fixture(scope="module")
def logits(small):
  return jax.jit(
    functools.partial(
      language.logits, cfg=small, audio_token=AUDIO, image_token=IMAGE
    )
  )


def draw(seed=0):
  rng = np.random.default_rng(seed)
  return rng.integers(0, 89, (2, LENGTH)).astype(np.int32)


def test_tokens_in_pieces_equal_the_whole_beyond_the_memory(
  small, weights, logits
):
  ids = draw()
  with jax.default_matmul_precision("highest"):
    wanted = np.asarray(logits(weights, ids))
    append = jax.jit(functools.partial(language.append, cfg=small))
    past = memory.empty(small.backbone, small.memory, 2, "float32")
    got = []
    for start in range(0, LENGTH, 4):
      piece = np.zeros((2, 4), np.int32)
      size = min(4, LENGTH - start)
      piece[:, :size] = ids[:, start : start + size]
      real = np.broadcast_to(np.arange(4) < size, (2, 4))
      past, out = append(weights, past, piece, real)
      got.append(np.asarray(out)[:, :size])
  assert wanted.shape == (2, LENGTH, 89)
  assert small.memory.text < LENGTH
  # Sums in another order through three layers, in parts of the largest.
  np.testing.assert_allclose(
    np.concatenate(got, axis=1),
    wanted,
    rtol=0,
    atol=2e-5 * np.abs(wanted).max(),
  )


def test_placeholders_are_filled_in_order_row_by_row(small, weights, logits):
  rng = np.random.default_rng(1)
  ids = draw()
  ids[0, 3], ids[1, 5], ids[1, 9], ids[1, 2] = AUDIO, AUDIO, AUDIO, IMAGE
  audio = rng.integers(0, 11, (3, 13)).astype(np.int32)
  images = rng.normal(size=(1, 2, 6, 6, 3)).astype(np.float32)

  @jax.jit
  def by_hand(weights):
    model = interaction.bind(weights, cfg=small)
    x = model.embed.text(jnp.asarray(ids))
    heard = model.embed.audio(jnp.asarray(audio)[None])[0]
    x = x.at[0, 3].set(heard[0])
    x = x.at[1, 5].set(heard[1]).at[1, 9].set(heard[2])
    x = x.at[1, 2].set(model.embed.video(jnp.asarray(images))[0])
    kind = jnp.ones(ids.shape, jnp.int32)
    return model.heads.text(model.backbone.episode(x, kind, kind > 0).hidden)

  got = np.asarray(logits(weights, ids, audio, images))
  wanted = by_hand(weights)
  np.testing.assert_allclose(
    got, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max()
  )
  swapped = np.asarray(logits(weights, ids, audio[::-1], images))
  assert np.abs(swapped - got).max() > 1e-2


def test_placeholders_without_media_are_tokens_like_others(weights, logits):
  ids = draw()
  ids[0, 3] = AUDIO
  assert np.isfinite(logits(weights, ids)).all()


def test_the_padding_of_the_vocabulary_has_no_logits(small, weights):
  text = dataclasses.replace(small.text, vocab_size=70, first_control=None)
  cfg = dataclasses.replace(small, text=text)
  shape = jax.eval_shape(
    functools.partial(
      language.logits, cfg=cfg, audio_token=AUDIO, image_token=IMAGE
    ),
    weights,
    draw(),
  ).shape
  assert shape == (2, LENGTH, 70)


@pytest.mark.parametrize("given", [0, 1, 3])
def test_every_placeholder_wants_its_row(given):
  ids = np.asarray([[AUDIO, 1], [2, AUDIO]])
  language.check_placeholders(ids, "audio", AUDIO, 2)
  with pytest.raises(
    ValueError,
    match=rf"hold 2 audio placeholders \(token 90\) but {given} audio rows",
  ):
    language.check_placeholders(ids, "audio", AUDIO, given)
