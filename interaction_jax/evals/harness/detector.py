"""Where there is a voice: detectors by name, all with one function.

`silero` hears voices and is what the field uses; `energy` hears anything that
is loud, needs nothing installed, and is exact on a sound with true silence.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from interaction_jax.core import settings
from interaction_jax.evals import onsets
from interaction_jax.evals.onsets import Span
from interaction_jax.turns import clock

_FRAME: Final = 320
"""Samples of a step of `energy`: 20 ms."""

_LOUD_DB: Final = -45.0


Sound = Float[np.ndarray, " _"]


@dataclasses.dataclass(frozen=True)
class Detector:
  """One way to find voices.

  Attributes:
    hear: from when to when there is one, of each of many sounds at 16 kHz.
  """

  name: str
  hear: Callable[[Sequence[Sound]], Sequence[Sequence[Span]]]


def loud(sound: Sound) -> Bool[np.ndarray, " _"]:
  """Whether each 20 ms are louder than -45 dB of full scale."""
  num = -(-len(sound) // _FRAME)
  frames = np.pad(sound, (0, num * _FRAME - len(sound))).reshape(num, _FRAME)
  power = np.mean(np.square(frames.astype(np.float64)), axis=1)
  return 10 * np.log10(np.maximum(power, 1e-12)) > _LOUD_DB


def energy(sound: Sound) -> list[Span]:
  """Stretches of at least 100 ms that are louder than -45 dB of full scale.

  Gaps of up to 100 ms belong to them.
  """
  edges = np.flatnonzero(np.diff(np.r_[False, loud(sound), False]))
  step = _FRAME / clock.SAMPLE_RATE
  spans = [
    (float(first * step), float(last * step))
    for first, last in edges.reshape(-1, 2)
  ]
  return [one for one in merge(spans, gap=0.1) if one[1] - one[0] >= 0.1 - 1e-9]


def merge(spans: Sequence[Span], *, gap: float) -> list[Span]:
  """Spans in order, those put together that are at most `gap` seconds apart."""
  merged: list[Span] = []
  for start, end in spans:
    if merged and start - merged[-1][1] <= gap + 1e-9:
      merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
    else:
      merged.append((float(start), float(end)))
  return merged


DETECTORS: Final[Mapping[str, Detector]] = {
  one.name: one
  for one in (
    Detector("silero", onsets.heard),
    Detector("energy", lambda sounds: [energy(sound) for sound in sounds]),
  )
}


def find(name: str) -> Detector:
  """A detector by name.

  Raises:
    ValueError: there is none of that name.
  """
  if name not in DETECTORS:
    raise ValueError(
      f"detector={name!r} is not known{settings.near(name, DETECTORS)}; there "
      f"is {', '.join(DETECTORS)}."
    )
  return DETECTORS[name]
