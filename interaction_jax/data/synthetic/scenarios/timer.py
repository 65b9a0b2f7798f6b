"""The user: "set a timer for five minutes". A tool is called meanwhile."""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage


def _draw(rng: np.random.Generator) -> Request:
  number = world.number(int(rng.integers(2, 60)))
  words = ("set", "a", "timer", "for", *number, "minutes")
  return Request(words, pauses=(2, 4))


def call(words: tuple[str, ...]) -> str:
  """The call as JSON."""
  return world.compact({"tool": "timer", "minutes": world.value(*words[4:-1])})


def _play(stage: Stage) -> None:
  words = stage.hear("timer").words
  said = stage.answer(("timer", "set", "for", *words[4:]))
  # While the sentence is being said.
  stage.write("call", call(words), turn=said[0].turn + 1)


SCENARIO = Scenario(
  "timer", 0.09, _play, {"timer": Phrase(_draw, share=2.0, combines=True)}
)
