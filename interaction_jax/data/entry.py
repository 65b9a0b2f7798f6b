"""One recorded conversation as bytes: an entry of `data/records.py`.

What an entry is made of is said there.
"""

import dataclasses
import io
import json
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from jaxtyping import Float, UInt8

from interaction_jax.data import record as recording
from interaction_jax.data.record import Record, TextIn, TextOut
from interaction_jax.turns import clock

_DATE: Final = (1980, 1, 1, 0, 0, 0)

_SCALE: Final = 1 << 15
"""What full scale is in 16 bits."""


def encode(record: Record) -> bytes:
  """A conversation as the bytes of an entry. Sound is rounded to 16 bits.

  The same record gives the same bytes.

  Raises:
    ValueError: it is no proper record; see `record.check`.
  """
  recording.check(record)
  frames = [zlib.compress(frame.tobytes()) for frame in record.frames]
  fields = {
    "num_samples": len(record.heard),
    "speech": record.speech,
    "lost": record.lost,
    "frames": {
      "rows": record.frames.shape[1],
      "columns": record.frames.shape[2],
      "times": record.frame_times.tolist(),
      "bytes": [len(frame) for frame in frames],
    },
    "lost_frames": record.lost_frames,
    "text_in": [dataclasses.asdict(text) for text in record.text_in],
    "text_out": [dataclasses.asdict(text) for text in record.text_out],
    "background": record.background,
    "labels": record.labels,
    "source": record.source,
  }
  text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
  members = {
    "record.json": text.encode(),
    "heard.flac": _flac(record.heard),
    "voice.flac": _flac(record.voice),
  }
  if frames:
    members["frames.z"] = b"".join(frames)
  entry = io.BytesIO()
  with zipfile.ZipFile(entry, "w") as archive:
    for name, content in members.items():
      info = zipfile.ZipInfo(name, _DATE)
      # Bytes must not depend on the system that writes them.
      info.create_system = 3
      archive.writestr(info, content)
  return entry.getvalue()


class Entry:
  """A conversation on disk; sound and pictures are decoded on demand.

  Attributes:
    fields: what `record.json` holds.

  Raises:
    ValueError: it is damaged, or no entry.
  """

  def __init__(self, content: bytes):
    try:
      self._archive = zipfile.ZipFile(io.BytesIO(content))
      self.fields: dict[str, Any] = json.loads(self._read("record.json"))
      self._outline = self._without_media()
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
      raise ValueError(f"the entry cannot be read: {error}.") from error

  @property
  def num_turns(self) -> int:
    """Turns that cover it, the last one perhaps in part."""
    return self._outline.num_turns

  def outline(self) -> Record:
    """The whole of it without pictures, with silence for all sound.

    It takes neither time nor memory, however long it is.
    """
    return self._outline

  def record(self, first: int = 0, num_turns: int | None = None) -> Record:
    """The conversation, or some turns of it; see `record.cut`.

    Args:
      first: the first of them.
      num_turns: None: all that follow.

    Raises:
      ValueError: it is damaged.
    """
    last = self.num_turns if num_turns is None else first + num_turns
    begin = first * clock.SAMPLES
    end = min(last * clock.SAMPLES, self.fields["num_samples"])
    try:
      heard = self._sound("heard.flac", begin, end)
      voice = self._sound("voice.flac", begin, end)
      frames, times = self._pictures(begin, end)
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError) as error:
      raise ValueError(f"the entry cannot be read: {error}.") from error
    if first:
      voice[: clock.SAMPLES] = 0
    return dataclasses.replace(
      recording.cut(self._outline, first, last - first),
      heard=heard,
      voice=voice,
      frames=frames,
      frame_times=times,
    )

  def _read(self, name: str) -> bytes:
    return self._archive.read(name)

  def _without_media(self) -> Record:
    fields = self.fields
    still = np.broadcast_to(np.float32(0), (int(fields["num_samples"]),))
    return Record(
      heard=still,
      voice=still,
      speech=_pairs(fields["speech"]),
      text_in=tuple(
        TextIn(int(text["at"]), text["speaker"], text["text"])
        for text in fields["text_in"]
      ),
      text_out=tuple(
        TextOut(int(text["at"]), text["channel"], text["text"])
        for text in fields["text_out"]
      ),
      background=tuple(fields["background"]),
      labels=tuple(fields["labels"]),
      lost=_pairs(fields["lost"]),
      lost_frames=tuple(fields["lost_frames"]),
      source=fields["source"],
    )

  def _sound(self, name: str, begin: int, end: int) -> np.ndarray:
    import soundfile

    try:
      with soundfile.SoundFile(io.BytesIO(self._read(name))) as file:
        if file.samplerate != clock.SAMPLE_RATE or file.channels != 1:
          raise ValueError(
            f"{name} has {file.channels} channels at {file.samplerate} Hz; "
            f"one at {clock.SAMPLE_RATE} Hz is wanted"
          )
        if len(file) != self.fields["num_samples"]:
          raise ValueError(
            f"{name} has {len(file)} samples, but "
            f"num_samples={self.fields['num_samples']}"
          )
        file.seek(begin)
        samples = file.read(end - begin, dtype="int16")
    except soundfile.SoundFileRuntimeError as error:
      raise ValueError(f"{name} is damaged ({error})") from error
    return samples.astype(np.float32) / _SCALE

  def _pictures(
    self, begin: int, end: int
  ) -> tuple[UInt8[np.ndarray, "_ _ _ 3"], np.ndarray]:
    about = self.fields["frames"]
    times = np.asarray(about["times"], np.int64)
    chosen = np.flatnonzero((begin <= times) & (times < end))
    shape = (len(chosen), about["rows"], about["columns"], 3)
    frames = np.zeros(shape, np.uint8)
    if len(chosen):
      content = self._read("frames.z")
      ends = np.cumsum(about["bytes"]).tolist()
      for place, which in enumerate(chosen.tolist()):
        piece = content[ends[which] - about["bytes"][which] : ends[which]]
        pixels = np.frombuffer(zlib.decompress(piece), np.uint8)
        frames[place] = pixels.reshape(shape[1:])
    return frames, times[chosen] - begin


def _pairs(spans: Iterable[Iterable[int]]) -> tuple[tuple[int, int], ...]:
  return tuple((first, last) for first, last in spans)


def _flac(samples: Float[np.ndarray, " W"]) -> bytes:
  import soundfile

  rounded = np.clip(np.rint(samples * _SCALE), -_SCALE, _SCALE - 1)
  content = io.BytesIO()
  soundfile.write(
    content,
    rounded.astype(np.int16),
    clock.SAMPLE_RATE,
    subtype="PCM_16",
    format="FLAC",
  )
  return content.getvalue()
