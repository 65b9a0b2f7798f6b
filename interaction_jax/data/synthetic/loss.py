"""What never arrives: chunks of sound, and pictures.

Nothing is lost that an answer hangs on. Of a word, as much is lost as people
hardly notice; of pictures, none in which something is to be seen.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from jaxtyping import Int

from interaction_jax.data.synthetic.stage import Stage
from interaction_jax.turns import clock

_CHUNK: Final = clock.SAMPLE_RATE // 50
"""Samples of what is sent at once: 20 ms."""

_SPOKEN: Final = 3
"""Chunks in a row that are lost of speech, at most."""

_SILENT: Final = 10
"""The same of everything else."""

_MOST: Final = 6
"""Gaps in a conversation."""


def of_sound(
  stages: Sequence[Stage], total: int, rng: np.random.Generator
) -> tuple[tuple[int, int], ...]:
  """From where to where sound is lost, in samples, in order, apart."""
  sounds = [
    (one.at, one.end)
    for stage in stages
    for one in (*stage.utterances, *stage.noises)
  ]
  gaps: list[tuple[int, int]] = []
  for _ in range(int(rng.integers(1, _MOST + 1))):
    first = int(rng.integers(total // _CHUNK)) * _CHUNK
    long = first + int(rng.integers(1, _SILENT + 1)) * _CHUNK
    short = first + int(rng.integers(1, _SPOKEN + 1)) * _CHUNK
    last = min(short if _meets(first, long, sounds) else long, total)
    # Two short gaps in one word would be a long one.
    around = first - clock.SAMPLES, last + clock.SAMPLES
    if not _meets(*around, gaps):
      gaps.append((first, last))
  return tuple(sorted(gaps))


def of_pictures(
  stages: Sequence[Stage],
  times: Int[np.ndarray, " _"],
  rng: np.random.Generator,
) -> tuple[int, ...]:
  """The times of pictures that are lost, ascending."""
  seen = [
    (thing.first, stage.end) for stage in stages for thing in stage.things
  ]
  lost: set[int] = set()
  for _ in range(int(rng.integers(1, _MOST + 1))):
    first = int(rng.integers(len(times)))
    run = times[first : first + int(rng.integers(1, 5))].tolist()
    lost.update(at for at in run if not _meets(at, at + 1, seen))
  return tuple(sorted(lost))


def _meets(first: int, last: int, spans: Iterable[tuple[int, int]]) -> bool:
  return any(first < end and begin < last for begin, end in spans)
