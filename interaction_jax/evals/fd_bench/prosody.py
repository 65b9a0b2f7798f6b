"""How fast, loud and high a voice is, in a stretch of time."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.onsets import Span
from interaction_jax.turns import clock

_BLOCK: Final = 2 * clock.SAMPLE_RATE
"""Samples whose pitch is found at once, so that there is one program."""

_VOICED: Final = 0.5
"""How periodic a frame is at least that has a pitch."""

_LOW_HZ: Final = 60.0
_HIGH_HZ: Final = 400.0


@dataclasses.dataclass(frozen=True)
class Prosody:
  """A voice in a stretch of time.

  Attributes:
    words: a minute in which there is a voice.
    level_db: of full scale, where there is one.
    pitch_hz: the median of its frames; None: none has a pitch.
  """

  words: float
  level_db: float
  pitch_hz: float | None


def measure(
  sound: Float[np.ndarray, " _"],
  spans: Sequence[Span],
  words: Sequence[Word],
  start: float,
  end: float,
) -> Prosody | None:
  """Measures a voice from a time to a time; None: there is none.

  Args:
    sound: at 16 kHz, all of it.
    spans: where there is a voice.
  """
  inside = [
    (max(first, start), min(last, end))
    for first, last in spans
    if min(last, end) > max(first, start)
  ]
  parts = [sound[_at(first) : _at(last)] for first, last in inside]
  voice = np.concatenate(parts) if parts else np.zeros(0, np.float32)
  if not voice.any():
    return None
  said = [one for one in words if start <= one.start < end]
  power = float(np.mean(np.square(voice.astype(np.float64))))
  return Prosody(
    60 * len(said) * clock.SAMPLE_RATE / len(voice),
    10 * float(np.log10(power)),
    _pitch(voice),
  )


def _at(time: float) -> int:
  return round(time * clock.SAMPLE_RATE)


def _pitch(voice: Float[np.ndarray, " _"]) -> float | None:
  found = []
  for first in range(0, len(voice), _BLOCK):
    block = np.zeros(_BLOCK, np.float32)
    part = voice[first : first + _BLOCK]
    block[: len(part)] = part
    hz, periodic = (np.asarray(one)[0] for one in _track()(block[None]))
    found += hz[periodic > _VOICED].tolist()
  return float(np.median(found)) if found else None


@functools.cache
def _track():
  import jax

  from interaction_jax.ops import pitch

  return jax.jit(
    functools.partial(
      pitch.track,
      hop=160,
      window=640,
      sample_rate=clock.SAMPLE_RATE,
      low=_LOW_HZ,
      high=_HIGH_HZ,
    )
  )
