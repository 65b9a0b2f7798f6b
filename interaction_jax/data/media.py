"""Recordings as a model takes them: any file of sound, any file of video.

Sound comes as blocks of one channel at 16 kHz, so that an hour takes no more
memory than a second; video comes as the pictures shown at given times, as a
player shows them: turned upright, with square pixels. Of a file with both, time
begins with whichever begins first.
"""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float, UInt8

from interaction_jax.data import resample

CONTAINERS: Final = frozenset(
  {
    ".3gp", ".aac", ".asf", ".avi", ".flv", ".m4a", ".m4v", ".mkv", ".mov",
    ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wma", ".wmv",
  }
)  # fmt: skip
"""Files that PyAV reads, in small letters; soundfile reads all others."""

_BLOCK: Final = 1 << 16


def sound(
  path: str | Path, *, channel: int | None = None
) -> Iterator[Float[np.ndarray, " _"]]:
  """The sound of a file in blocks of any length, one channel at 16 kHz.

  Of a video file it is the sound track.

  Args:
    channel: of a sound file; None: the mean of all.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: it cannot be read, is empty, or holds NaN or infinity.
  """
  path = _existing(path)
  video = path.suffix.lower() in CONTAINERS
  blocks = _tracks(path) if video else _samples(path, channel)
  resampler = None
  num = 0
  for rate, block in blocks:
    finite = np.isfinite(block)
    if not finite.all():
      at = (num + int(np.argmin(finite))) / rate
      raise ValueError(
        f"{path} holds NaN or infinity, first at {at:.3f} s; a recording has "
        "finite samples."
      )
    num += len(block)
    resampler = resampler or _resampler(path, rate)
    yield resampler.push(block)
  if resampler is None or not num:
    raise ValueError(f"{path} holds no sound: it has 0 samples.")
  yield resampler.flush()


def pictures(
  path: str | Path, times: Iterable[float]
) -> Iterator[UInt8[np.ndarray, "_ _ 3"]]:
  """The picture of a video at each of `times`, until the video ends.

  Args:
    times: in seconds from its beginning, in rising order.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: it cannot be read, or has no pictures.
    ModuleNotFoundError: PyAV is not installed.
  """
  path = _existing(path)
  frames = _frames(path)
  shown = next(frames, None)
  if shown is None:
    raise ValueError(f"{path} has no pictures; a video is wanted.")
  coming = next(frames, None)
  for time in times:
    while coming is not None and coming.begin <= time:
      shown, coming = coming, next(frames, None)
    if coming is None and time >= shown.end:
      return
    yield _upright(shown)


def promised_s(path: str | Path) -> float | None:
  """How long a container says that it lasts, in seconds; None: it does not.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: it cannot be read.
    ModuleNotFoundError: PyAV is not installed.
  """
  import av

  with _opened(_existing(path)) as container:
    length = container.duration
  return None if length is None else length / av.time_base


def fit(
  picture: UInt8[np.ndarray, "_ _ 3"], *, rows: int, columns: int
) -> UInt8[np.ndarray, "_ _ 3"]:
  """Scales a picture into a canvas, whole and undistorted, on black.

  A pixel of the result is the mean of what it covers.
  """
  tall, wide = picture.shape[:2]
  scale = min(rows / tall, columns / wide)
  height = max(1, min(rows, round(tall * scale)))
  width = max(1, min(columns, round(wide * scale)))
  # Rows first: what is left for the second product is small.
  lines = picture.reshape(tall, -1).astype(np.float32)
  lines = (_cover(tall, height) @ lines).reshape(height, wide, 3)
  small = _cover(wide, width) @ lines
  canvas = np.zeros((rows, columns, 3), np.uint8)
  top, left = (rows - height) // 2, (columns - width) // 2
  rounded = np.clip(np.rint(small), 0, 255).astype(np.uint8)
  canvas[top : top + height, left : left + width] = rounded
  return canvas


def pair(times: Sequence[float], begin: float) -> tuple[int, int]:
  """Which pictures stand for 0 and 100 ms into a turn.

  Each is the newest one by then. Where all are late, the newest two; where
  there is one alone, it stands for both.

  Args:
    times: when each was taken, in seconds, ascending; one at least.
    begin: of the turn.
  """
  slack = 1e-6

  def newest(until: float) -> int:
    return max(0, sum(at <= until + slack for at in times) - 1)

  first, second = newest(begin), newest(begin + 0.1)
  if first == second and first > 0:
    first -= 1
  return first, second


def _cover(source: int, target: int) -> Float[np.ndarray, "_ _"]:
  """The share that each of `source` pixels has in each of `target`."""
  edges = np.arange(target + 1) * (source / target)
  pixel = np.arange(source)
  low = np.maximum(edges[:-1, None], pixel)
  high = np.minimum(edges[1:, None], pixel + 1)
  share = np.maximum(high - low, 0.0) * (target / source)
  return share.astype(np.float32)


def _resampler(path: Path, rate: int) -> resample.Resampler:
  try:
    return resample.Resampler(rate)
  except ValueError as error:
    raise ValueError(f"{path} cannot be read as sound: {error}") from error


def _existing(path: str | Path) -> Path:
  path = Path(path)
  if not path.exists():
    raise FileNotFoundError(f"There is no file {path}.")
  if not path.is_file():
    raise ValueError(f"{path} is not a file; a recording is wanted.")
  return path


def _samples(
  path: Path, channel: int | None
) -> Iterator[tuple[int, np.ndarray]]:
  """The blocks of a sound file, with their rate."""
  import soundfile

  try:
    # By name, what calls itself MP3 and is not is searched for sound, and all
    # that is found missing told on stderr; of a stream the beginning decides.
    with path.open("rb") as raw, soundfile.SoundFile(raw) as file:
      while True:
        block = file.read(_BLOCK, dtype="float32", always_2d=True)
        if not len(block):
          return
        one = block.mean(axis=1) if channel is None else block[:, channel]
        yield file.samplerate, one
  except soundfile.LibsndfileError as error:
    reason = error.error_string.removesuffix(".")
    raise ValueError(
      f"{path} cannot be read as sound ({reason}); wav, flac, ogg and mp3 can."
    ) from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
  """A container opened by PyAV; what goes wrong in it is one clear line."""
  import av
  import av.error

  try:
    with av.open(str(path)) as container:
      yield container
  except av.error.FFmpegError as error:
    reason = error.strerror or "it is damaged"
    raise ValueError(f"{path} cannot be read as video ({reason}).") from error


def _tracks(path: Path) -> Iterator[tuple[int, np.ndarray]]:
  """The blocks of the first sound track of a container, with their rate."""
  import av

  with _opened(path) as container:
    if not container.streams.audio:
      raise ValueError(f"{path} has no sound track.")
    planar = av.AudioResampler(format="fltp")
    begin = _begin(container)
    for frame in container.decode(audio=0):
      if begin is not None and frame.time is not None:
        late = max(0.0, frame.time - begin)
        yield frame.sample_rate, _silence(late, frame.sample_rate)
      begin = None
      for part in planar.resample(frame):
        yield part.sample_rate, part.to_ndarray().mean(axis=0)


def _silence(seconds: float, rate: int) -> np.ndarray:
  return np.zeros(round(seconds * rate), np.float32)


@dataclasses.dataclass(frozen=True)
class _Shown:
  """A picture of a video, and how a player shows it.

  Attributes:
    begin, end: when, in seconds.
    wide: the width of a pixel, in its heights.
  """

  begin: float
  end: float
  frame: Any
  wide: float


def _frames(path: Path) -> Iterator[_Shown]:
  """The pictures of a video, in the order in which they are shown."""
  with _opened(path) as container:
    if not container.streams.video:
      return
    stream = container.streams.video[0]
    rate = float(stream.average_rate or 25)
    wide = float(stream.sample_aspect_ratio or 1)
    begin, last = _begin(container), 0.0
    for frame in container.decode(stream):
      last = last + 1 / rate if frame.time is None else frame.time
      begin = last if begin is None else begin
      yield _Shown(last - begin, last - begin + 1 / rate, frame, wide)


def _begin(container: Any) -> float | None:
  """When the first of its streams begins, in seconds; None: it does not say."""
  import av

  began = container.start_time
  return None if began is None else began / av.time_base


def _upright(shown: _Shown) -> UInt8[np.ndarray, "_ _ 3"]:
  """The pixels of a picture as they are seen.

  Cameras write what their sensor sees, and how it was held beside it: a matrix
  that takes a place (x, y) to (a x + c y, b x + d y). Those of a tilt in
  between are taken as the nearest quarter turn.
  """
  frame = shown.frame
  width = max(1, round(frame.width * shown.wide))
  pixels = frame.to_ndarray(format="rgb24", width=width)
  matrix = frame.side_data.get("DISPLAYMATRIX")
  if matrix is None:
    return pixels
  a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].astype(float)
  across, down = a, d
  if abs(b) + abs(c) > abs(a) + abs(d):
    pixels = pixels.transpose(1, 0, 2)
    across, down = c, b
  pixels = pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
  return np.ascontiguousarray(pixels)
