"""The user: "what is two plus three". The assistant: "five"."""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage


def draw(rng: np.random.Generator) -> Request:
  """A sum or a difference of at least one and at most twenty."""
  total = int(rng.integers(2, len(world.NUMBERS) + 1))
  part = int(rng.integers(1, total))
  names = ("plus", part, total - part), ("minus", total, part)
  sign, *numbers = names[int(rng.integers(2))]
  first, second = (world.number(int(one))[0] for one in numbers)
  return Request(("what", "is", first, sign, second), pauses=(2, 4))


def reply(words: tuple[str, ...]) -> tuple[str, ...]:
  """The result of all signs, from left to right."""
  total = world.value(words[2])
  for sign, number in zip(words[3::2], words[4::2], strict=True):
    total += world.value(number) * (1 if sign == "plus" else -1)
  return world.number(total)


def _play(stage: Stage) -> None:
  stage.answer(reply(stage.hear("sums").words))


SCENARIO = Scenario(
  "sums", 0.05, _play, {"sums": Phrase(draw, share=3.0, combines=True)}
)
