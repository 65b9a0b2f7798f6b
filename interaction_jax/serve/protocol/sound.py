"""Sound on the wire: PCM16 in one channel, at 16 or 24 kHz.

A model hears and speaks at 16 kHz; `data/resample.py` says what the way to
another rate and back adds.
"""

from typing import Final

import numpy as np
from jaxtyping import Float

from interaction_jax.data import resample
from interaction_jax.serve.protocol.message import Refusal
from interaction_jax.turns import clock

RATES: Final = (16_000, 24_000)
"""That clients may choose from, in Hz."""


class Sound:
  """Both ways of a connection, at one rate."""

  def __init__(self, rate: int):
    self.rate = rate
    self._in = resample.Resampler(rate)
    self._out = resample.Resampler(clock.SAMPLE_RATE, rate)

  def hear(self, content: bytes) -> Float[np.ndarray, " _"]:
    """What came, as the model hears it."""
    return self._in.push(samples(content))

  def say(self, voice: Float[np.ndarray, " I"]) -> bytes:
    """What the model says, as it goes out."""
    return pcm(self._out.push(voice))


def samples(content: bytes) -> Float[np.ndarray, " I"]:
  """PCM16 as floats from -1 to 1.

  Raises:
    Refusal: there is half a sample.
  """
  if len(content) % 2:
    raise Refusal(
      "invalid_value",
      f"the sound has {len(content)} bytes, which is an odd number; PCM16 has "
      "two for each sample.",
      "audio",
    )
  return np.frombuffer(content, "<i2").astype(np.float32) / 2**15


def pcm(voice: Float[np.ndarray, " I"]) -> bytes:
  """Floats as PCM16; what is too loud is cut off."""
  loud = np.clip(np.rint(voice * 2**15), -(2**15), 2**15 - 1)
  return loud.astype("<i2").tobytes()
