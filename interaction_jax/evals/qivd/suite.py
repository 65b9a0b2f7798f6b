"""QIVD: clips in which somebody acts and asks; the answer is graded.

    metadata.parquet    video_file_name, a question, a long and a short answer,
                        a category, and when the question is over
    videos/NAME         or NAME beside the table

Of the columns only `video_file_name` is documented where anybody can read it;
the others are looked for under several names, and what is there is named where
none fits.

Reference: Pourreza et al. 2025, arXiv:2503.19356.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from interaction_jax.data.record import Record
from interaction_jax.data.synthetic import scene, world
from interaction_jax.data.synthetic.scene import Thing
from interaction_jax.evals import clip, protocol, table, utterance
from interaction_jax.evals.clip import Scene
from interaction_jax.evals.harness import judge as judges
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.item import Act, Canvas, Item
from interaction_jax.evals.harness.judge import Judge, Question
from interaction_jax.evals.harness.suite import (
  Reply,
  Row,
  Score,
  Suite,
  write_json,
)
from interaction_jax.evals.protocol import Protocol
from interaction_jax.turns import clock

USUAL: Final = Protocol(reply=6.0)

_FILE: Final = "metadata.parquet"
_PART: Final = "clips"
_OFFICIAL: Final = 2900
_VIDEO: Final = "video_file_name"

_COLUMNS: Final = {
  "question": ("question", "transcribed_question", "question_text"),
  "answer": ("answer", "long_answer", "full_answer", "answer_text"),
  "short": ("short_answer", "answer_short", "short"),
  "category": ("category", "question_category", "type"),
  "asked": (
    "timestamp", "answer_timestamp", "question_end", "question_timestamp",
  ),
}  # fmt: skip


def load(inventory: Inventory) -> list[Item]:
  """An item a clip."""
  plan = protocol.read(inventory, USUAL)
  rows = table.read(inventory, _FILE, wanted=(_VIDEO,))
  columns = _columns(inventory, rows)
  if rows and not (inventory.root / protocol.NAME).is_file():
    inventory.count(_FILE, len(rows), _OFFICIAL)
  found = []
  for row in rows if columns else ():
    name = str(row[_VIDEO])
    place = "videos/" if (inventory.root / "videos").is_dir() else ""
    seconds = inventory.video(f"{place}{name}")
    truth = {key: row.get(column) for key, column in columns.items()}
    if seconds is None or not (truth.get("short") or truth.get("answer")):
      if seconds is not None:
        inventory.note(_FILE, f"{name} has no answer")
      inventory.leave_out(name)
      continue
    path = inventory.root / f"{place}{name}"
    found.append(_item(name, path, seconds, truth, plan))
  return found


def _columns(inventory: Inventory, rows: Sequence[table.Row]) -> dict[str, str]:
  """Which column holds what; empty where one that has to be there is not."""
  if not rows:
    return {}
  found = {
    key: next(name for name in names if name in rows[0])
    for key, names in _COLUMNS.items()
    if any(name in rows[0] for name in names)
  }
  wanted = {"question"} - set(found)
  if not {"answer", "short"} & set(found):
    wanted.add("answer")
  for key in sorted(wanted):
    inventory.note(
      _FILE,
      f"has no column for the {key} ({', '.join(_COLUMNS[key])}); it has "
      f"{', '.join(rows[0])}",
    )
  return {} if wanted else found


def _item(
  name: str, path: Path, seconds: float, row: Mapping[str, Any], plan: Protocol
) -> Item:
  length = seconds + plan.reply
  asked = table.number(row.get("asked"))
  answered = str(row.get("short") or row.get("answer"))
  at = (seconds if asked is None else asked) + 0.4
  return Item(
    name=name,
    part=_PART,
    seconds=length,
    open=partial(_open, video=path, seconds=length),
    wanted=(Act(at, answered),),
    truth=dict(row) | {"asked": asked, "short": answered},
  )


def _open(canvas: Canvas, *, video: Path, seconds: float) -> Record:
  sound = clip.joined([(0.0, clip.soundtrack(video))], seconds)
  return clip.watched(canvas, sound, video=video)


def generate(folder: Path, num: int, seed: int) -> None:
  """Rooms with somebody in them, with a thing, or with nothing."""
  names = [f"{place:08d}.mp4" for place in range(num)]
  spoken = protocol.spoken(dict.fromkeys(names, "is anyone there"))
  rows = []
  for place, name in enumerate(names):
    rng = np.random.default_rng((seed, place))
    asked = float(rng.uniform(0.6, 2.0))
    end = asked + spoken[name].seconds
    length = np.ceil((end + 0.4) * 10) / 10
    # Both answers come up, however few items there are.
    there = bool((place + seed) % 2)
    shape = "person" if there else str(rng.choice(world.SHAPES))
    things = ()
    if there or rng.random() < 0.5:
      last = int((length + 1) * clock.SAMPLE_RATE)
      colour = str(rng.choice(list(scene.COLOURS)))
      across = float(rng.uniform(0.25, 0.75))
      things = (Thing(shape, colour, 0, last, across=across, size=0.5),)
    shown = Scene(float(length), things, int(rng.integers(3)))
    sound = clip.joined([(asked, spoken[name].sound)], shown.seconds)
    clip.write(folder / "videos" / name, shown, sound=sound)
    rows.append(
      {
        _VIDEO: name,
        "question": "is anyone there",
        "answer": "yes, somebody is" if there else "no, nobody is",
        "short_answer": "yes" if there else "no",
        "category": "presence",
        "timestamp": round(end, 3),
      }
    )
  table.write(folder / _FILE, rows)
  write_json(folder / protocol.NAME, {"reply": 3.0})


def score(
  items: Sequence[Item], replies: Mapping[str, Reply], judge: Judge
) -> list[Score]:
  """Whether each answer is right, and how soon it comes."""
  scores = []
  for item in items:
    reply, truth = replies[item.key], item.truth
    value = judge.ask(_question(truth, reply.text)).value
    details = {
      "reply": reply.text,
      "answer": truth["short"],
      "category": truth.get("category"),
    }
    right = None if value is None else float(value)
    scores.append(Score("accuracy", item.key, right, details=details))
    if truth["asked"] is not None:
      late = [
        word.start - truth["asked"]
        for word in reply.words
        if word.start >= truth["asked"]
      ]
      scores.append(Score("latency", item.key, late[0] if late else None))
  return scores


def _question(truth: Mapping[str, Any], text: str) -> Question:
  answers = dict.fromkeys(
    str(truth[key]) for key in ("answer", "short") if truth.get(key)
  )
  return Question(
    "accuracy",
    "Somebody acted before a camera, asked a question about it, and an "
    "assistant that saw and heard it spoke. Its words were written down by a "
    f"recogniser.\n\n[Question]\n{truth.get('question', '')}\n\n"
    f"[Right answer]\n{' / '.join(answers)}\n\n[Transcript]\n{text}\n\n"
    "Does the transcript give the right answer, and no other one? Answer with "
    "yes or no only.",
    lambda: "yes" if _matches(str(truth["short"]), text) else "no",
    judges.yes,
  )


def _matches(wanted: str, text: str) -> bool:
  """Whether all words of the short answer are there, and no opposite."""
  made = set(utterance.plain(text))
  opposite = {"yes": "no", "no": "yes"}.get(wanted.strip().lower().strip("."))
  if opposite is not None and opposite in made:
    return False
  return bool(made) and utterance.share(wanted, text) == 1


SUITE: Final = Suite(
  name="qivd",
  about="questions about what somebody does before a camera",
  source="Pourreza et al. 2025, arXiv:2503.19356; protocol and numbers of "
  "Thinking Machines Lab 2026, doi:10.64434/tml.20260511, whose judge's words "
  "are not known",
  parts=(_PART,),
  asks="voice",
  rows=(
    Row(
      "accuracy",
      "answers that the judge takes for right",
      published={
        "TML-Interaction-Small": 0.540,
        "GPT-realtime-2.0 min": 0.575,
        "GPT-realtime-1.5": 0.412,
        "Gemini-3.1-flash-live min": 0.547,
        "Qwen3.5-Omni-plus-rt": 0.590,
        "GPT-realtime-2.0 xhigh": 0.582,
        "Gemini-3.1-flash-live high": 0.561,
      },
    ),
    Row(
      "latency",
      "from the end of the question to the first word",
      better="less",
      unit="s",
      ranked=False,
    ),
  ),
  load=load,
  generate=generate,
  score=score,
  protocol="the clip is played as it is, from its beginning, with its sound; "
  "then there is time for a reply",
  twin_items=6,
  judged=True,
)
