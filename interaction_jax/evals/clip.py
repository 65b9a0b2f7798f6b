"""Videos of benchmarks: read as a system is shown them, and made for twins.

sound     ~~~~ please count ~~~~ ......... what the clip sounds like ....
pictures                                   #    #    #    #    #    #
          0                                begin
"""

import dataclasses
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float, UInt8

from interaction_jax.data import media
from interaction_jax.data.record import NO_FRAMES, Record
from interaction_jax.data.synthetic import scene
from interaction_jax.evals.harness import item as items
from interaction_jax.evals.harness.item import Canvas
from interaction_jax.turns import clock

_RATE: Final = clock.SAMPLE_RATE // scene.PERIOD
"""Pictures a second, of what is shown and of what is written."""

Picture = UInt8[np.ndarray, "_ _ 3"]


def watched(
  canvas: Canvas,
  sound: Float[np.ndarray, " _"],
  *,
  video: Path | None = None,
  begin: float = 0.0,
  seconds: float | None = None,
  finish: Callable[[float, Picture], Picture] | None = None,
) -> Record:
  """What is heard, and what is seen of a video meanwhile, ten times a second.

  Args:
    canvas: that pictures are scaled to, whole and undistorted; see `Canvas`.
    sound: as long as all of it.
    begin: when the video begins, in seconds.
    seconds: of it that are shown; None: as long as there is sound.
    finish: draws on a picture, given the seconds since the video began.
  """
  if video is None or canvas == (0, 0):
    return items.listening(sound)
  rows, columns = canvas
  end = len(sound) / clock.SAMPLE_RATE
  if seconds is not None:
    end = min(end, begin + seconds)
  times = [n / _RATE for n in range(int(max(end - begin, 0) * _RATE + 1e-6))]
  frames = []
  for time, shown in zip(times, media.pictures(video, times), strict=False):
    picture = finish(time, shown) if finish is not None else shown
    frames.append(media.fit(picture, rows=rows, columns=columns))
  at = (np.arange(len(frames)) * scene.PERIOD).astype(np.int64)
  return items.listening(
    sound,
    frames=np.stack(frames) if frames else NO_FRAMES,
    frame_times=at + round(begin * clock.SAMPLE_RATE),
  )


def soundtrack(path: Path) -> Float[np.ndarray, " _"]:
  """The sound of a file, at 16 kHz."""
  return np.concatenate(list(media.sound(path))).astype(np.float32)


def rate(path: Path) -> float:
  """Pictures a second of a video, as annotations by frame count them."""
  import av

  with av.open(str(path)) as container:
    return float(container.streams.video[0].average_rate or 25)


def joined(
  parts: Sequence[tuple[float, Float[np.ndarray, " _"]]], seconds: float
) -> Float[np.ndarray, " _"]:
  """Sounds, each from its time on, in so many seconds."""
  made = np.zeros(round(seconds * clock.SAMPLE_RATE), np.float32)
  for begin, sound in parts:
    first = round(begin * clock.SAMPLE_RATE)
    piece = sound[: max(len(made) - first, 0)]
    made[first : first + len(piece)] += piece
  return made


@dataclasses.dataclass(frozen=True)
class Scene:
  """A scene of simple things, for a twin.

  Attributes:
    seconds: how long it is.
    things: to be seen; their times are in samples of the scene.
    floor: which of the backgrounds.
  """

  seconds: float
  things: tuple[scene.Thing, ...]
  floor: int = 0


def write(
  path: Path,
  shown: Scene,
  *,
  sound: Float[np.ndarray, " _"] | None = None,
  size: tuple[int, int] = (120, 160),
) -> None:
  """Writes a scene as a video; the same bits each time.

  Args:
    sound: at 16 kHz; None: it has none.
    size: rows and columns, even ones.
  """
  import av

  path.parent.mkdir(parents=True, exist_ok=True)
  rows, columns = size
  floor = scene.FLOORS[shown.floor % len(scene.FLOORS)]
  with av.open(str(path), "w") as container:
    stream: Any = container.add_stream("mpeg4", rate=_RATE)
    stream.width, stream.height, stream.pix_fmt = columns, rows, "yuv420p"
    # Clear colours are what matters here, not the size of a file.
    stream.codec_context.options = {"qscale": "2", "threads": "1"}
    stream.codec_context.bit_rate = 2_000_000
    track: Any = None
    if sound is not None:
      track = container.add_stream("aac", rate=clock.SAMPLE_RATE)
      track.layout = "mono"
    for n in range(round(shown.seconds * _RATE)):
      at = n * scene.PERIOD
      picture = scene.picture(
        shown.things, at, rows=rows, columns=columns, floor=floor
      )
      frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
      frame.pts, frame.time_base = n, Fraction(1, _RATE)
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
    if track is not None and sound is not None:
      _write_sound(container, track, sound)


def _write_sound(container: Any, track: Any, sound: np.ndarray) -> None:
  import av

  step = 1024
  for first in range(0, len(sound), step):
    piece = np.zeros(step, np.float32)
    part = sound[first : first + step]
    piece[: len(part)] = part
    frame = av.AudioFrame.from_ndarray(piece[None], "fltp", "mono")
    frame.sample_rate, frame.pts = clock.SAMPLE_RATE, first
    frame.time_base = Fraction(1, clock.SAMPLE_RATE)
    container.mux(track.encode(frame))
  container.mux(track.encode())
