"""The twin of Full-Duplex-Bench v1.5: the same files, in a small world.

Somebody asks for something that takes a while, and something comes into the
answer. `metadata.json` has fields of its own beside the official ones:
`context_end`, when the first request is over; `context_answer` and `answer`,
which are right.
"""

import dataclasses
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float

from interaction_jax.data.synthetic import world
from interaction_jax.evals import clip, protocol
from interaction_jax.evals.cued import script, wording
from interaction_jax.evals.cued.script import Plan, Script
from interaction_jax.evals.fd_bench import layout, request
from interaction_jax.evals.fd_bench.request import Request
from interaction_jax.evals.fd_bench.v1_5 import load
from interaction_jax.evals.harness.suite import write_json
from interaction_jax.turns import clock

_BACKGROUND: Final = "background_speech"
_NODS: Final = ("uh huh", "yes", "okay", "right", "nice")

_FAR: Final = 0.18
"""How loud others in the room are, beside the user: -15 dB."""

_TAIL_S: Final = 4.0


@dataclasses.dataclass(frozen=True)
class _Scene:
  """What is said in an item.

  Attributes:
    into: what comes into the answer.
    answer: what is right to say to that; None: nothing.
    before, after: seconds before the first request, and behind it.
  """

  context: Request
  into: str
  answer: str | None
  before: float
  after: float


def generate(folder: Path, num: int, seed: int) -> None:
  """Requests, and what comes into their answers."""
  scenes = {
    f"{task}/{place}": _draw(task, np.random.default_rng((seed, n, place)))
    for n, task in enumerate(load.SIZES)
    for place in range(num)
  }
  talks = script.speak({name: _plan(one) for name, one in scenes.items()})
  # Somebody else in the room has another voice.
  others = protocol.spoken({f"{n}/far": one.into for n, one in scenes.items()})
  for name, scene in scenes.items():
    into = talks[name].line_sound(1)
    if name.startswith(_BACKGROUND):
      into = _FAR * others[f"{name}/far"].sound
    _write(folder / name, talks[name], scene, into)
  # Says that it is none of the official folders.
  write_json(folder / protocol.NAME, {})


def _draw(task: str, rng: np.random.Generator) -> _Scene:
  context = request.long(rng)
  before, after = float(rng.uniform(0.3, 0.8)), float(rng.uniform(1.4, 2.0))
  into, answer = wording.one(rng, _NODS), None
  if task != "user_backchannel":
    asked = request.sentence(rng)
    into = asked.text
    if task == load.INTERRUPTION:
      answer = asked.answer
    elif task == "talking_to_other":
      into = f"{wording.one(rng, world.NAMES)} {into}"
  return _Scene(context, into, answer, before, after)


def _plan(scene: _Scene) -> Plan:
  def lay(talk: Script) -> None:
    talk.say(0, pause=scene.before)

  return Plan((scene.context.text, scene.into), lay)


def _write(
  folder: Path, talk: Script, scene: _Scene, into: Float[np.ndarray, " _"]
) -> None:
  begin = talk.now + scene.after
  end = begin + len(into) / clock.SAMPLE_RATE
  clean = talk.sound(end + _TAIL_S)
  layout.write_sound(folder / "clean_input.wav", clean)
  layout.write_sound(
    folder / "input.wav", clean + clip.joined([(begin, into)], end + _TAIL_S)
  )
  entry = {
    "context_text": scene.context.text,
    "current_turn_text": scene.into,
    "timestamps": [round(begin, 3), round(end, 3)],
    "context_end": round(talk.now, 3),
    "context_answer": scene.context.answer,
  }
  if scene.answer is not None:
    entry["answer"] = scene.answer
  write_json(folder / "metadata.json", entry)
