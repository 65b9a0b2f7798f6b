"""When a voice begins, to somebody who knows nothing of models: Silero's VAD.

It hears the sound alone. What a model says of its own voice, by its gate, is
held against that.
"""

import functools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from interaction_jax.turns import clock

Span = tuple[float, float]
"""From when to when there is a voice, in seconds."""

_NEAR = 0.3
"""Seconds around a stretch in which a voice is still the one of it."""


def heard(samples: Float[np.ndarray, " I"]) -> list[Span]:
  """Where there is a voice, at 16 kHz.

  Raises:
    ImportError: the detector is not installed.
  """
  import silero_vad
  import torch

  with torch.no_grad(), warnings.catch_warnings():
    # It uses what later versions of torch give up.
    warnings.simplefilter("ignore")
    found: list[dict[str, int]] = silero_vad.get_speech_timestamps(
      torch.from_numpy(np.array(samples, np.float32)),
      _detector(),
      sampling_rate=clock.SAMPLE_RATE,
      min_speech_duration_ms=100,
      speech_pad_ms=0,
    )
  rate = clock.SAMPLE_RATE
  return [(one["start"] / rate, one["end"] / rate) for one in found]


def installed() -> bool:
  """Whether there is a detector."""
  try:
    _detector()
  except ImportError:
    return False
  return True


def compare(
  stretches: Sequence[tuple[int, int]], spans: Sequence[Span]
) -> dict[str, list[float]]:
  """What a detector heard against the turns in which a model says it speaks.

  Args:
    stretches: from which turn to before which.

  Returns:
    `found`: for each stretch, whether a voice is heard in it; `offset_s`: for
    each that is, how much later it is heard than it begins; `alone`: for each
    span, whether it is far from all stretches.
  """
  times = [(clock.seconds(a), clock.seconds(b)) for a, b in stretches]

  def meets(one: Span, other: Span) -> bool:
    return one[0] < other[1] + _NEAR and other[0] < one[1] + _NEAR

  voices = [[s for s in spans if meets(s, time)] for time in times]
  return {
    "found": [float(bool(met)) for met in voices],
    "offset_s": [
      met[0][0] - time[0]
      for time, met in zip(times, voices, strict=True)
      if met
    ],
    "alone": [float(not any(meets(s, time) for time in times)) for s in spans],
  }


@functools.cache
def _detector() -> Any:
  import silero_vad

  with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    return silero_vad.load_silero_vad()
