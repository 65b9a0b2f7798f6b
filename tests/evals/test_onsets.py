import numpy as np
import pytest

from interaction_jax.data.synthetic import synthesiser
from interaction_jax.evals import onsets
from interaction_jax.turns import clock


def test_a_voice_is_heard_where_it_is():
  speech = synthesiser.resample(
    synthesiser.speak("the red cat", voice="en-us+f2", rate=180, pitch=50)
  )
  rate = clock.SAMPLE_RATE
  samples = np.zeros(4 * rate, np.float32)
  samples[rate : rate + len(speech.samples)] = speech.samples
  ((begin, end),) = onsets.heard(samples)
  # The detector hears windows of 32 ms, and takes a few to be sure.
  assert begin == pytest.approx(1.0, abs=0.2)
  assert end == pytest.approx(1.0 + len(speech.samples) / rate, abs=0.3)
  assert onsets.heard(np.zeros(rate, np.float32)) == []
  assert onsets.installed()


def test_what_is_heard_against_what_is_claimed():
  stretches = [(5, 8), (20, 22), (40, 45)]
  spans = [(1.1, 1.3), (1.4, 1.5), (6.0, 6.5), (8.2, 9.0)]
  found = onsets.compare(stretches, spans)
  assert found["found"] == [1.0, 0.0, 1.0]
  assert found["offset_s"] == pytest.approx([0.1, 0.2])
  assert found["alone"] == [0.0, 0.0, 1.0, 0.0]
  assert onsets.compare([], []) == {"found": [], "offset_s": [], "alone": []}
