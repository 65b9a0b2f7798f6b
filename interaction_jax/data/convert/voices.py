"""What the sound of a recording tells: who speaks when, and what is broken."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float

from interaction_jax.data import media
from interaction_jax.turns import clock

LONGEST_S: Final = 4 * 3600.0
"""Recordings beyond this are not taken."""

_SLACK_S: Final = 0.5
"""Seconds by which a recording may be shorter than it says."""

_FRAME: Final = 320
"""Samples, 20 ms, over which loudness is taken."""

_FLOOR_DB: Final = -55.0
"""What is below it is silence, in dB of full scale."""

_RANGE_DB: Final = 30.0
"""What is so far below loud speech is silence too."""

_GAP: Final = 15
"""Frames of silence that a speaker may leave within what is said."""

_BURST: Final = 3
"""Frames that a sound must have to be speech."""


def channels(path: Path, *, wanted: int) -> list[Float[np.ndarray, " W"]]:
  """Every channel of a sound file at 16 kHz.

  Args:
    wanted: how many there have to be.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: it is empty, truncated, too long, silent, holds NaN, has
      another number of channels, or cannot be read.
  """
  import soundfile

  if not path.is_file():
    raise FileNotFoundError(f"{path} does not exist.")
  try:
    about = soundfile.info(path)
  except soundfile.SoundFileRuntimeError as error:
    raise ValueError(f"{path} cannot be read as sound ({error}).") from error
  if not about.frames:
    raise ValueError(f"{path} is empty: it has 0 samples.")
  for line in about.extra_info.splitlines():
    # libsndfile reads what is there, and mentions what was promised.
    if line.strip().startswith("data :") and "should be" in line:
      raise ValueError(f"{path} is truncated: {line.strip()} bytes.")
  if about.channels != wanted:
    raise ValueError(
      f"{path} has {about.channels} channels; {wanted} are wanted."
    )
  not_too_long(path, about.duration)
  found = [
    np.concatenate(list(media.sound(path, channel=channel)))
    for channel in range(wanted)
  ]
  whole(path, len(found[0]) / clock.SAMPLE_RATE, promised=about.duration)
  if not any(samples.any() for samples in found):
    raise ValueError(f"{path} is silent: all of its samples are 0.")
  return found


def not_too_long(path: Path, seconds: float) -> None:
  """Sees whether a recording is short enough for one conversation.

  Raises:
    ValueError: it lasts longer than `LONGEST_S`.
  """
  if seconds > LONGEST_S:
    raise ValueError(
      f"{path} lasts {seconds:.0f} s; at most {LONGEST_S:.0f} s are taken as "
      "one conversation."
    )


def whole(path: Path, seconds: float, *, promised: float | None) -> None:
  """Sees whether a recording lasts about as long as it says.

  Some formats break off without an error; what they say may be an estimate,
  so a twentieth is allowed for.

  Args:
    seconds: that were found in it.
    promised: seconds; None: it does not say.

  Raises:
    ValueError: it ends too soon.
  """
  if promised and promised - seconds > max(_SLACK_S, promised / 20):
    raise ValueError(
      f"{path} is truncated: it ends at {seconds:.2f} s, and says that it "
      f"lasts {promised:.2f} s."
    )


def spoken(samples: Float[np.ndarray, " W"]) -> tuple[tuple[int, int], ...]:
  """From where to where somebody speaks, by loudness alone.

  A frame is speech if it is within 30 dB of the loudest twentieth of frames,
  and above -55 dB of full scale. Shorter pauses than 300 ms are part of it,
  shorter sounds than 60 ms are not.
  """
  num = len(samples) // _FRAME
  if not num:
    return ()
  frames = samples[: num * _FRAME].reshape(num, _FRAME)
  power = np.mean(np.square(frames), axis=1)
  loudness = 10 * np.log10(np.maximum(power, 1e-12))
  loud = loudness > max(_FLOOR_DB, np.quantile(loudness, 0.95) - _RANGE_DB)
  spans: list[list[int]] = []
  edges = np.flatnonzero(np.diff(np.r_[False, loud, False]))
  for first, last in edges.reshape(-1, 2).tolist():
    if spans and first - spans[-1][1] < _GAP:
      spans[-1][1] = last
    else:
      spans.append([first, last])
  return tuple(
    (first * _FRAME, last * _FRAME)
    for first, last in spans
    if last - first >= _BURST
  )


def sample(seconds: object, *, what: str, num: int, slack: float = 0.5) -> int:
  """A time of a transcript in samples, within a sound of `num` of them.

  Args:
    what: how an error calls it.
    slack: seconds by which it may lie beyond the end.

  Raises:
    ValueError: it is no time, or lies outside.
  """
  if not isinstance(seconds, int | float) or not math.isfinite(seconds):
    raise ValueError(f"{what}={seconds!r} is no time in seconds.")
  end = num / clock.SAMPLE_RATE
  if not -slack <= seconds <= end + slack:
    raise ValueError(
      f"{what}={seconds:.2f} s lies outside the sound, which lasts {end:.2f} "
      "s: the transcript is of another recording, or misaligned."
    )
  return min(max(round(seconds * clock.SAMPLE_RATE), 0), num)


def spread(
  words: Sequence[str], first: int, last: int
) -> list[tuple[str, int, int]]:
  """Words with times of their own, shared out by their letters."""
  lengths = np.array([len(word) + 1 for word in words])
  ends = first + (np.cumsum(lengths) / lengths.sum() * (last - first)).astype(
    int
  )
  begins = [first, *ends[:-1].tolist()]
  return list(zip(words, begins, ends.tolist(), strict=True))
