"""Recordings in the layout of moshi-finetune.

    talks.jsonl       {"path": "stereo/a.wav", "duration": 24.52}, a line each
    stereo/a.wav      left: the assistant; right: the user
    stereo/a.json     {"alignments": [["hello", [0.46, 0.81], "SPEAKER_MAIN"],
                      ...]}: the words of the assistant, with times in seconds

The assistant's words become what it says. Words of other speakers, where there
are any, become captions of what it hears. Where it speaks is taken from the
sound.

Reference: github.com/kyutai-labs/moshi-finetune, README.
"""

import dataclasses
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from interaction_jax.data.convert import folder, voices
from interaction_jax.data.convert.folder import Found, Refused
from interaction_jax.data.record import Record, TextOut
from interaction_jax.turns import clock

MAIN: Final = "SPEAKER_MAIN"

_SLACK_S: Final = 0.5
"""By how much the index and the file may disagree about its length."""


@dataclasses.dataclass(frozen=True)
class _Item:
  sound: Path
  duration: float | None


def convert(
  source: str | Path,
  target: str | Path,
  *,
  overwrite: bool = False,
  num_workers: int | None = None,
) -> dict[str, Any]:
  """Converts all that an index lists; returns the report of `folder.convert`.

  Args:
    source: the index, or a folder that holds one.
    num_workers: processes; None: one for each core.

  Raises:
    FileExistsError: something lies at `target`.
    FileNotFoundError: there is no index.
    ValueError: nothing of it can be converted.
  """
  index = Path(source)
  if index.is_dir():
    found = sorted(index.glob("*.jsonl"))
    if len(found) != 1:
      raise FileNotFoundError(
        f"{index} holds {len(found)} files .jsonl; one index is wanted, or "
        "its name."
      )
    index = found[0]
  return folder.convert(
    _items(index),
    read,
    target,
    family="moshi",
    source=index,
    overwrite=overwrite,
    num_workers=num_workers,
  )


def _items(index: Path) -> Iterator[tuple[str, Any]]:
  for number, line in folder.json_lines(index):
    if isinstance(line, Refused):
      yield line.name, line
    elif not isinstance(line.get("path"), str):
      name = f"{index.name}:{number}"
      yield name, Refused(name, "the line has no 'path'.")
    else:
      item = _Item(index.parent / line["path"], line.get("duration"))
      yield line["path"], item


def read(item: _Item) -> Found:
  """Reads one recording and the words beside it.

  Raises:
    FileNotFoundError: one of its files is missing.
    ValueError: one of them is damaged, or they do not belong together.
  """
  voice, heard = voices.channels(item.sound, wanted=2)
  seconds = len(voice) / clock.SAMPLE_RATE
  if item.duration is not None and abs(item.duration - seconds) > _SLACK_S:
    raise ValueError(
      f"{item.sound} lasts {seconds:.2f} s, but the index says "
      f"{item.duration:.2f} s."
    )
  words = _words(item.sound.with_suffix(".json"), len(voice))
  speech = voices.spoken(voice)
  if words and not any(speaker != MAIN for *_, speaker in words) and not speech:
    raise ValueError(
      f"{item.sound}: the left channel is silent, but has {len(words)} words; "
      "the assistant is on the left."
    )
  return Found(
    Record(
      heard=heard,
      voice=voice,
      speech=speech,
      text_out=tuple(_written(words)),
      source=item.sound.name,
    )
  )


def _words(path: Path, num: int) -> list[tuple[str, int, int, str]]:
  if not path.is_file():
    raise FileNotFoundError(f"{path} does not exist.")
  try:
    alignments = json.loads(path.read_bytes())["alignments"]
    listed = [(str(w), first, last, s) for w, (first, last), s in alignments]
  except (ValueError, KeyError, TypeError) as error:
    raise ValueError(
      f"{path} holds no alignments as [word, [from, to], speaker] "
      f"({type(error).__name__}: {error})."
    ) from error
  place = functools.partial(voices.sample, num=num)
  words = []
  for number, (word, first, last, speaker) in enumerate(listed):
    what = f"{path}: alignments[{number}]"
    begin, end = place(first, what=what), place(last, what=what)
    if end < begin:
      raise ValueError(
        f"{what} ends at {last} s, before it begins at {first} s."
      )
    if word.strip():
      words.append((word.strip(), begin, end, speaker))
  return sorted(words, key=lambda word: word[1])


def _written(words: list[tuple[str, int, int, str]]) -> list[TextOut]:
  """What is said when its sound begins; captions when theirs has ended."""
  texts = [
    TextOut(begin, "say", f" {word}")
    if speaker == MAIN
    else TextOut(end, "show", f" {word}")
    for word, begin, end, speaker in words
  ]
  return sorted(texts, key=lambda text: text.at)
