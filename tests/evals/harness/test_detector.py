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


def test_spans_that_are_near_are_put_together():
  spans = [(0.0, 1.0), (1.1, 2.0), (2.5, 3.0)]
  assert detector.merge(spans, gap=0.1) == [(0.0, 2.0), (2.5, 3.0)]


def test_a_wrong_name_is_told():
  assert detector.find("energy").hear is detector.energy
  with pytest.raises(ValueError, match="mean silero"):
    detector.find("sillero")
