import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from interaction_jax.core import params
from interaction_jax.model.config import VocoderConfig
from interaction_jax.model.heads import vocoder
from interaction_jax.ops import spectral

CFG = VocoderConfig(
  sample_rate=4000,
  hop=40,
  window=160,
  num_mels=13,
  width=10,
  num_layers=2,
  taps=3,
  num_pitches=9,
  pitch_low=70.0,
  pitch_high=400.0,
)


@pytest.fixture(scope="module")
def model():
  return vocoder.Vocoder(CFG, rngs=nnx.Rngs(0))


@pytest.fixture(scope="module")
def mel():
  """A voice that comes and goes, twice."""
  rng = np.random.default_rng(0)
  loud = np.sin(np.arange(24) / 4)[:, None] - 2.8
  values = loud + 0.3 * rng.standard_normal((2, 24, 13))
  return jnp.asarray(values, jnp.float32)


@functools.partial(jax.jit, static_argnames="part")
def _run(model, part, *args):
  return getattr(model, part)(*args)


def _in_pieces(call, arrays, size):
  """What `call(*pieces, state)` makes of pieces of `size` frames."""
  state, made = vocoder.start(CFG, 2), []
  for first in range(0, 24, size):
    pieces = jax.tree.map(lambda x, at=first: x[:, at : at + size], arrays)
    out, state = call(*pieces, state)
    made.append(jax.tree.leaves(out))
  return [jnp.concatenate(parts, 1) for parts in zip(*made, strict=True)], state


def _assert_close(tree, other, **tolerance):
  leaves = zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True)
  for leaf, wanted in leaves:
    np.testing.assert_allclose(leaf, wanted, **tolerance)


def test_a_turn_of_frames_is_a_turn_of_samples(model, mel):
  samples, state = _run(model, "__call__", mel[:, :20], model.start(2))
  assert CFG.frames_per_turn == 20
  assert samples.shape == (2, 800)
  assert (state.index == 20).all()
  assert jnp.std(samples) > 1e-3


def test_the_network_hears_pieces_as_the_whole(model, mel):
  listen = functools.partial(_run, model, "listen")
  whole, _ = listen(mel, model.start(2))
  pieces, _ = _in_pieces(listen, (mel,), 3)
  # float32: products of matrices are summed in an order of their own.
  _assert_close(pieces, whole, rtol=1e-5, atol=1e-5)


def test_pieces_sound_as_the_whole(model, mel):
  controls, _ = _run(model, "listen", mel, model.start(2))
  hertz = vocoder.decode_pitch(controls.pitch, CFG)
  sing = functools.partial(_run, model, "sing")
  whole, _ = sing(mel, controls, hertz, model.start(2))
  pieces, _ = _in_pieces(sing, (mel, controls, hertz), 3)
  # float32, sums of four overlapping frames.
  _assert_close(pieces, whole, atol=1e-6)


@pytest.mark.parametrize("size", [1, 3, 8], ids="frames={}".format)
def test_pieces_are_the_whole(model, mel, size):
  call = functools.partial(_run, model, "__call__")
  whole, end = call(mel, model.start(2))
  pieces, end_of_pieces = _in_pieces(call, (mel,), size)
  # float32. The phase sums up the rounding of the pitch, about 1e-7 periods
  # a frame, and the 28th harmonic turns 28 times as far.
  _assert_close(pieces, whole, atol=1e-5)
  # Sources have amplitudes of up to 28, the sum of all harmonics.
  _assert_close(end_of_pieces, end, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("turns", [1, 2], ids="turns={}".format)
def test_turns_are_the_whole_to_the_bit(model, mel, turns):
  long = jnp.tile(mel, (1, 3, 1))[:, :60]
  call = functools.partial(_run, model, "__call__")
  whole, end = call(long, model.start(2))
  state, made = model.start(2), []
  for first in range(0, 60, 20 * turns):
    sound, state = call(long[:, first : first + 20 * turns], state)
    made.append(sound)
  np.testing.assert_array_equal(jnp.concatenate(made, axis=1), whole)
  for leaf, wanted in zip(
    jax.tree.leaves(state), jax.tree.leaves(end), strict=True
  ):
    np.testing.assert_array_equal(leaf, wanted)


def test_what_comes_later_changes_nothing(model, mel):
  call = functools.partial(_run, model, "__call__")
  whole, _ = call(mel, model.start(2))
  other, _ = call(mel.at[:, 15:].add(1.0), model.start(2))
  np.testing.assert_array_equal(other[:, : 15 * 40], whole[:, : 15 * 40])
  assert not jnp.allclose(other[:, 15 * 40 :], whole[:, 15 * 40 :])


def test_rows_do_not_touch(model, mel):
  call = functools.partial(_run, model, "__call__")
  whole, _ = call(mel, model.start(2))
  beside, _ = call(mel.at[1].set(jnp.nan), model.start(2))
  np.testing.assert_array_equal(beside[0], whole[0])


def test_the_floor_is_silence(model, mel):
  _, state = _run(model, "__call__", mel, model.start(2))
  silence = jnp.full((2, 20, 13), CFG.floor)
  samples, _ = _run(model, "__call__", silence, state)
  # The last frames of the voice reach as far as the delay.
  assert jnp.abs(samples[:, : CFG.delay]).max() > 1e-3
  assert jnp.abs(samples[:, CFG.delay :]).max() < 1e-7
  fainter, _ = _run(model, "__call__", silence - 1.5, state)
  np.testing.assert_array_equal(fainter, samples)


def test_the_delay_is_the_declared_one(model):
  # A click in one hop is heard by the frames whose windows hold it.
  clicks = np.zeros((1, 24 * CFG.hop), np.float32)
  clicks[0, 10 * CFG.hop + 20] = 1.0
  mel = spectral.log_mel(
    jnp.asarray(clicks),
    hop=CFG.hop,
    window=CFG.window,
    num_mels=CFG.num_mels,
    sample_rate=CFG.sample_rate,
  )
  samples, _ = _run(model, "__call__", mel, model.start(1))
  energy = np.square(np.asarray(samples[0]))
  centre = np.sum(energy * np.arange(energy.size)) / np.sum(energy)
  # Magnitudes tell when a click came to within a hop.
  assert abs(centre - CFG.delay - (10 * CFG.hop + 20)) < CFG.hop


@pytest.mark.parametrize("hertz", [80.0, 131.0, 300.0], ids="{} Hz".format)
def test_a_hum_has_its_pitch(model, hertz):
  frames = 40
  mel = jnp.full((1, frames, 13), -1.0)
  bins = CFG.window // 2 + 1
  controls = vocoder.Controls(
    pitch=jnp.zeros((1, frames, 9)),
    gain=jnp.zeros((1, frames, bins)),
    periodic=jnp.ones((1, frames, bins)),
  )
  samples, _ = _run(
    model, "sing", mel, controls, jnp.full((1, frames), hertz), model.start(1)
  )
  sound = np.asarray(samples[0, 400:]) * np.hanning(frames * 40 - 400)
  size = np.abs(np.fft.rfft(sound, 16_000))
  at = np.round(hertz * np.arange(1, 5) * 4).astype(int)
  between = np.round(hertz * (np.arange(1, 5) + 0.5) * 4).astype(int)
  assert size[at].min() > 10 * size[between].max()


def test_the_hiss_never_repeats_and_is_white(model):
  frames = 200
  mel = jnp.full((1, frames, 13), -1.0)
  bins = CFG.window // 2 + 1
  controls = vocoder.Controls(
    pitch=jnp.zeros((1, frames, 9)),
    gain=jnp.zeros((1, frames, bins)),
    periodic=jnp.zeros((1, frames, bins)),
  )
  samples, _ = _run(
    model, "sing", mel, controls, jnp.full((1, frames), 100.0), model.start(1)
  )
  sound = np.asarray(samples[0, 400:])
  spectrum = np.fft.rfft(sound, 2 * sound.size)
  alike = np.fft.irfft(np.abs(spectrum) ** 2)[: sound.size]
  # Of 7,600 independent samples: six deviations of 1 / √7600. Samples of a
  # window apart share no frame.
  assert np.abs(alike[CFG.window :]).max() < 0.07 * alike[0]


def test_a_pitch_between_two_is_decoded():
  values = vocoder.pitches(CFG)
  assert values[0] == 70 and values[-1] == pytest.approx(400)
  hertz = np.sqrt(values[3] * values[4])
  steps = np.log(values / hertz) / np.log(values[1] / values[0])
  logits = jnp.asarray(-0.5 * (steps / 0.6) ** 2, jnp.float32)
  found = vocoder.decode_pitch(logits[None, None], CFG)
  # Half a step is 11 %; the mean of five steps leaves little of it.
  assert found[0, 0] == pytest.approx(hertz, rel=0.01)
  sure = jnp.where(jnp.arange(9) == 5, 40.0, 0.0)
  assert vocoder.decode_pitch(sure[None, None], CFG)[0, 0] == pytest.approx(
    values[5], rel=1e-6
  )


def test_every_parameter_is_learnt(model, mel):
  @jax.jit
  @jax.grad
  def slope(weights):
    bound = params.bind(_build, weights)
    controls, state = bound.listen(mel, bound.start(2))
    hertz = vocoder.decode_pitch(controls.pitch, CFG)
    samples, _ = bound.sing(mel, controls, hertz, state)
    return jnp.sum(jnp.square(samples)) + jnp.sum(controls.pitch[..., 2])

  slopes = slope(params.to_dict(model))
  for leaf in jax.tree.leaves(slopes):
    assert jnp.isfinite(leaf).all()
    assert jnp.abs(leaf).max() > 0


def _build(key):
  return vocoder.Vocoder(CFG, rngs=nnx.Rngs(key))


def test_weights_may_rest_in_bfloat16(mel):
  model = vocoder.Vocoder(CFG, param_dtype="bfloat16", rngs=nnx.Rngs(0))
  kinds = {leaf.dtype for leaf in jax.tree.leaves(nnx.state(model))}
  assert kinds == {jnp.dtype("bfloat16")}
  samples, _ = _run(model, "__call__", mel, model.start(2))
  assert samples.dtype == jnp.float32


def test_no_two_buffers_of_a_state_are_one():
  leaves = jax.tree.leaves(vocoder.start(CFG, 2))
  places = {leaf.unsafe_buffer_pointer() for leaf in leaves}
  assert len(places) == len(leaves)


def test_more_channels_than_bins_are_refused():
  cfg = dataclasses.replace(CFG, num_mels=200)
  with pytest.raises(ValueError, match=r"num_mels=200 .* holds no bin"):
    vocoder.Vocoder(cfg, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"width": 0}, r"vocoder\.width=0 must be 1 or more"),
    ({"window": 120}, r"vocoder\.window=120 must be a multiple of .* 80"),
    ({"window": 0}, r"vocoder\.window=0 must be a multiple"),
    ({"hop": 30, "window": 120}, r"vocoder\.hop=30 does not divide .* 800"),
    ({"num_pitches": 1}, r"vocoder\.num_pitches=1 from pitch_low=70\.0"),
    ({"pitch_low": 0.0}, r"pitch_low=0\.0 to pitch_high=400\.0"),
  ],
  ids=["width", "odd window", "no window", "hop", "pitches", "low"],
)
def test_a_wrong_number_is_refused_by_name(change, message):
  with pytest.raises(ValueError, match=message):
    dataclasses.replace(CFG, **change)


def test_the_delay_is_known_before_anything_runs():
  assert CFG.delay == 120
  assert VocoderConfig().delay == 480
