"""When a voice begins, to somebody who knows nothing of models: Silero's VAD.

It hears the sound alone. What a model says of its own voice, by its gate, is
held against that.
"""

import functools
import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from interaction_jax.turns import clock

Span = tuple[float, float]
"""From when to when there is a voice, in seconds."""

ROWS: Final = 32
"""Sounds that the network reads at once."""

_WINDOW: Final = 512
"""Samples that it reads at a time, at 16 kHz."""

_NEAR: Final = 0.3
"""Seconds around a stretch in which a voice is still the one of it."""

_ONE = threading.Lock()
"""The network remembers what it has read, so it reads for one at a time."""


def heard(sounds: Sequence[Float[np.ndarray, " _"]]) -> list[list[Span]]:
  """Where there is a voice in each of many sounds, at 16 kHz.

  The network reads `ROWS` sounds at once, which takes a quarter of the time of
  one after the other. There are always as many rows, so that what it hears in
  a sound depends on no other one.

  Raises:
    ImportError: the detector is not installed.
  """
  import silero_vad
  import torch

  detector = _detector()
  rate = clock.SAMPLE_RATE
  found: list[list[Span]] = [[] for _ in sounds]
  # Those of like length together, since all rows are as long as the longest.
  order = sorted(range(len(sounds)), key=lambda place: len(sounds[place]))
  with _ONE, torch.no_grad(), warnings.catch_warnings():
    # It uses what later versions of torch give up.
    warnings.simplefilter("ignore")
    for first in range(0, len(order), ROWS):
      places = order[first : first + ROWS]
      shares = _shares(detector, [sounds[place] for place in places])
      for place, share in zip(places, shares, strict=True):
        spans: list[dict[str, int]] = silero_vad.get_speech_timestamps(
          torch.from_numpy(np.array(sounds[place], np.float32)),
          _Told(share),
          sampling_rate=rate,
          min_speech_duration_ms=100,
          speech_pad_ms=0,
        )
        found[place] = [(one["start"] / rate, one["end"] / rate)
                        for one in spans]  # fmt: skip
  return found


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


class _Told:
  """Tells, in place of the network, what that has told before."""

  def __init__(self, shares: Any):
    self._shares, self._next = shares, 0

  def reset_states(self) -> None:
    """Begins again."""
    self._next = 0

  def __call__(self, window: Any, rate: int) -> Any:
    """How likely a voice is in the next window."""
    self._next += 1
    return self._shares[self._next - 1]


def _shares(
  detector: Any, sounds: Sequence[Float[np.ndarray, " _"]]
) -> Iterator[Any]:
  """How likely a voice is in every window of up to `ROWS` sounds."""
  import torch

  num = max(1, -(-max(len(sound) for sound in sounds) // _WINDOW))
  rows = np.zeros((ROWS, num * _WINDOW), np.float32)
  for row, sound in zip(rows, sounds, strict=False):
    row[: len(sound)] = sound
  detector.reset_states()
  windows = torch.from_numpy(rows).split(_WINDOW, dim=1)
  told = [detector(window, clock.SAMPLE_RATE)[:, 0] for window in windows]
  return iter(torch.stack(told, dim=1)[: len(sounds)])


@functools.cache
def _detector() -> Any:
  import silero_vad

  with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    return silero_vad.load_silero_vad()
