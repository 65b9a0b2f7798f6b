"""ProactiveVideoQA: a question, and a video that answers it sooner or later.

    WEB/anno.json, WEB/videos/...       as well EGO, TV and VAD
    anno.json    [{"video", "question_id", "duration",
                   "conversation": [{"role", "content", "time"}, ...],
                   "answer": [{"content", "related_timespan": [s, e],
                               "reply_timespan": [s, e]}, ...]}, ...]

The first of a conversation is the question; further ones are subtitles.

Reference: Wang et al. 2025, arXiv:2507.09313.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from interaction_jax.data.record import Record
from interaction_jax.data.synthetic import scene, world
from interaction_jax.data.synthetic.scene import Thing
from interaction_jax.evals import clip, protocol, utterance
from interaction_jax.evals.clip import Scene
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.item import Act, Canvas, Item
from interaction_jax.evals.harness.judge import Judge, Question
from interaction_jax.evals.harness.narrator import Spoken
from interaction_jax.evals.harness.suite import (
  Reply,
  Row,
  Score,
  Suite,
  write_json,
)
from interaction_jax.evals.proactive_video_qa import pauc
from interaction_jax.evals.proactive_video_qa.pauc import Rating, Turn
from interaction_jax.evals.protocol import Protocol
from interaction_jax.turns import clock

USUAL: Final = Protocol(
  "Watch the video and stay quiet until a new moment answers the question. "
  "When one happens, say a concise answer. {question}",
  pause=2.0,
  reply=2.0,
)

PARTS: Final = ("WEB", "EGO", "TV", "VAD")

# The judge's instruction, word for word that of the published scorer as
# VLMEvalKit (Apache-2.0) has it: ratings by other words are other ratings.
_INSTRUCTION: Final = (
  "You are an evaluator for a video question answering system. "
  "Your task is to rate whether the predicted answer covers the key points "
  "of the ground truth answer. Use the following scale to assign a score:\n"
  "- 3: Mostly covered; the predicted answer covers all key information in "
  "the ground truth answer, though it may have minor inaccuracies or rephrases."
  "\n"
  "- 2: Partially covered; the predicted answer has some correct information, "
  "but also contains significant inaccuracies or missing key points.\n"
  "- 1: Incorrect; the predicted answer may be related to the ground truth "
  "answer, but most of the information is missing, or the predicted answer is "
  "not relevant to the question or in very poor quality.\n\n"
  "Output the score only, do not add more explanations."
)

_SUBTITLE_S: Final = 5.0
"""Seconds that a subtitle stays, if no other one comes."""

_LONGEST_S: Final = 3.0
"""Seconds after which an utterance is rated that goes on; the published scorer
rates what is said in pieces of the video."""

_DELAY: Final = 0.2
"""Seconds in which an oracle answers."""


def load(inventory: Inventory) -> list[Item]:
  """An item a question."""
  plan = protocol.read(inventory, USUAL)
  usable: list[tuple[str, Mapping[str, Any], float]] = []
  for part in PARTS:
    entries = inventory.json(f"{part}/anno.json") or []
    known = set()
    for entry in entries:
      name, video = f"{part}/{entry.get('question_id')}", entry.get("video")
      known.add(video)
      if not _is_whole(entry):
        inventory.note(f"{part}/anno.json", f"{name} lacks a field")
        inventory.leave_out(name)
        continue
      seconds = inventory.video(f"{part}/videos/{video}")
      if seconds is None:
        inventory.leave_out(name)
        continue
      usable.append((part, entry, seconds))
    inventory.extra(f"{part}/videos", known)
  prompts = protocol.spoken(
    {
      f"{part}/{entry['question_id']}": plan.says(
        question=entry["conversation"][0]["content"]
      )
      for part, entry, _ in usable
    }
  )
  return [
    _item(inventory, part, entry, seconds, plan, prompts)
    for part, entry, seconds in usable
  ]


def _is_whole(entry: Mapping[str, Any]) -> bool:
  said, answers = entry.get("conversation"), entry.get("answer")
  return bool(
    said
    and answers
    and all("content" in one for one in said)
    and all(len(one.get("reply_timespan", ())) == 2 for one in answers)
    and all("content" in one for one in answers)
  )


def _item(
  inventory: Inventory,
  part: str,
  entry: Mapping[str, Any],
  seconds: float,
  plan: Protocol,
  prompts: Mapping[str, Spoken],
) -> Item:
  name = f"{part}/{entry['question_id']}"
  prompt = prompts[name]
  begin = plan.begin(prompt)
  length = begin + seconds + plan.reply
  turns, acts = [], []
  for answer in entry["answer"]:
    reply = _moved(answer["reply_timespan"], begin)
    related = _moved(
      answer.get("related_timespan") or answer["reply_timespan"], begin
    )
    turns.append(
      {"reply": reply, "related": related, "content": answer["content"]}
    )
    acts.append(Act(reply[0] + _DELAY, answer["content"]))
  subtitles = tuple(
    (float(one.get("time", 0)), one["content"])
    for one in entry["conversation"][1:]
    if one.get("role", "user") == "user" and one["content"]
  )
  return Item(
    name=name,
    part=part,
    seconds=length,
    open=partial(
      _open,
      prompt=prompt,
      video=inventory.root / part / "videos" / entry["video"],
      begin=begin,
      seconds=length,
      subtitles=subtitles,
    ),
    wanted=tuple(acts),
    truth={
      "question": entry["conversation"][0]["content"],
      "turns": turns,
    },
  )


def _moved(span: Sequence[float], by: float) -> tuple[float, float]:
  first, last = span
  return float(first) + by, float(last) + by


def _open(
  canvas: Canvas,
  *,
  prompt: Spoken,
  video: Path,
  begin: float,
  seconds: float,
  subtitles: tuple[tuple[float, str], ...],
) -> Record:
  sound = clip.joined([(0.0, prompt.sound)], seconds)
  return clip.watched(
    canvas,
    sound,
    video=video,
    begin=begin,
    finish=partial(_titled, subtitles) if subtitles else None,
  )


def _titled(
  subtitles: Sequence[tuple[float, str]], time: float, picture: clip.Picture
) -> clip.Picture:
  """A picture with the subtitle of its time burnt in."""
  shown = [one for one in subtitles if one[0] <= time < one[0] + _SUBTITLE_S]
  if not shown:
    return picture
  from PIL import Image, ImageDraw, ImageFont

  image = Image.fromarray(picture)
  draw = ImageDraw.Draw(image)
  rows, columns, _ = picture.shape
  font = ImageFont.load_default(size=max(10, rows // 18))
  draw.text(
    (columns / 2, rows * 0.96),
    shown[-1][1],
    fill="white",
    font=font,
    anchor="ms",
    stroke_width=1,
    stroke_fill="black",
  )
  return np.asarray(image)


def generate(folder: Path, num: int, seed: int) -> None:
  """Scenes in which what is asked for comes, in half of them after another."""
  for place, part in enumerate(PARTS):
    entries = []
    for number in range(num):
      rng = np.random.default_rng((seed, place, number))
      name = f"scene_{number}.mp4"
      shown, wanted, colour, at = _scene(rng)
      clip.write(folder / part / "videos" / name, shown)
      said = [{"role": "user", "content": f"a {wanted}", "time": 0.0}]
      if part == "TV":
        said.append({"role": "user", "content": "Look!", "time": at})
      span = [at, min(at + 4.0, shown.seconds)]
      entries.append(
        {
          "video": name,
          "question_id": f"{part.lower()}_{number}",
          "duration": shown.seconds,
          "conversation": said,
          "answer": [
            {
              "content": f"{colour} {wanted}",
              "related_timespan": [at, at + 2.0],
              "reply_timespan": span,
            }
          ],
        }
      )
    write_json(folder / part / "anno.json", entries)
  plan = {"prompt": "tell me when you see {question}", "reply": 1.0}
  write_json(folder / protocol.NAME, plan)


def _scene(rng: np.random.Generator) -> tuple[Scene, str, str, float]:
  """A scene, what is asked for, its colour, and when it comes."""
  at, things = float(rng.uniform(1.0, 3.0)), []

  def thing(shape: str, seconds: float) -> Thing:
    colour = str(rng.choice(list(scene.COLOURS)))
    first = round(at * 10) * scene.PERIOD
    last = first + round(seconds * 10) * scene.PERIOD
    across, size = float(rng.uniform(0.25, 0.75)), float(rng.uniform(0.4, 0.55))
    return Thing(shape, colour, first, last, across=across, size=size)

  wanted = str(rng.choice(world.SHAPES))
  if rng.random() < 0.5:
    others = [shape for shape in world.SHAPES if shape != wanted]
    things.append(thing(str(rng.choice(others)), 1.5))
    at += 1.5 + float(rng.uniform(0.4, 2.0))
  things.append(thing(wanted, 3.0))
  first = things[-1].first / clock.SAMPLE_RATE
  floor = int(rng.integers(3))
  return (
    Scene(first + 4.5, tuple(things), floor),
    wanted,
    things[-1].colour,
    first,
  )


def score(
  items: Sequence[Item], replies: Mapping[str, Reply], judge: Judge
) -> list[Score]:
  """PAUC of every turn."""
  return [
    one
    for item in items
    for turn in item.truth["turns"]
    for one in _score(item, turn, replies[item.key], judge)
  ]


def _score(
  item: Item, truth: Mapping[str, Any], reply: Reply, judge: Judge
) -> list[Score]:
  turn = Turn(truth["reply"], truth["related"])
  ratings = rated(item.truth["question"], truth, reply, judge)
  values = {
    f"pauc_{omega:g}": pauc.area(turn, ratings, omega=omega)
    for omega in pauc.OMEGAS
  }
  values["pauc_corrected"] = pauc.exact_area(turn, ratings)
  details = {"ratings": [[one.at, one.value] for one in ratings]}
  return [
    Score(row, item.key, value, kind=item.part, details=details)
    for row, value in values.items()
  ]


def rated(
  question: str, truth: Mapping[str, Any], reply: Reply, judge: Judge
) -> list[Rating]:
  """How well a turn has been answered, after each utterance within its span.

  What was said before, word for word, is not judged again.
  """
  first, last = truth["reply"]
  said: list[str] = []
  ratings = []
  for one in utterance.split(reply.words, longest=_LONGEST_S):
    if not first <= one.start <= last or one.text in said:
      continue
    said.append(one.text)
    rating = judge.ask(_question(question, truth["content"], " ".join(said)))
    if rating.value is not None:
      ratings.append(Rating(one.start, rating.value))
  return ratings


def _question(question: str, wanted: str, made: str) -> Question:
  def rule() -> str:
    share = utterance.share(wanted, made)
    return "3" if share == 1 else "2" if share >= 0.5 else "1"

  return Question(
    "rating",
    f"Question: {question}\nGround Truth Answer: {wanted}\n"
    f"Predicted Answer: {made}",
    rule,
    _rating,
    system=_INSTRUCTION,
  )


def _rating(answer: str) -> int:
  fits = re.match(r"\s*([123])", answer)
  if fits is None:
    raise ValueError(f"{answer!r} is no rating from 1 to 3.")
  return int(fits[1]) - 1


SUITE: Final = Suite(
  name="proactive_video_qa",
  about="answers that come by themselves, when a video shows them",
  source="Wang et al. 2025, arXiv:2507.09313; spoken protocol and numbers of "
  "Thinking Machines Lab 2026, doi:10.64434/tml.20260511",
  parts=PARTS,
  asks="voice",
  rows=(
    Row(
      "pauc_0.5",
      "area under the rating, mean of turns and then of the four parts",
      published={"TML-Interaction-Small": 0.335, "GPT-realtime-2.0 min": 0.25},
    ),
    Row("pauc_0", "the same where timing counts in full"),
    Row("pauc_1", "the same where it does not count"),
    Row("pauc_corrected", "pauc_0.5 without the oddities of its scorer"),
  ),
  load=load,
  generate=generate,
  score=score,
  protocol="the prompt is spoken with the question; 2 s later the video begins,"
  " without sound, subtitles burnt in; an utterance counts when it begins",
  twin_items=3,
  judged=True,
)
