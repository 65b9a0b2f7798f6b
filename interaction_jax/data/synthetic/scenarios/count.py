"""The user: "count to four". The assistant: "one, two, three, four"."""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage

PACE = 3
"""Turns from one number to the next."""

_LAST = 12


def draw(rng: np.random.Generator) -> Request:
  """A number to count to."""
  last = int(rng.integers(2, _LAST + 1))
  return Request(("count", "to", *world.number(last)), pauses=(2,))


def reply(words: tuple[str, ...]) -> tuple[str, ...]:
  """The numbers up to the last of the words."""
  return world.NUMBERS[: world.value(words[-1])]


def is_long(words: tuple[str, ...]) -> bool:
  """Whether there is time to interrupt the answer."""
  return world.value(words[-1]) >= 5


def _play(stage: Stage) -> None:
  stage.answer(reply(stage.hear("count").words), pace=PACE)


SCENARIO = Scenario("count", 0.04, _play, {"count": Phrase(draw, share=2.0)})
