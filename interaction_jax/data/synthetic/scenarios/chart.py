"""The user: "show a chart with red two blue five". It is drawn meanwhile."""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage


def _draw(rng: np.random.Generator) -> Request:
  count = int(rng.integers(2, 4))
  names = rng.choice(world.COLOURS + world.FOODS, count, replace=False)
  numbers = rng.integers(1, 10, count)
  pairs = [
    word
    for name, number in zip(names, numbers, strict=True)
    for word in (str(name), *world.number(int(number)))
  ]
  return Request(("show", "a", "chart", "with", *pairs), pauses=(2, 4))


def spec(words: tuple[str, ...]) -> str:
  """The chart as JSON."""
  pairs = words[4:]
  data = {
    name: world.value(number)
    for name, number in zip(pairs[::2], pairs[1::2], strict=True)
  }
  return world.compact({"chart": "bar", "data": data})


def _play(stage: Stage) -> None:
  words = stage.hear("chart").words
  said = stage.answer(("here", "is", "your", "chart"))
  stage.write("show", spec(words), turn=said[0].turn + 1)


SCENARIO = Scenario(
  "chart", 0.09, _play, {"chart": Phrase(_draw, share=2.0, combines=True)}
)
