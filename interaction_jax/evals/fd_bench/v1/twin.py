"""The twin of Full-Duplex-Bench v1: the same files, in a small world.

Files have fields of their own beside those of the official ones: `answer` and
`context_answer`, which are right, and which the rule for the rating looks for.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from interaction_jax.evals import protocol
from interaction_jax.evals.cued import script
from interaction_jax.evals.cued.script import Plan, Script
from interaction_jax.evals.fd_bench import backchannel, layout, request
from interaction_jax.evals.fd_bench.request import Request, Story
from interaction_jax.evals.fd_bench.v1 import load
from interaction_jax.evals.harness import output
from interaction_jax.evals.harness.suite import write_json


def generate(folder: Path, num: int, seed: int) -> None:
  """Requests with pauses, requests, stories, and requests that interrupt."""
  drawn = {
    f"{task}/{place}": _PLANNERS[task](np.random.default_rng((seed, n, place)))
    for n, task in enumerate(load.SIZES)
    for place in range(num)
  }
  made = script.speak({name: plan for name, (plan, _) in drawn.items()})
  people = {}
  for name, talk in made.items():
    task, place = name.split("/")
    _, about = drawn[name]
    _WRITERS[task](folder / name, talk, about)
    if task == load.NODS:
      people[place] = _spread(talk, about)
  write_json(folder / load.PEOPLE, people)
  # Says that it is none of the official folders.
  write_json(folder / protocol.NAME, {})


def _plan_pause(rng: np.random.Generator) -> tuple[Plan, Any]:
  asked = request.request(rng)
  before, pause = (
    float(rng.uniform(*span)) for span in ((0.3, 0.8), (0.8, 1.6))
  )

  def lay(talk: Script) -> None:
    talk.say(0, pause=before)
    talk.say(1, pause=pause)

  return Plan(asked.parts, lay), None


def _write_pause(folder: Path, talk: Script, about: Any) -> None:
  del about
  # Nothing follows: an answer would be right there.
  layout.write_sound(folder / "input.wav", talk.sound(talk.now))
  span = talk.line_span(0)[1], talk.line_span(1)[0]
  _write_mark(folder / "pause.json", "[PAUSE]", span)
  write_json(folder / "transcription.json", output.chunks(talk.words()))


def _plan_turn(rng: np.random.Generator) -> tuple[Plan, Any]:
  asked = request.request(rng)
  before, pause = float(rng.uniform(0.3, 0.8)), float(rng.uniform(0.8, 1.2))

  def lay(talk: Script) -> None:
    talk.say(0, pause=before)
    talk.say(1, pause=pause)

  # What asks for nothing comes first.
  return Plan((request.tell(rng, 1).pieces[0], asked.text), lay), asked


def _write_turn(folder: Path, talk: Script, asked: Request) -> None:
  layout.write_sound(folder / "input.wav", talk.sound(talk.now + 3.5))
  span = talk.now, talk.now + 0.4
  _write_mark(
    folder / "turn_taking.json", "[TURN-TAKING]", span, answer=asked.answer
  )
  write_json(folder / "transcription.json", output.chunks(talk.words()))


def _plan_story(rng: np.random.Generator) -> tuple[Plan, Any]:
  told = request.tell(rng, 6)
  pauses = rng.uniform(0.9, 1.4, len(told.pieces))

  def lay(talk: Script) -> None:
    for line, pause in enumerate(pauses):
      talk.say(line, pause=float(pause))

  return Plan(told.pieces, lay), told


def _write_story(folder: Path, talk: Script, told: Story) -> None:
  del told
  layout.write_sound(folder / "input.wav", talk.sound(talk.now + 1.0))
  write_json(folder / "transcription.json", output.chunks(talk.words()))


def _spread(talk: Script, told: Story) -> list[float]:
  """When people nod to a story: in its pauses, soon after a piece."""
  num = int(np.ceil((talk.now + 1.0) / backchannel.WINDOW_S))
  made = np.full(num, 0.01)
  for line in told.nods:
    at = int((talk.line_span(line)[1] + 0.3) / backchannel.WINDOW_S)
    for place, weight in ((at - 1, 0.4), (at, 1.0), (at + 1, 0.6)):
      if place < num:
        made[place] += weight
  return (made / made.sum()).round(6).tolist()


def _plan_interruption(rng: np.random.Generator) -> tuple[Plan, Any]:
  context, asked = request.long(rng), request.request(rng)
  before, after = float(rng.uniform(0.3, 0.8)), float(rng.uniform(1.6, 2.4))

  def lay(talk: Script) -> None:
    talk.say(0, pause=before)
    talk.say(1, pause=after)

  return Plan((context.text, asked.text), lay), (context, asked)


def _write_interruption(
  folder: Path, talk: Script, about: tuple[Request, Request]
) -> None:
  context, asked = about
  end = talk.line_span(0)[1]
  whole = talk.sound(talk.now + 4.0)
  layout.write_sound(folder / "input.wav", whole)
  layout.write_sound(folder / "context.wav", talk.sound(end))
  layout.write_sound(folder / "interrupt.wav", talk.line_sound(1))
  entry = {
    "context": context.text,
    "interrupt": asked.text,
    "timestamp": _rounded(talk.line_span(1)),
    "context_answer": context.answer,
    "answer": asked.answer,
  }
  write_json(folder / "interrupt.json", [entry])


def _write_mark(
  path: Path, text: str, span: tuple[float, float], **more: str
) -> None:
  write_json(path, [{"text": text, "timestamp": _rounded(span), **more}])


def _rounded(span: tuple[float, float]) -> list[float]:
  return [round(at, 3) for at in span]


_PLANNERS: Final[
  Mapping[str, Callable[[np.random.Generator], tuple[Plan, Any]]]
] = {
  **dict.fromkeys(load.PAUSES, _plan_pause),
  load.TURNS: _plan_turn,
  load.NODS: _plan_story,
  load.INTERRUPTIONS: _plan_interruption,
}
_WRITERS: Final[Mapping[str, Callable[[Path, Script, Any], None]]] = {
  **dict.fromkeys(load.PAUSES, _write_pause),
  load.TURNS: _write_turn,
  load.NODS: _write_story,
  load.INTERRUPTIONS: _write_interruption,
}
