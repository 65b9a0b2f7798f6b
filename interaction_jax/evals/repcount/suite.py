"""RepCount-A: a video of exercise, counted aloud as it is shown.

    annotation/test.csv     type, name, count, L1, L2, ...: the first and the
                            last frame of each repetition
    video/test/NAME         what `name` says

Reference: Hu et al. 2022, arXiv:2204.01018.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from interaction_jax.data.record import Record
from interaction_jax.data.synthetic import scene, world
from interaction_jax.data.synthetic.scene import Thing
from interaction_jax.evals import clip, protocol, table
from interaction_jax.evals.clip import Scene
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.item import Act, Canvas, Item
from interaction_jax.evals.harness.judge import Judge
from interaction_jax.evals.harness.narrator import Spoken
from interaction_jax.evals.harness.suite import (
  Reply,
  Row,
  Score,
  Suite,
  write_json,
)
from interaction_jax.evals.protocol import Protocol
from interaction_jax.evals.repcount import score as counts
from interaction_jax.turns import clock

USUAL: Final = Protocol("Please count out reps for {action}.")
"""The words are published; the silence after them is that of the same
authors' other video benchmark."""

_PART: Final = "test"
_ANNOTATION: Final = f"annotation/{_PART}.csv"
_VIDEOS: Final = f"video/{_PART}"
_DELAY: Final = 0.2
"""Seconds in which an oracle counts."""


def load(inventory: Inventory) -> list[Item]:
  """An item a video."""
  rows = table.read(inventory, _ANNOTATION, wanted=("type", "name", "count"))
  inventory.extra(_VIDEOS, [row["name"] for row in rows])
  plan = protocol.read(inventory, USUAL)
  usable = []
  for row in rows:
    name = row["name"]
    seconds = inventory.video(f"{_VIDEOS}/{name}")
    wanted = table.number(row["count"])
    if wanted is None:
      inventory.note(_ANNOTATION, f"{name} has count={row['count']!r}")
    if seconds is None or wanted is None:
      inventory.leave_out(name)
      continue
    usable.append((row, seconds, int(wanted)))
  prompts = protocol.spoken(
    {
      row["name"]: plan.says(action=row["type"].replace("_", " "))
      for row, _, _ in usable
    }
  )
  return [
    _item(inventory, row, seconds, wanted, plan, prompts[row["name"]])
    for row, seconds, wanted in usable
  ]


def cycles(row: Mapping[str, Any], rate: float) -> list[tuple[float, float]]:
  """From when to when each repetition of a row goes, in seconds.

  Args:
    rate: pictures a second.
  """
  frames = []
  number = 1
  while f"L{number}" in row:
    frame = table.number(row[f"L{number}"])
    if frame is not None:
      frames.append(frame / rate)
    number += 1
  return [
    (first, last)
    for first, last in zip(frames[::2], frames[1::2], strict=False)
    if last > first
  ]


def _item(
  inventory: Inventory,
  row: Mapping[str, Any],
  seconds: float,
  wanted: int,
  plan: Protocol,
  prompt: Spoken,
) -> Item:
  video = inventory.root / _VIDEOS / row["name"]
  begin = plan.begin(prompt)
  times = [
    (begin + first, begin + last)
    for first, last in cycles(row, clip.rate(video))
  ]
  length = begin + seconds + plan.reply
  ends = [last for _, last in times] or [begin]
  said = [(at, n) for n, at in enumerate(ends, 1)][-wanted:] if wanted else []
  if said:
    said[-1] = (said[-1][0], wanted)
  return Item(
    name=row["name"],
    part=_PART,
    seconds=length,
    open=partial(
      _open, prompt=prompt, video=video, begin=begin, seconds=length
    ),
    wanted=tuple(Act(at + _DELAY, str(n)) for at, n in said),
    truth={"cycles": times, "count": wanted, "action": row["type"]},
  )


def _open(
  canvas: Canvas, *, prompt: Spoken, video: Path, begin: float, seconds: float
) -> Record:
  sound = clip.joined([(0.0, prompt.sound)], seconds)
  return clip.watched(canvas, sound, video=video, begin=begin)


def generate(folder: Path, num: int, seed: int) -> None:
  """Things that jump three to eight times, each at its own pace."""
  rows = []
  for place in range(num):
    rng = np.random.default_rng((seed, place))
    at, jumps = int(rng.uniform(0.6, 1.5) * clock.SAMPLE_RATE), []
    for _ in range(int(rng.integers(3, 9))):
      # On a picture, so that the annotation is exact.
      at = round(at / scene.PERIOD) * scene.PERIOD
      jumps.append(at)
      at += scene.JUMP + int(rng.uniform(0.8, 1.6) * clock.SAMPLE_RATE)
    thing = Thing(
      str(rng.choice((*world.SHAPES, "person"))),
      str(rng.choice(list(scene.COLOURS))),
      0,
      at + clock.SAMPLE_RATE,
      across=float(rng.uniform(0.25, 0.75)),
      jumps=tuple(jumps),
    )
    shown = Scene(at / clock.SAMPLE_RATE, (thing,), int(rng.integers(3)))
    name = f"scene_{place}.mp4"
    clip.write(folder / _VIDEOS / name, shown)
    frames = [n // scene.PERIOD for j in jumps for n in (j, j + scene.JUMP)]
    rows.append(["jumps", name, len(jumps), *frames])
  _write_rows(folder / _ANNOTATION, rows)
  write_json(
    folder / protocol.NAME, {"prompt": "count the {action}", "reply": 2.0}
  )


def _write_rows(path: Path, rows: Sequence[Sequence[Any]]) -> None:
  """As published: columns for the longest row, the rest of others empty."""
  width = max(len(row) for row in rows) - 3
  head = ["type", "name", "count", *(f"L{n}" for n in range(1, width + 1))]
  lines = [head] + [[*row, *[""] * (width + 3 - len(row))] for row in rows]
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text("".join(",".join(map(str, line)) + "\n" for line in lines))


def score(
  items: Sequence[Item], replies: Mapping[str, Reply], judge: Judge
) -> list[Score]:
  """What each count is worth."""
  del judge
  scores = []
  for item in items:
    truth = item.truth
    made = counts.count(
      replies[item.key].words, truth["cycles"], wanted=truth["count"]
    )
    details = {"told": made.told, "wanted": made.wanted}
    for row, value in (
      ("within_one", float(made.off_by_one)),
      ("exact", float(made.exact)),
      ("relative_error", made.relative_error),
      ("error", made.error),
    ):
      scores.append(
        Score(row, item.key, value, details=details | {"of": truth["action"]})
      )
  return scores


SUITE: Final = Suite(
  name="repcount",
  about="the number of repetitions in a video, said aloud as it is shown",
  source="Hu et al. 2022, arXiv:2204.01018; spoken protocol and numbers of "
  "Thinking Machines Lab 2026, doi:10.64434/tml.20260511",
  parts=(_PART,),
  asks="voice",
  rows=(
    Row(
      "within_one",
      "the last number said after the last repetition but one is within one",
      published={"TML-Interaction-Small": 0.354, "GPT-realtime-2.0 min": 0.013},
    ),
    Row("exact", "that number is right"),
    Row(
      "relative_error",
      "|told - wanted| / (wanted + 0.1), which the field calls MAE",
      better="less",
      unit="number",
    ),
    Row("error", "|told - wanted|", better="less", unit="number"),
  ),
  load=load,
  generate=generate,
  score=score,
  protocol="the prompt is spoken; 2 s later the video begins, without sound; "
  "a reply may go on for a while after its end",
)
