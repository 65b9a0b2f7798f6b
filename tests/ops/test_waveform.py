import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.ops import spectral, waveform

HOP, RATE = 6, 600


def _sound(batch, length, seed=0):
  rng = np.random.default_rng(seed)
  return jnp.asarray(rng.standard_normal((batch, length)), jnp.float32)


@pytest.mark.parametrize("window", [12, 18, 24], ids="window={}".format)
def test_sound_comes_back_after_the_declared_delay(window):
  grid = {"hop": HOP, "window": window}
  sound = _sound(2, 7 * HOP)
  tail = waveform.initial_tail(2, **grid)
  _, spectra = waveform.analyze(tail, sound, **grid)
  assert spectra.shape == (2, 7, window // 2 + 1)
  _, again = waveform.synthesize(tail, spectra, **grid)
  delay = window - HOP
  late = jnp.pad(sound, ((0, 0), (delay, 0)))[:, : sound.shape[1]]
  # float32: two transforms of at most 24 values near 1.
  np.testing.assert_allclose(again, late, atol=2e-6)


@pytest.mark.parametrize("size", [1, 2, 5], ids="frames={}".format)
def test_pieces_make_the_whole(size):
  grid = {"hop": HOP, "window": 18}
  sound = _sound(3, 10 * HOP)
  start = waveform.initial_tail(3, **grid)
  _, whole = waveform.analyze(start, sound, **grid)
  _, made = waveform.synthesize(start, whole, **grid)
  ears, mouth, spectra, samples = start, start, [], []
  for first in range(0, 10 * HOP, size * HOP):
    piece = sound[:, first : first + size * HOP]
    ears, new = waveform.analyze(ears, piece, **grid)
    mouth, out = waveform.synthesize(mouth, new, **grid)
    spectra.append(new)
    samples.append(out)
  # float32: the overlapping sums may be taken in another order.
  np.testing.assert_allclose(jnp.concatenate(spectra, 1), whole, atol=1e-5)
  np.testing.assert_allclose(jnp.concatenate(samples, 1), made, atol=1e-6)


def test_spectra_are_those_that_mel_frames_are_made_of():
  grid = {"hop": HOP, "window": 24}
  sound = _sound(2, 5 * HOP)
  _, spectra = waveform.analyze(waveform.initial_tail(2, **grid), sound, **grid)
  filters = spectral.mel_filters(window=24, num_mels=4, sample_rate=RATE)
  mel = spectral.log_mel(sound, **grid, num_mels=4, sample_rate=RATE)
  # float32, logarithms of values near 0.01.
  np.testing.assert_allclose(
    jnp.log10(jnp.abs(spectra) @ filters), mel, atol=1e-5
  )


def test_synthesis_is_the_nearest_sound():
  grid = {"hop": HOP, "window": 18}
  start = waveform.initial_tail(1, **grid)
  rng = np.random.default_rng(1)
  shape = (1, 9, 10)
  wanted = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
  wanted = jnp.asarray(wanted, jnp.complex64)

  def distance(sound):
    _, spectra = waveform.analyze(sound[:, :12], sound[:, 12:], **grid)
    # As frames of samples, in which the transform changes no distance.
    apart = jnp.fft.irfft(spectra - wanted, 18)
    return jnp.sum(jnp.square(apart))

  tail, made = waveform.synthesize(start, wanted, **grid)
  slope = jax.grad(distance)(jnp.concatenate([made, tail], axis=1))
  # Where all three windows overlap the distance is at its least; float32.
  np.testing.assert_allclose(slope[:, 12:-12], 0, atol=1e-5)


def test_magnitudes_explain_the_mel_and_are_no_less_than_zero():
  size = np.abs(np.random.default_rng(2).standard_normal((1, 5, 33)))
  filters = spectral.mel_filters(window=64, num_mels=9, sample_rate=RATE)
  mel = jnp.log10(jnp.asarray(size, jnp.float32) @ filters)
  found = waveform.magnitudes(mel, window=64, sample_rate=RATE, num_steps=300)
  assert found.shape == (1, 5, 33)
  assert (found >= 0).all()
  # Nine numbers do not name 33; those that are found must give the nine.
  np.testing.assert_allclose(jnp.log10(found @ filters + 1e-10), mel, atol=0.01)


def test_griffin_lim_gets_nearer_and_stays_in_time():
  grid = {"hop": 80, "window": 320, "sample_rate": 8000}
  mels = {**grid, "num_mels": 40}
  time = np.arange(8000) / 8000
  # A tone that begins in the middle, so that a shift would show.
  sound = np.where(time < 0.5, 0.0, np.sin(2 * np.pi * 440 * time) / 2)
  mel = spectral.log_mel(jnp.asarray(sound[None], jnp.float32), **mels)

  def distance(steps):
    made = waveform.griffin_lim(mel, **grid, num_steps=steps)
    assert made.shape == (1, 8000)
    again = spectral.log_mel(made, **mels)
    # The last frames hear the end fade.
    return float(jnp.mean(jnp.abs(10.0**again - 10.0**mel)[:, :-4]))

  size = float(jnp.mean(10.0**mel))
  early, late = distance(0), distance(32)
  assert late < 0.5 * early
  assert late < 0.1 * size


@pytest.mark.parametrize(
  ("hop", "window"),
  [(0, 4), (4, 4), (4, 10), (8, 4)],
  ids=["no hop", "one hop", "broken", "short"],
)
def test_a_window_that_cannot_overlap_is_refused(hop, window):
  with pytest.raises(ValueError, match=f"hop={hop} and window={window}"):
    waveform.initial_tail(1, hop=hop, window=window)


@pytest.mark.parametrize(
  ("samples", "tail"), [(11, 6), (12, 5)], ids=["piece", "tail"]
)
def test_samples_of_a_wrong_length_are_refused(samples, tail):
  with pytest.raises(ValueError, match=rf"\(1, {samples}\).*\(1, {tail}\)"):
    waveform.analyze(
      jnp.zeros((1, tail)), jnp.zeros((1, samples)), hop=6, window=12
    )


@pytest.mark.parametrize(
  ("bins", "tail"), [(6, 6), (7, 7)], ids=["bins", "tail"]
)
def test_spectra_of_a_wrong_size_are_refused(bins, tail):
  spectra = jnp.zeros((1, 2, bins), jnp.complex64)
  with pytest.raises(ValueError, match="must have 7 bins, a tail 6 samples"):
    waveform.synthesize(jnp.zeros((1, tail)), spectra, hop=6, window=12)
