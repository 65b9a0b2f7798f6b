"""Videos with timed captions beside them.

    a.mp4             what the user's camera and microphone take
    a.srt, a.vtt      captions with times
    a.json            or [{"start": 1.0, "end": 2.5, "text": "a dog runs"}], or
                      the same list under "segments"

Captions become what the assistant shows on the screen. One that describes what
happens is known when it is over, so its end is when it is there to be read.
Pictures are kept ten a second, in a canvas of 240 x 320 at most.
"""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from interaction_jax.data import media
from interaction_jax.data.convert import folder, voices
from interaction_jax.data.convert.folder import Found, Refused
from interaction_jax.data.record import Record, TextOut
from interaction_jax.turns import clock

PERIOD: Final = clock.SAMPLES // 2
"""Samples from one picture to the next: 100 ms."""

_MOST: Final = (240, 320)

_ROOM: Final = 2 << 30
"""Bytes that the pictures of a conversation may take in memory."""

_TIME: Final = re.compile(
  r"(?:(\d+):)?(\d{1,2}):(\d{1,2}[.,]\d{1,3})\s*-->\s*"
  r"(?:(\d+):)?(\d{1,2}):(\d{1,2}[.,]\d{1,3})"
)
_TAG: Final = re.compile(r"<[^>]*>|\{\\[^}]*\}")


@dataclasses.dataclass(frozen=True)
class _Caption:
  start: Any
  end: Any
  text: str


def convert(
  source: str | Path,
  target: str | Path,
  *,
  overwrite: bool = False,
  num_workers: int | None = None,
) -> dict[str, Any]:
  """Converts every video of a folder; returns the report of `folder.convert`.

  Args:
    source: the folder; those in it are looked through too.
    num_workers: processes; None: one for each core.

  Raises:
    FileExistsError: something lies at `target`.
    FileNotFoundError: there is no such folder.
    ValueError: nothing of it can be converted.
    ModuleNotFoundError: PyAV is not installed.
  """
  base = Path(source)
  if not base.is_dir():
    raise FileNotFoundError(f"{base} is no folder.")
  return folder.convert(
    list(_items(base)),
    read,
    target,
    family="captioned",
    source=base,
    overwrite=overwrite,
    num_workers=num_workers,
  )


def _items(base: Path) -> Iterator[tuple[str, Any]]:
  files = sorted(file for file in base.rglob("*") if file.is_file())
  videos = [file for file in files if file.suffix.lower() in media.CONTAINERS]
  stems = {file.with_suffix("") for file in videos}
  for file in videos:
    yield file.relative_to(base).as_posix(), file
  for file in files:
    if file.suffix in _READERS and file.with_suffix("") not in stems:
      name = file.relative_to(base).as_posix()
      yield name, Refused(name, "there is no video of that name.")


def read(video: Path) -> Found:
  """Reads one video and the captions beside it.

  Raises:
    FileNotFoundError: there are no captions.
    ValueError: the video or the captions cannot be read, or do not belong
      together.
  """
  captions = _captions(video)
  promised = media.promised_s(video)
  voices.not_too_long(video, promised or 0.0)
  notes: dict[str, int] = {}
  try:
    heard = np.concatenate(list(media.sound(video)))
  except ValueError as error:
    if "no sound track" not in str(error):
      raise
    heard, notes = None, {"videos without a sound track": 1}
  frames = _frames(video)
  num = len(frames) * PERIOD
  if heard is None:
    heard = np.zeros(num, np.float32)
  seconds = max(num, len(heard)) / clock.SAMPLE_RATE
  voices.not_too_long(video, seconds)
  voices.whole(video, seconds, promised=promised)
  num = len(heard)
  texts = []
  for place, caption in enumerate(captions):
    what = f"{video}: caption {place + 1}"
    begin = voices.sample(caption.start, what=what, num=num)
    end = voices.sample(caption.end, what=what, num=num)
    if end < begin:
      raise ValueError(
        f"{what} ends at {caption.end} s, before it begins at "
        f"{caption.start} s."
      )
    texts.append(TextOut(end, "show", f" {caption.text}"))
  if not texts:
    raise ValueError(f"{video} has no captions with a text.")
  # A track of pictures may last a little longer than that of sound.
  times = np.arange(len(frames), dtype=np.int64) * PERIOD
  kept = times < num
  return Found(
    Record(
      heard=heard,
      voice=np.zeros(num, np.float32),
      frames=frames[kept],
      frame_times=times[kept],
      text_out=tuple(sorted(texts, key=lambda text: text.at)),
      source=video.name,
    ),
    notes,
  )


def _frames(video: Path) -> np.ndarray:
  """Ten pictures a second, none larger than the canvas."""

  def times() -> Iterator[float]:
    at = 0
    while at < voices.LONGEST_S * clock.SAMPLE_RATE:
      yield at / clock.SAMPLE_RATE
      at += PERIOD

  small = []
  for picture in media.pictures(video, times()):
    rows, columns = picture.shape[:2]
    scale = min(1.0, _MOST[0] / rows, _MOST[1] / columns)
    size = max(1, round(rows * scale)), max(1, round(columns * scale))
    small.append(media.fit(picture, rows=size[0], columns=size[1]))
    if len(small) * small[0].nbytes > _ROOM:
      raise ValueError(
        f"{video} is too long: {len(small) / 10:.0f} s of pictures take "
        f"{_ROOM >> 30} GiB; cut it into shorter ones."
      )
  if not small:
    raise ValueError(f"{video} has no pictures.")
  return np.stack(small)


def _captions(video: Path) -> list[_Caption]:
  for suffix, parse in _READERS.items():
    path = video.with_suffix(suffix)
    if path.is_file():
      try:
        found = parse(path.read_text(encoding="utf-8-sig"))
      except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
          f"{path} cannot be read as captions ({error})."
        ) from error
      return [caption for caption in found if caption.text]
  raise FileNotFoundError(
    f"{video} has no captions: there is no {', '.join(_READERS)} of its name."
  )


def _timed(text: str) -> list[_Caption]:
  """Captions of SubRip and of WebVTT: times, then lines up to an empty one."""
  found = []
  for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
    lines = block.strip().splitlines()
    for place, line in enumerate(lines):
      times = _TIME.match(line.strip())
      if times:
        words = " ".join(_TAG.sub("", one) for one in lines[place + 1 :])
        begin, end = _seconds(times.groups()[:3]), _seconds(times.groups()[3:])
        found.append(_Caption(begin, end, " ".join(words.split())))
        break
  if not found:
    raise ValueError(
      "there is no line of times, such as 00:01.000 --> 00:02.500"
    )
  return found


def _seconds(parts: tuple[str | None, ...]) -> float:
  hours, minutes, seconds = parts
  rest = float((seconds or "0").replace(",", "."))
  return int(hours or 0) * 3600 + int(minutes or 0) * 60 + rest


def _listed(text: str) -> list[_Caption]:
  """Captions in JSON."""
  plain = json.loads(text)
  if isinstance(plain, dict):
    plain = plain["segments"]
  return [
    _Caption(one["start"], one["end"], " ".join(str(one["text"]).split()))
    for one in plain
  ]


_READERS: Final = {".srt": _timed, ".vtt": _timed, ".json": _listed}
