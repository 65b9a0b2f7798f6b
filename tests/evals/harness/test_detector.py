import numpy as np
import pytest

from interaction_jax.evals.harness import detector


def test_energy_finds_what_is_loud():
  sound = np.zeros(16_000, np.float32)
  # Two stretches 60 ms apart are one; a click of 40 ms is none.
  sound[3200:6400] = sound[7360:9600] = 0.1
  sound[14_000:14_320] = 0.5
  assert detector.energy(sound) == [(pytest.approx(0.2), pytest.approx(0.6))]
  assert detector.energy(0 * sound) == []


def test_loudness_is_that_of_20_ms():
  sound = np.zeros(1000, np.float32)
  # An amplitude of 0.01 is -40 dB. In the fourth piece 40 samples have it, and
  # 280 are silent: 9 dB less.
  sound[320:640], sound[960:] = 0.01, 0.01
  assert detector.loud(sound).tolist() == [False, True, False, False]
  assert detector.loud(2 * sound).tolist() == [False, True, False, True]
  assert not detector.loud(0.3 * sound).any()


def test_spans_that_are_near_are_put_together():
  spans = [(0.0, 1.0), (1.1, 2.0), (2.5, 3.0)]
  assert detector.merge(spans, gap=0.1) == [(0.0, 2.0), (2.5, 3.0)]


def test_a_wrong_name_is_told():
  sound = np.full(16_000, 0.1, np.float32)
  hear = detector.find("energy").hear
  assert hear([sound, 0 * sound]) == [[(0.0, 1.0)], []]
  with pytest.raises(ValueError, match="mean silero"):
    detector.find("sillero")
