from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import silero_vad
import torch

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
  (((begin, end),),) = onsets.heard([samples])
  # The detector hears windows of 32 ms, and takes a few to be sure.
  assert begin == pytest.approx(1.0, abs=0.2)
  assert end == pytest.approx(1.0 + len(speech.samples) / rate, abs=0.3)
  assert onsets.heard([np.zeros(rate, np.float32)]) == [[]]
  assert onsets.heard([]) == []
  assert onsets.installed()


def test_what_is_heard_in_a_sound_depends_on_no_other():
  rng = np.random.default_rng(0)
  rate = clock.SAMPLE_RATE
  sounds = []
  for place in range(onsets.ROWS + 3):
    speech = synthesiser.resample(
      synthesiser.speak("seven green birds", voice="en-us", rate=150, pitch=40)
    ).samples
    # Lengths that no window divides, and one with nothing in it.
    sound = rng.normal(0, 1e-3, 2 * rate + 331 * place).astype(np.float32)
    start = int(rng.integers(rate // 2))
    sound[start:][: len(speech)] += speech[: len(sound) - start]
    sounds.append(sound)
  sounds[5] = sounds[5][:0]
  found = onsets.heard(sounds)
  assert [bool(spans) for spans in found].count(False) == 1 and not found[5]
  for place in (0, 7, onsets.ROWS + 2):
    assert found[place] == onsets.heard([sounds[place]])[0]


def test_two_who_listen_at_once_hear_what_each_hears_alone():
  sounds = []
  for text in ("one two three", "a blue fish swims away"):
    speech = synthesiser.resample(
      synthesiser.speak(text, voice="en-us", rate=150, pitch=40)
    )
    sounds.append(np.pad(speech.samples, (3000, 9000)))
  alone = [onsets.heard([sound]) for sound in sounds]
  assert alone[0] != alone[1] and all(one[0] for one in alone)
  with ThreadPoolExecutor(2) as pool:
    both = list(pool.map(lambda n: onsets.heard([sounds[n % 2]]), range(6)))
  assert both == alone * 3


# The detector is loaded by what later versions of torch give up.
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_what_is_heard_is_what_the_detector_hears_by_itself():
  rng = np.random.default_rng(1)
  speech = synthesiser.resample(
    synthesiser.speak("two small dogs", voice="en-us", rate=150, pitch=40)
  ).samples
  sound = rng.normal(0, 1e-3, 50_001).astype(np.float32)
  sound[9_000:][: len(speech)] += speech
  told = silero_vad.get_speech_timestamps(
    torch.from_numpy(sound),
    silero_vad.load_silero_vad(),
    sampling_rate=clock.SAMPLE_RATE,
    min_speech_duration_ms=100,
    speech_pad_ms=0,
  )
  spans = [(one["start"] / 16_000, one["end"] / 16_000) for one in told]
  assert spans and onsets.heard([sound]) == [spans]


def test_what_is_heard_against_what_is_claimed():
  stretches = [(5, 8), (20, 22), (40, 45)]
  spans = [(1.1, 1.3), (1.4, 1.5), (6.0, 6.5), (8.2, 9.0)]
  found = onsets.compare(stretches, spans)
  assert found["found"] == [1.0, 0.0, 1.0]
  assert found["offset_s"] == pytest.approx([0.1, 0.2])
  assert found["alone"] == [0.0, 0.0, 1.0, 0.0]
  assert onsets.compare([], []) == {"found": [], "offset_s": [], "alone": []}
