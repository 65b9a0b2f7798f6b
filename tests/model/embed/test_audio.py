import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from interaction_jax.core import params
from interaction_jax.model.config import AudioConfig
from interaction_jax.model.embed import audio

CFG = AudioConfig(num_mels=6, num_levels=5)
WIDTH = 7


def build(cfg=CFG, **options):
  return audio.AudioEmbedding(cfg, WIDTH, **options, rngs=nnx.Rngs(0))


def draw(batch=2, frames=4, cfg=CFG):
  shape = (batch, frames, cfg.num_mels)
  return jax.random.randint(jax.random.key(1), shape, 0, cfg.num_levels)


def test_parity_with_transformers():
  import torch
  from transformers.models.inkling import (
    configuration_inkling,
    modeling_inkling,
  )

  torch.manual_seed(0)
  theirs = modeling_inkling.InklingAudioModel(
    configuration_inkling.InklingAudioConfig(
      n_mel_bins=80, mel_vocab_size=16, text_hidden_size=24
    )
  )
  ours = audio.AudioEmbedding(AudioConfig(), 24, rngs=nnx.Rngs(0))
  table = theirs.embed_audio_tokens.embed_audio_tokens.weight
  with torch.no_grad():
    theirs.norm.weight.uniform_(0.5, 1.5)
  ours.table[...] = jnp.asarray(table.detach().numpy()).reshape(80, 16, 24)
  ours.norm[...] = jnp.asarray(theirs.norm.weight.detach().numpy())
  levels = np.random.default_rng(2).integers(0, 16, (2, 9, 80))
  with torch.no_grad():
    wanted = theirs(torch.from_numpy(levels)).last_hidden_state.numpy()
  # Sums of 80 float32 values in another order, then a norm.
  np.testing.assert_allclose(ours(jnp.asarray(levels)), wanted, atol=1e-5)


@pytest.mark.parametrize("way", [audio._by_channel, audio._by_product])
def test_each_way_to_sum_is_the_sum(way):
  levels = draw()
  table = np.random.default_rng(3).normal(size=(6, 5, WIDTH))
  table = table.astype("float32")
  wanted = sum(table[m][np.asarray(levels)[..., m]] for m in range(6))
  # Sums of 6 float32 values.
  np.testing.assert_allclose(
    way(jnp.asarray(table), levels), wanted, rtol=0, atol=2e-6
  )


def test_each_way_to_sum_has_the_same_gradient():
  levels = draw()
  table = jax.random.normal(jax.random.key(4), (6, 5, WIDTH))

  def loss(table, way):
    return jnp.square(way(table, levels)).sum()

  grads = [
    jax.grad(loss)(table, way)
    for way in (audio._sum_of_rows, audio._by_channel, audio._by_product)
  ]
  # Sums of at most 8 float32 values of order 10.
  np.testing.assert_allclose(grads[0], grads[1], rtol=0, atol=3e-5)
  np.testing.assert_allclose(grads[1], grads[2], rtol=0, atol=3e-5)
  assert np.abs(grads[0]).max() > 1


def test_sums_are_float32_whatever_comes_out():
  narrow = build(dtype="bfloat16")
  wide = build()
  levels = draw()
  y = narrow(levels)
  assert y.dtype == "bfloat16"
  # One rounding of the sum, one of the norm: 8 bits of values up to 3.
  np.testing.assert_allclose(
    y.astype("float32"), wide(levels), rtol=0, atol=0.03
  )


def test_without_norm_the_sum_comes_out():
  cfg = AudioConfig(num_mels=6, num_levels=5, norm=False)
  module, levels = build(cfg), draw()
  assert set(params.to_dict(module)) == {"table"}
  table = np.asarray(module.table[...])
  wanted = table[np.arange(6), np.asarray(levels)[1, 2]].sum(0)
  # Sums of 6 float32 values of order 0.02.
  np.testing.assert_allclose(module(levels)[1, 2], wanted, rtol=0, atol=1e-7)


def test_stacked_frames_have_rows_of_their_own():
  cfg = AudioConfig(num_mels=6, num_levels=5, frames_per_position=2, norm=False)
  module, levels = build(cfg), draw()
  y = module(levels)
  table = np.asarray(module.table[...])
  assert table.shape == (12, 5, WIDTH)
  assert y.shape == (2, 2, WIDTH)
  first = table[np.arange(6), np.asarray(levels)[0, 2]].sum(0)
  second = table[6 + np.arange(6), np.asarray(levels)[0, 3]].sum(0)
  # Sums of 12 float32 values of order 0.02.
  np.testing.assert_allclose(y[0, 1], first + second, rtol=0, atol=1e-7)


def test_parameters_know_their_axes():
  axes = params.axes_of(lambda key: build())
  assert axes == {"table": "M Q D", "norm": "D"}


def test_only_the_rows_that_were_heard_learn():
  module, levels = build(), jnp.zeros((1, 3, 6), "int32")

  def loss(table):
    module = params.bind(
      lambda key: build(), {"table": table, "norm": jnp.arange(7.0)}
    )
    return module(levels).sum()

  grad = np.asarray(jax.grad(loss)(module.table[...]))
  assert np.abs(grad[:, 0]).min() > 0
  assert np.abs(grad[:, 1:]).max() == 0


def test_errors_name_what_is_wrong():
  cfg = AudioConfig(num_mels=6, num_levels=5, frames_per_position=3)
  with pytest.raises(ValueError, match=r"\(2, 4, 6\).*position=3"):
    build(cfg)(draw())
  with pytest.raises(ValueError, match="num_mels=6"):
    build()(jnp.zeros((1, 2, 5), "int32"))
