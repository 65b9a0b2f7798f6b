import builtins

import numpy as np
import pytest

from interaction_jax.data.synthetic import synthesiser


def _speak(text="say red cat", voice="en-us+f3", rate=170, pitch=50):
  return synthesiser.speak(text, voice=voice, rate=rate, pitch=pitch)


def test_every_word_is_announced_where_it_begins():
  speech = _speak()
  assert list(speech.onsets) == [0, 4, 8]
  onsets = list(speech.onsets.values())
  assert onsets == sorted(set(onsets))
  # "red" and "cat" take a quarter of a second each, give or take.
  assert 0.1 < (onsets[2] - onsets[1]) / speech.sample_rate < 0.5
  assert np.abs(speech.samples).max() > 0.05


def test_resampling_keeps_time():
  speech = _speak()
  ours = synthesiser.resample(speech)
  assert ours.sample_rate == 16_000
  seconds = len(speech.samples) / speech.sample_rate
  # Two samples: the resampler rounds a length.
  assert abs(len(ours.samples) - seconds * 16_000) < 2
  for place, at in speech.onsets.items():
    assert ours.onsets[place] == round(at * 16_000 / speech.sample_rate)
  assert ours.samples.dtype == np.float32


def test_rate_and_pitch_do_what_they_say():
  slow, fast = _speak(rate=100), _speak(rate=250)
  assert len(slow.samples) > 1.5 * len(fast.samples)
  low, high = _speak(text="see", pitch=10), _speak(text="see", pitch=90)

  def fundamental(speech):
    middle = speech.samples[len(speech.samples) // 3 :][:4096]
    spectrum = np.fft.rfft(middle)
    same = np.fft.irfft(np.abs(spectrum) ** 2)
    # From 500 Hz down to 70 Hz.
    first, last = speech.sample_rate // 500, speech.sample_rate // 70
    return speech.sample_rate / (first + np.argmax(same[first:last]))

  assert fundamental(high) > 1.3 * fundamental(low)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    # The synthesiser says this is fine and speaks with the plain voice.
    ({"voice": "en-us+nobody"}, "no variant 'nobody'"),
    ({"voice": "xx-nowhere"}, "no language 'xx-nowhere'"),
    # It lists this one, refuses it, and would keep the voice before.
    ({"voice": "en-gb"}, "refused SetVoiceByName"),
    ({"rate": 20}, "rate=20"),
    ({"pitch": 100}, "pitch=100"),
  ],
  ids=["variant", "language", "refused", "rate", "pitch"],
)
def test_what_it_cannot_say_is_refused(change, message):
  with pytest.raises(ValueError, match=message):
    _speak(**change)


def test_without_the_wheel_the_extra_is_named(monkeypatch):
  real = builtins.__import__

  def without(name, *args, **kwargs):
    if name == "espeakng_loader":
      raise ImportError(name)
    return real(name, *args, **kwargs)

  synthesiser.languages.cache_clear()
  monkeypatch.setattr(builtins, "__import__", without)
  with pytest.raises(ImportError, match=r"interaction-jax\[data\]"):
    _speak()
