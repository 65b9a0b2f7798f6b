"""BigBench Audio: a thousand spoken questions of Big-Bench Hard.

    metadata.jsonl         {"category", "official_answer", "id", "file_name"};
                           a "question" may stand there too, for the judge
    data/question_N.mp3    as `file_name` says

Reference: Artificial Analysis 2024, after Suzgun et al. 2022, arXiv:2210.09261.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from interaction_jax.data.record import Record
from interaction_jax.data.synthetic import world
from interaction_jax.evals import clip, protocol, table
from interaction_jax.evals.big_bench_audio import closed
from interaction_jax.evals.harness import item as items_
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

USUAL: Final = Protocol(reply=60.0)

PARTS: Final = tuple(closed.ANSWERS)

_FILE: Final = "metadata.jsonl"
_OFFICIAL: Final = 1000
# The published judge's prompt (Artificial Analysis, released with the data
# under MIT), word for word: verdicts by other words are other verdicts.
_PROMPT: Final = (
  "Assess whether the following CANDIDATE ANSWER is CORRECT or INCORRECT.\n"
  "For the CANDIDATE ANSWER to be correct, it must be consistent with the "
  "OFFICIAL ANSWER.\n"
  "If the CANDIDATE ANSWER contradicts itself, assess the first proposed "
  "answer.\n"
  "If the CANDIDATE ANSWER provides a final answer and working, assess the "
  "final answer only.\n"
  "If the CANDIDATE ANSWER includes irrelevant information, assess only the "
  "relevant information.\n"
  "If the CANDIDATE ANSWER includes a numeric value it is ok if it is spelled "
  "e.g. 7 or seven\n"
  "It is ok if the CANDIDATE ANSWER involves a misspelling of a person's name "
  "e.g. Leda or Lida, Autry or Audrie.\n\n"
  "The question, for reference only: START QUESTION {question} \n\n"
  "END QUESTION\n\n"
  "The OFFICIAL ANSWER:{official}\n\n"
  "BEGIN CANDIDATE ANSWER TO ASSESS\n\n"
  "{reply}\n\n"
  "END CANDIDATE ANSWER TO ASSESS\n\n"
  "Reply only with CORRECT or INCORRECT.\n"
)


def load(inventory: Inventory) -> list[Item]:
  """An item a question."""
  plan = protocol.read(inventory, USUAL)
  wanted = ("category", "official_answer", "id", "file_name")
  rows = table.read(inventory, _FILE, wanted=wanted)
  if rows and not (inventory.root / protocol.NAME).is_file():
    inventory.count(_FILE, len(rows), _OFFICIAL)
  found = []
  for row in rows:
    made = _item(inventory, row, plan)
    if made is None:
      inventory.leave_out(_name(row))
    else:
      found.append(made)
  known = [Path(str(row["file_name"])).name for row in rows]
  inventory.extra("data", known)
  return found


def _name(row: Mapping[str, Any]) -> str:
  return f"question_{row['id']}"


def _item(
  inventory: Inventory, row: Mapping[str, Any], plan: Protocol
) -> Item | None:
  category, official = str(row["category"]), str(row["official_answer"])
  problem = _problem(category, official)
  if problem is not None:
    return inventory.note(f"{_FILE}: {_name(row)}", problem)
  asked = inventory.sound(str(row["file_name"]))
  if asked is None:
    return None
  seconds = clock.seconds(clock.num_turns(round(asked * clock.SAMPLE_RATE)))
  return Item(
    name=_name(row),
    part=category,
    seconds=seconds + plan.reply,
    open=partial(
      _open,
      path=inventory.root / str(row["file_name"]),
      seconds=seconds + plan.reply,
    ),
    wanted=(Act(asked + 0.4, f"The answer is {official}."),),
    truth={
      "category": category,
      "official": official,
      "question": str(row.get("question") or ""),
      "asked": asked,
    },
  )


def _problem(category: str, official: str) -> str | None:
  if category not in closed.ANSWERS:
    return f"category={category!r} is none of {', '.join(PARTS)}"
  answers = closed.ANSWERS[category]
  if answers and official.strip().lower() not in answers:
    return f"official_answer={official!r} is none of {', '.join(answers)}"
  if not answers and closed.number(official) is None:
    return f"official_answer={official!r} is no whole number"
  return None


def _open(canvas: Canvas, *, path: Path, seconds: float) -> Record:
  del canvas
  return items_.listening(clip.joined([(0.0, clip.soundtrack(path))], seconds))


def generate(folder: Path, num: int, seed: int) -> None:
  """Small questions of the four kinds, in the words of a small world."""
  makers = {
    "formal_fallacies": _syllogism,
    "navigate": _there_and_back,
    "object_counting": _bought,
    "web_of_lies": _lies,
  }
  rows = []
  for kind, (category, make) in enumerate(makers.items()):
    for place in range(num):
      rng = np.random.default_rng((seed, kind, place))
      # Both answers come up, however few items there are.
      question, official = make(rng, bool((place + seed) % 2))
      number = kind * num + place
      rows.append(
        {
          "category": category,
          "official_answer": official,
          "file_name": f"data/question_{number}.mp3",
          "id": number,
          "question": question,
        }
      )
  spoken = protocol.spoken({row["file_name"]: row["question"] for row in rows})
  for row in rows:
    _write_sound(folder / row["file_name"], spoken[row["file_name"]].sound)
  table.write_lines(folder / _FILE, rows)
  write_json(folder / protocol.NAME, {"reply": 5.0})


def _write_sound(path: Path, sound: np.ndarray) -> None:
  import soundfile

  path.parent.mkdir(parents=True, exist_ok=True)
  # Of other MP3s of this encoder its own decoder complains now and then.
  soundfile.write(
    path,
    sound,
    clock.SAMPLE_RATE,
    format="MP3",
    bitrate_mode="CONSTANT",
    compression_level=0.0,
  )


def _two(rng: np.random.Generator, of: Sequence[str]) -> list[str]:
  return [str(one) for one in rng.choice(of, 2, replace=False)]


def _syllogism(rng: np.random.Generator, right: bool) -> tuple[str, str]:
  (animal, _), (colour, _) = _two(rng, world.ANIMALS), _two(rng, world.COLOURS)
  name, _ = _two(rng, world.NAMES)
  first = f"if every {animal} is {colour} and {name} is a {animal}"
  if right:
    return f"{first} then is {name} {colour}", "valid"
  first = f"if every {animal} is {colour} and {name} is {colour}"
  return f"{first} then is {name} a {animal}", "invalid"


def _there_and_back(rng: np.random.Generator, right: bool) -> tuple[str, str]:
  begin, there = (int(n) for n in rng.integers(3, 10, 2))
  back = there if right else there - 1
  start, out, home = (" ".join(world.number(n)) for n in (begin, there, back))
  text = f"start with {start} then plus {out} then minus {home} is it {start}"
  return text, "yes" if right else "no"


def _bought(rng: np.random.Generator, right: bool) -> tuple[str, str]:
  del right
  one, other = _two(rng, world.OBJECTS)
  many = int(rng.integers(2, 10))
  told = " ".join(world.number(many))
  return f"i bought a {one} and {told} {other} how many is it", str(many + 1)


def _lies(rng: np.random.Generator, right: bool) -> tuple[str, str]:
  one, other = _two(rng, world.NAMES)
  told = "" if right else "not "
  text = (
    f"if {one} is right then {other} is {told}right and {one} is right is "
    f"{other} right"
  )
  return text, "yes" if right else "no"


def score(
  items: Sequence[Item], replies: Mapping[str, Reply], judge: Judge
) -> list[Score]:
  """Whether each answer is right, by a judge and by rules, and how soon."""
  scores = []
  for item in items:
    reply, truth = replies[item.key], item.truth
    text = reply.text
    verdict = judge.ask(_question(truth, text)).value
    judged = None if verdict is None else float(verdict)
    matched = float(closed.right(item.part, text, truth["official"]))
    details = {
      "reply": text,
      "official": truth["official"],
      "given": closed.given(item.part, text),
    }
    late = [x.start for x in reply.words if x.start >= truth["asked"]]
    values = {
      "accuracy": judged,
      "accuracy_closed": matched,
      item.part: judged,
      "latency": late[0] - truth["asked"] if late else None,
    }
    scores += [
      Score(row, item.key, value, item.part, details)
      for row, value in values.items()
    ]
  return scores


def _question(truth: Mapping[str, Any], text: str) -> Question:
  category, official = truth["category"], truth["official"]
  prompt = _PROMPT.format(
    question=truth["question"], official=official, reply=text
  )

  def rule() -> str:
    right = closed.right(category, text, official)
    return "CORRECT" if right else "INCORRECT"

  return Question("answer", prompt, rule, _correct)


def _correct(said: str) -> bool:
  found = re.findall(r"\b(in)?correct\b", said.lower())
  if len(found) != 1:
    raise ValueError(f"{said!r} is neither CORRECT nor INCORRECT.")
  return found[0] == ""


SUITE: Final = Suite(
  name="big_bench_audio",
  about="spoken questions that need reasoning, with closed answers",
  source="Artificial Analysis 2024, after Suzgun et al. 2022, arXiv:2210.09261;"
  " numbers of Thinking Machines Lab 2026, doi:10.64434/tml.20260511, and of "
  "Artificial Analysis 2024",
  parts=PARTS,
  asks="voice",
  rows=(
    Row(
      "accuracy",
      "answers that the judge takes for right; the four kinds count alike",
      published={
        "TML-Interaction-Small": 0.757,
        "TML-Interaction-Small with its background model": 0.965,
        "GPT-realtime-2.0 min": 0.718,
        "GPT-realtime-1.5": 0.814,
        "Gemini-3.1-flash-live min": 0.713,
        "Qwen3.5-Omni-plus-rt": 0.730,
        "GPT-realtime-2.0 xhigh": 0.966,
        "Gemini-3.1-flash-live high": 0.966,
        "GPT-4o, speech to speech, Artificial Analysis": 0.66,
      },
    ),
    Row(
      "accuracy_closed",
      "the same by rules: the last answer of a reply is the official one",
    ),
    *(Row(part, f"accuracy of {part} alone") for part in PARTS),
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
  protocol="the question is played, nothing else is said or typed; then there "
  "are 60 s for a reply",
  twin_items=5,
  judged=True,
)
