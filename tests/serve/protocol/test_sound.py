import numpy as np
import pytest

from interaction_jax.serve.protocol import sound
from interaction_jax.serve.protocol.message import Refusal
from interaction_jax.serve.protocol.sound import Sound


def test_pcm_and_back():
  rng = np.random.default_rng(0)
  content = rng.integers(-(2**15), 2**15, 500).astype("<i2").tobytes()
  assert sound.pcm(sound.samples(content)) == content
  loud = np.array([1.0, 2.0, -2.0], np.float32)
  assert np.frombuffer(sound.pcm(loud), "<i2").tolist() == [
    32767, 32767, -32768,
  ]  # fmt: skip


@pytest.mark.parametrize("rate", sound.RATES)
def test_both_ways_keep_time(rate):
  wire, tone = Sound(rate), np.sin(np.arange(rate) * 2 * np.pi * 440 / rate)
  content = sound.pcm(0.3 * tone.astype(np.float32))
  parts = [content[at : at + 998] for at in range(0, len(content), 998)]
  heard = np.concatenate([wire.hear(part) for part in parts])
  # Whatever is held back comes with the next samples.
  assert 15_800 < len(heard) <= 16_000
  spectrum = np.abs(np.fft.rfft(heard))
  assert np.argmax(spectrum) * 16_000 / len(heard) == pytest.approx(440, abs=2)
  said = b"".join(
    wire.say(heard[at : at + 3200]) for at in range(0, 16000, 3200)
  )
  assert 0.98 * rate < len(said) / 2 <= rate


def test_half_a_sample_is_refused():
  with pytest.raises(Refusal, match="3 bytes, which is an odd number"):
    Sound(16_000).hear(b"abc")
