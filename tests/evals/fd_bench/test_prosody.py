import numpy as np
import pytest

from interaction_jax.evals.fd_bench import prosody
from interaction_jax.evals.harness.output import Word


def tone(hz, level, seconds):
  """A tone and its octave, so that it has a period and not one peak."""
  at = np.arange(round(seconds * 16_000)) / 16_000
  sound = np.sin(2 * np.pi * hz * at) + 0.5 * np.sin(4 * np.pi * hz * at)
  # Its mean square is (1 + 0.25) / 2.
  return (level * sound / np.sqrt(0.625)).astype(np.float32)


SOUND = np.concatenate(
  [tone(120, 0.1, 2.0), np.zeros(16_000, np.float32), tone(200, 0.2, 1.0)]
)
SPANS = ((0.0, 2.0), (3.0, 4.0))
WORDS = tuple(Word("w", at, at + 0.4) for at in (0.0, 0.5, 1.0, 1.5, 3.0, 3.5))


def test_a_voice_in_a_stretch_of_time():
  first = prosody.measure(SOUND, SPANS, WORDS, 0.0, 2.5)
  # Four words in 2 s of voice, whatever is silent: 120 a minute.
  assert first.words == pytest.approx(120)
  # An amplitude of 0.1 in the mean square: -20 dB.
  assert first.level_db == pytest.approx(-20, abs=0.01)
  assert first.pitch_hz == pytest.approx(120, rel=0.02)
  second = prosody.measure(SOUND, SPANS, WORDS, 2.5, 4.0)
  assert second.words == pytest.approx(120)
  # Twice as loud: 20 log10 2 = 6.02 dB more.
  assert second.level_db == pytest.approx(-20 + 6.02, abs=0.01)
  assert second.pitch_hz == pytest.approx(200, rel=0.02)


def test_only_what_lies_in_it_counts():
  # 1 s of voice from 1.0 s on, two words, of which one begins before 1.2 s.
  made = prosody.measure(SOUND, SPANS, WORDS, 1.2, 2.2)
  assert made.words == pytest.approx(60 / 0.8)


def test_where_there_is_no_voice_there_is_nothing():
  assert prosody.measure(SOUND, SPANS, WORDS, 2.0, 3.0) is None
  assert prosody.measure(SOUND, (), WORDS, 0.0, 4.0) is None
  silent = np.zeros(64_000, np.float32)
  assert prosody.measure(silent, SPANS, WORDS, 0.0, 4.0) is None


def test_noise_has_no_pitch():
  noise = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
  assert prosody.measure(noise, ((0.0, 2.0),), (), 0.0, 2.0).pitch_hz is None
