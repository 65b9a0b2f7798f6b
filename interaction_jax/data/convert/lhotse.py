"""Stereo recordings with manifests as Lhotse writes them.

    recordings.jsonl[.gz]     {"id": "a", "sources": [{"type": "file",
                              "channels": [0, 1], "source": "a.wav"}],
                              "sampling_rate": 16000, "num_samples": 320000}
    supervisions.jsonl[.gz]   {"recording_id": "a", "start": 0.4,
                              "duration": 2.1, "channel": 1, "text": "hello",
                              "alignment": {"word": [["hello", 0.4, 0.3]]}}

Channel 0 is the user, channel 1 the assistant, as in the `stereo.wav` of a
session. What the assistant says is text to be said; what the user says becomes
captions. Words without an alignment share the time of their segment by their
letters, and are counted in the report.

Reference: lhotse.readthedocs.io, "Representing a corpus".
"""

import collections
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from interaction_jax.data.convert import folder, voices
from interaction_jax.data.convert.folder import Found, Refused
from interaction_jax.data.record import Record, TextOut

USER: Final = 0
ASSISTANT: Final = 1


@dataclasses.dataclass(frozen=True)
class _Item:
  recording: dict[str, Any]
  supervisions: tuple[dict[str, Any], ...]
  base: Path


def convert(
  source: str | Path,
  target: str | Path,
  *,
  overwrite: bool = False,
  num_workers: int | None = None,
) -> dict[str, Any]:
  """Converts a folder with manifests; returns the report of `folder.convert`.

  Args:
    source: the folder; names of sounds are relative to it.
    num_workers: processes; None: one for each core.

  Raises:
    FileExistsError: something lies at `target`.
    FileNotFoundError: a manifest is missing.
    ValueError: nothing of it can be converted.
  """
  base = Path(source)
  return folder.convert(
    list(_items(base)),
    read,
    target,
    family="lhotse",
    source=base,
    overwrite=overwrite,
    num_workers=num_workers,
  )


def _manifest(base: Path, name: str) -> Path:
  for path in (base / f"{name}.jsonl", base / f"{name}.jsonl.gz"):
    if path.is_file():
      return path
  raise FileNotFoundError(f"{base} has no {name}.jsonl, nor {name}.jsonl.gz.")


def _items(base: Path) -> Iterator[tuple[str, Any]]:
  recordings = list(folder.json_lines(_manifest(base, "recordings")))
  texts: dict[Any, list[dict[str, Any]]] = collections.defaultdict(list)
  for _, line in folder.json_lines(_manifest(base, "supervisions")):
    if isinstance(line, Refused):
      yield line.name, line
    else:
      texts[line.get("recording_id")].append(line)
  for number, line in recordings:
    name = f"recordings:{number}"
    if isinstance(line, Refused):
      yield line.name, line
    elif "id" not in line:
      yield name, Refused(name, "the line has no 'id'.")
    else:
      yield str(line["id"]), _Item(line, tuple(texts.pop(line["id"], ())), base)
  for name, lines in texts.items():
    reason = f"{len(lines)} supervisions are of a recording that is not listed."
    yield str(name), Refused(str(name), reason)


def read(item: _Item) -> Found:
  """Reads one recording and what is said in it.

  Raises:
    FileNotFoundError: its sound is missing.
    ValueError: it is damaged, has no text, or they do not belong together.
  """
  import soundfile

  path = _sound(item)
  heard, voice = voices.channels(path, wanted=2)
  about = soundfile.info(path)
  for name, there in (
    ("sampling_rate", about.samplerate),
    ("num_samples", about.frames),
  ):
    said = item.recording.get(name, there)
    if said != there:
      raise ValueError(
        f"{path} has {name}={there}, but the manifest says {said}."
      )
  notes: collections.Counter[str] = collections.Counter()
  texts = []
  for line in item.supervisions:
    texts += _texts(line, path, len(heard), notes)
  if not texts:
    raise ValueError(f"{path} has no supervision with a text.")
  return Found(
    Record(
      heard=heard,
      voice=voice,
      speech=voices.spoken(voice),
      text_out=tuple(sorted(texts, key=lambda text: text.at)),
      source=str(item.recording["id"]),
    ),
    notes,
  )


def _sound(item: _Item) -> Path:
  try:
    (source,) = item.recording["sources"]
    kind, name = source.get("type", "file"), source["source"]
  except (KeyError, TypeError, ValueError) as error:
    raise ValueError(
      f"recording {item.recording['id']}: 'sources' lists not one file."
    ) from error
  if kind != "file":
    raise ValueError(
      f"recording {item.recording['id']}: sources of type {kind!r} cannot be "
      "read; 'file' can."
    )
  return item.base / name


def _texts(
  line: dict[str, Any],
  path: Path,
  num: int,
  notes: collections.Counter[str],
) -> list[TextOut]:
  """What one supervision says, word by word."""
  what = f"{path}: supervision {line.get('id', '')}".rstrip()
  channel = line.get("channel", 0)
  if isinstance(channel, list) and len(channel) == 1:
    channel = channel[0]
  if channel not in (USER, ASSISTANT):
    raise ValueError(f"{what} is of channel {channel!r}; 0 and 1 are known.")
  place = functools.partial(voices.sample, num=num, what=what)
  words = []
  aligned = (line.get("alignment") or {}).get("word")
  if aligned:
    for word, start, duration, *_ in aligned:
      words.append((word, place(start), place(start + duration)))
  elif (line.get("text") or "").strip():
    begin = place(line.get("start"))
    end = place(line.get("start", 0) + line.get("duration", 0))
    if end <= begin:
      raise ValueError(f"{what} lasts {line.get('duration')!r} s.")
    words = voices.spread(line["text"].split(), begin, end)
    notes["words without times of their own"] += len(words)
  return [
    TextOut(begin, "say", f" {word}")
    if channel == ASSISTANT
    else TextOut(end, "show", f" {word}")
    for word, begin, end in words
  ]
