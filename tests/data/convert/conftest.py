"""Small recordings of two channels, and transcripts of them."""

import numpy as np
import pytest
import soundfile


def speech(seconds, spans, *, rate=16_000, seed=0):
  """Noise in some spans, given in seconds, and next to nothing elsewhere."""
  rng = np.random.default_rng(seed)
  samples = rng.normal(scale=1e-5, size=round(seconds * rate))
  for first, last in spans:
    there = slice(round(first * rate), round(last * rate))
    samples[there] = rng.normal(scale=0.1, size=len(samples[there]))
  return samples.astype(np.float32)


@pytest.fixture
def stereo():
  """Writes a file of two channels."""

  def write(path, left, right, *, seconds=4.0, rate=16_000):
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = [
      speech(seconds, spans, rate=rate, seed=seed)
      for seed, spans in enumerate((left, right))
    ]
    soundfile.write(path, np.stack(channels, axis=1), rate, subtype="PCM_16")

  return write
