"""The user: "tell me when you see a ball". The assistant, then: "red ball".

Once; if there is none, the user says "stop" after a while.
"""

import numpy as np

from interaction_jax.data.synthetic import scene, world
from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scene import Thing
from interaction_jax.data.synthetic.stage import Stage, Word
from interaction_jax.turns import clock


def _draw(rng: np.random.Generator) -> Request:
  shape = str(rng.choice(world.SHAPES))
  words = ("tell", "me", "when", "you", "see", "a", shape)
  return Request(words, pauses=(3, 6))


def thing(stage: Stage, shape: str, first: int, seconds: float) -> Thing:
  """Something of a drawn colour and place."""
  return Thing(
    shape,
    str(stage.rng.choice(list(scene.COLOURS))),
    first,
    first + int(seconds * clock.SAMPLE_RATE),
    across=float(stage.rng.uniform(0.25, 0.75)),
    size=float(stage.rng.uniform(0.36, 0.55)),
  )


def other(stage: Stage, wanted: str, at: int) -> Thing:
  """Something else comes and goes."""
  others = [shape for shape in world.SHAPES if shape != wanted]
  shown = thing(stage, str(stage.rng.choice(others)), at, 1.5)
  stage.show(shown)
  return shown


def react(stage: Stage, shown: Thing, words: tuple[str, ...]) -> list[Word]:
  """Says something as soon as a thing has been seen."""
  stage.show(shown)
  return stage.say(words, turn=scene.seen_turn(shown.first) + 1)


def give_up(stage: Stage, at: int) -> None:
  """The user wants to hear no more of it."""
  stage.hear("stop", at=max(at, stage.now + clock.SAMPLES))
  stage.answer(("okay",))


def wait(
  stage: Stage, wanted: str, words: tuple[str, ...] | None = None
) -> None:
  """What was asked for comes, as a rule, perhaps after something else.

  Args:
    words: that are said then; None: what it is, with its colour.
  """
  at = stage.now + stage.draw_samples(0.5, 3.0)
  if stage.rng.random() < 0.4:
    at = other(stage, wanted, at).last + stage.draw_samples(0.4, 2.0)
  stage.facts["event"] = None
  if stage.rng.random() < 0.85:
    found = thing(stage, wanted, at, stage.draw_seconds(1.6, 3.0))
    react(stage, found, words or (found.colour, wanted))
    stage.facts["event"] = found.first / clock.SAMPLE_RATE
  else:
    give_up(stage, at)


def _play(stage: Stage) -> None:
  wanted = stage.hear("watch").words[-1]
  stage.answer(("okay",))
  wait(stage, wanted)


SCENARIO = Scenario(
  "watch", 0.14, _play, {"watch": Phrase(_draw, share=2.0)}, video=True
)
