"""The user: "say red cat". The assistant: "red cat"."""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage


def draw(rng: np.random.Generator) -> Request:
  """One to three things to say."""
  count = rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2])
  things = rng.choice(world.THINGS, count)
  # After the first thing the request is complete already.
  return Request(("say", *map(str, things)), pauses=(1,))


def reply(words: tuple[str, ...]) -> tuple[str, ...]:
  """What is to be said."""
  return words[1:]


def _play(stage: Stage) -> None:
  stage.answer(reply(stage.hear("repeat").words))


SCENARIO = Scenario(
  "repeat", 0.1, _play, {"repeat": Phrase(draw, share=6.0, combines=True)}
)
