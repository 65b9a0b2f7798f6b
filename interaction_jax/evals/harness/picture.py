"""Pictures of the items a system did worst with, each with both voices.

worst/PART/ITEM/stereo.wav     the other side on the left, it on the right
worst/PART/ITEM/timeline.png   as `talk` draws it
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from interaction_jax.data import media
from interaction_jax.data.record import Record
from interaction_jax.evals import timeline
from interaction_jax.evals.harness import output
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.output import Output
from interaction_jax.evals.harness.suite import Row, Score
from interaction_jax.serve.events import Event
from interaction_jax.turns import clock


def draw(
  folder: Path,
  rows: Sequence[Row],
  scores: Sequence[Score],
  items: Mapping[str, Item],
  outputs: Path,
  *,
  keep: int,
  name: str,
) -> None:
  """Draws the worst items of each part.

  Args:
    keep: of each part; -1: all.
    name: of the system.
  """
  shutil.rmtree(folder, ignore_errors=True)
  for part, keys in worst(rows, scores, items).items():
    for key in keys if keep < 0 else keys[:keep]:
      item = items[key]
      place = folder / part / key.replace("/", "_")
      made = output.read(outputs / item.name, item.take)
      other = outputs / item.name / f"{item.take}input.wav"
      _files(place, item, made, other, name)


def worst(
  rows: Sequence[Row], scores: Sequence[Score], items: Mapping[str, Item]
) -> dict[str, list[str]]:
  """Keys of the items of each part, the worst first.

  What counts is the first row of the report that says which way is better and
  that an item of the part has a value in; an item without one comes first.
  """
  ordered: dict[str, list[str]] = {}
  for part in dict.fromkeys(item.part for item in items.values()):
    keys = [key for key, item in items.items() if item.part == part]
    for row in rows:
      mine = [one for one in scores if one.row == row.name and one.item in keys]
      if row.better is None or all(one.value is None for one in mine):
        continue
      sign = 1 if row.better == "more" else -1
      worth = {
        one.item: float("-inf") if one.value is None else sign * one.value
        for one in mine
      }
      ordered[part] = sorted(worth, key=lambda key: worth[key])
      break
  return ordered


def _files(
  place: Path, item: Item, made: Output, other: Path, name: str
) -> None:
  place.mkdir(parents=True)
  record = item.open((1, 1))
  heard = record.heard
  if other.is_file():
    heard = np.concatenate(list(media.sound(other)))
  num = min(len(heard), len(made.voice))
  pair = np.stack([heard[:num], made.voice[:num]], axis=1)
  soundfile.write(place / "stereo.wav", pair, clock.SAMPLE_RATE)
  told = [
    Event(text.at / clock.SAMPLE_RATE, text.at // clock.SAMPLES, "user_text",
          {"text": text.text})
    for text in record.text_in
  ]  # fmt: skip
  events = sorted([*told, *made.events], key=lambda event: event.t)
  lines = [f"{event.to_json()}\n" for event in events]
  (place / "events.jsonl").write_text("".join(lines), encoding="utf-8")
  session = _session(item, record, made, num, name)
  (place / "session.json").write_text(json.dumps(session))
  timeline.draw(place)


def _session(
  item: Item, record: Record, made: Output, num_samples: int, name: str
) -> dict[str, Any]:
  """What a picture needs to know; where there is a voice a gate was open."""
  num = max(clock.num_turns(num_samples), 1)
  loud = np.zeros(num * clock.SAMPLES, bool)
  loud[:num_samples] = made.voice[:num_samples] != 0
  audible = np.any(loud.reshape(num, clock.SAMPLES), axis=1)
  sounding = np.r_[audible[1:], False]
  seen = record.frame_times // clock.SAMPLES
  times = [*made.turn_ms[:num], *[0.0] * (num - len(made.turn_ms))]
  return {
    "input": {"name": item.key, "seconds": num_samples / clock.SAMPLE_RATE},
    "checkpoint": {"name": name},
    "sampling": {"speak_bias": 0.0},
    "turns": {
      "gate": np.where(sounding, 8.0, -8.0).tolist(),
      "saw": [bool((seen == turn).any()) for turn in range(num)],
      "compute_ms": times,
    },
  }
