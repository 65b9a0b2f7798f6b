"""IFEval, typed: 541 prompts, each with instructions that rules can check.

    input_data.jsonl    {"key", "prompt", "instruction_id_list", "kwargs"}

Reference: Zhou et al. 2023, arXiv:2311.07911.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from interaction_jax.data.record import Record, TextIn
from interaction_jax.data.synthetic import world
from interaction_jax.evals import clip, protocol, table, utterance
from interaction_jax.evals.harness import item as items_
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.item import Act, Canvas, Item
from interaction_jax.evals.harness.judge import Judge
from interaction_jax.evals.harness.suite import (
  Reply,
  Score,
  Suite,
  write_json,
)
from interaction_jax.evals.ifeval import checker, report, solve
from interaction_jax.evals.ifeval.checker import Instruction
from interaction_jax.evals.protocol import Protocol

USUAL: Final = Protocol(reply=90.0)

_FILE: Final = "input_data.jsonl"
_PART: Final = "prompts"
_OFFICIAL: Final = 541


def load(inventory: Inventory) -> list[Item]:
  """An item a prompt."""
  plan = protocol.read(inventory, USUAL)
  wanted = ("key", "prompt", "instruction_id_list", "kwargs")
  rows = table.read(inventory, _FILE, wanted=wanted)
  if rows and not (inventory.root / protocol.NAME).is_file():
    inventory.count(_FILE, len(rows), _OFFICIAL)
  found = []
  for row in rows:
    name = str(row["key"])
    asked = instructions(inventory, f"{_FILE}: key {name}", row)
    if asked is None:
      inventory.leave_out(name)
    else:
      found.append(_item(name, row["prompt"], asked, plan))
  return found


def instructions(
  inventory: Inventory, where: str, row: Mapping[str, Any]
) -> tuple[Instruction, ...] | None:
  """The instructions of a row; None: one cannot be checked, which is noted."""
  try:
    return tuple(
      checker.instruction(name, given)
      for name, given in zip(
        row["instruction_id_list"], row["kwargs"], strict=True
      )
    )
  except (ValueError, TypeError, AttributeError) as error:
    inventory.note(where, f"corrupt, {error}")
    return None


def _item(
  name: str, prompt: str, asked: tuple[Instruction, ...], plan: Protocol
) -> Item:
  answer = solve.reply(asked)
  # A system that can write shows it; nobody has to speak asterisks.
  wanted = () if answer is None else (Act(0.4, answer, "show"),)
  return Item(
    name=name,
    part=_PART,
    seconds=plan.reply,
    open=partial(_open, prompt=prompt, seconds=plan.reply),
    wanted=wanted,
    truth={"prompt": prompt, "instructions": asked},
  )


def _open(canvas: Canvas, *, prompt: str, seconds: float) -> Record:
  del canvas
  silence = clip.joined([], seconds)
  return items_.listening(silence, text_in=(TextIn(0, "user", prompt),))


def generate(folder: Path, num: int, seed: int) -> None:
  """Prompts of a small world, and every kind of instruction in turn."""
  rows = []
  for place in range(num):
    rng = np.random.default_rng((seed, place))
    make = _say if place % 2 == 0 else partial(_kind, place // 2)
    rows.append({"key": 1000 + place, **make(rng)})
  table.write_lines(folder / _FILE, rows)
  write_json(folder / protocol.NAME, {"reply": 5.0})


def _say(rng: np.random.Generator) -> dict[str, Any]:
  """Something to be said, and nothing much else."""
  things = [str(one) for one in rng.choice(world.THINGS, 2, replace=False)]
  return spoken_task(things)


def spoken_task(things: Sequence[str]) -> dict[str, Any]:
  """A request to say things, which a voice can do."""
  return {
    "prompt": f"say {' '.join(things)}",
    "instruction_id_list": [
      "keywords:existence",
      "length_constraints:number_words",
      "punctuation:no_comma",
    ],
    "kwargs": [
      {"keywords": list(things)},
      {"num_words": len(things) + 3, "relation": "less than"},
      {},
    ],
  }


def _kind(number: int, rng: np.random.Generator) -> dict[str, Any]:
  """One of the 25 kinds, in words and as data."""
  word, other = (
    str(one) for one in rng.choice(world.OBJECTS, 2, replace=False)
  )
  few = int(rng.integers(2, 5))
  at_least = "at least"
  kinds: list[tuple[str, str, dict[str, Any]]] = [
    ("keywords:existence", f"use the words {word} and {other}",
     {"keywords": [word, other]}),
    ("keywords:frequency", f"use the word {word} at least {few} times",
     {"keyword": word, "frequency": few, "relation": at_least}),
    ("keywords:forbidden_words", f"do not use the word {word}",
     {"forbidden_words": [word]}),
    ("keywords:letter_frequency", f"use the letter k at least {few} times",
     {"letter": "k", "let_frequency": few, "let_relation": at_least}),
    ("language:response_language", "answer in spanish", {"language": "es"}),
    ("length_constraints:number_sentences", f"write at least {few} sentences",
     {"num_sentences": few, "relation": at_least}),
    ("length_constraints:number_paragraphs",
     f"write {few} paragraphs, with *** between them",
     {"num_paragraphs": few}),
    ("length_constraints:number_words", "write at least 40 words",
     {"num_words": 40, "relation": at_least}),
    ("length_constraints:nth_paragraph_first_word",
     f"write {few} paragraphs and begin the second with {word}",
     {"num_paragraphs": few, "nth_paragraph": 2, "first_word": word}),
    ("detectable_content:number_placeholders",
     f"leave {few} blanks such as [name]", {"num_placeholders": few}),
    ("detectable_content:postscript", "add a postscript that begins with P.S.",
     {"postscript_marker": "P.S."}),
    ("detectable_format:number_bullet_lists",
     f"answer with {few} bullet points", {"num_bullets": few}),
    ("detectable_format:constrained_response",
     "answer with 'My answer is yes.', 'My answer is no.' or 'My answer is "
     "maybe.'", {}),
    ("detectable_format:number_highlighted_sections",
     f"highlight {few} passages with *asterisks*", {"num_highlights": few}),
    ("detectable_format:multiple_sections",
     f"write {few} sections, each begun with Section and its number",
     {"section_spliter": "Section", "num_sections": few}),
    ("detectable_format:json_format", "answer in JSON", {}),
    ("detectable_format:title", "give it a <<title>>", {}),
    ("combination:two_responses",
     "give two different answers with ****** between them", {}),
    ("combination:repeat_prompt", "repeat this request, then answer it",
     {"prompt_to_repeat": f"Tell me about the {word}."}),
    ("startend:end_checker", "end with 'Is there anything else?'",
     {"end_phrase": "Is there anything else?"}),
    ("startend:quotation", "put all of it between double quotes", {}),
    ("change_case:capital_word_frequency",
     f"write at least {few} words in capitals",
     {"capital_frequency": few, "capital_relation": at_least}),
    ("change_case:english_capital", "write in english, in capitals", {}),
    ("change_case:english_lowercase", "write in english, in small letters", {}),
    ("punctuation:no_comma", "do not use commas", {}),
  ]  # fmt: skip
  name, how, arguments = kinds[number % len(kinds)]
  return {
    "prompt": f"Tell me about the {word}. {how[0].upper()}{how[1:]}.",
    "instruction_id_list": [name],
    "kwargs": [arguments],
  }


def score(
  items: Sequence[Item], replies: Mapping[str, Reply], judge: Judge
) -> list[Score]:
  """Which instructions each reply follows."""
  del judge
  return [
    one
    for item in items
    for one in report.scores(
      "ifeval",
      item.key,
      item.truth["instructions"],
      utterance.written(replies[item.key]),
    )
  ]


SUITE: Final = Suite(
  name="ifeval",
  about="typed prompts, and instructions of 25 kinds that rules can check",
  source="Zhou et al. 2023, arXiv:2311.07911; numbers of Thinking Machines Lab "
  "2026, doi:10.64434/tml.20260511, who do not say which of the four they took",
  parts=(_PART,),
  asks="text",
  rows=report.rows(
    "ifeval",
    {
      "TML-Interaction-Small": 0.897,
      "GPT-realtime-2.0 min": 0.896,
      "GPT-realtime-1.5": 0.875,
      "Gemini-3.1-flash-live min": 0.858,
      "Qwen3.5-Omni-plus-rt": 0.834,
    },
  ),
  load=load,
  generate=generate,
  score=score,
  protocol="the prompt is typed; what is written on the screen is the reply, "
  "else the words that are spoken",
  twin_items=16,
)
