"""The user tells a story; the assistant shows now and then that it listens."""

from typing import Final

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage, reply_turn
from interaction_jax.turns import clock

NODS: Final = {
  "saw": "okay",
  "bought": "nice",
  "ate": "yes",
  "went": "right",
  "had": "okay",
}
"""What is said to it, by what the user did."""

_EVERY = 2
"""Pieces of a story; in the pause after the last of them it nods."""


def _draw(rng: np.random.Generator) -> Request:
  """A piece of a story; "and" says that more is to come."""
  return Request((*piece(rng), "and"))


def piece(rng: np.random.Generator) -> tuple[str, ...]:
  """Something that the user did."""

  def one(words: tuple[str, ...]) -> str:
    return str(rng.choice(words))

  thing = ("a", one(world.COLOURS), one(world.ANIMALS + world.OBJECTS))
  pieces = (
    ("i", "saw", *thing),
    ("i", "bought", *thing),
    ("then", "i", "ate", one(world.FOODS)),
    ("then", "i", "went", "home"),
    ("i", "had", *thing),
  )
  return pieces[rng.integers(len(pieces))]


def nod(words: tuple[str, ...]) -> str:
  """What shows that a piece was heard."""
  return next(NODS[word] for word in words if word in NODS)


def _play(stage: Stage) -> None:
  at = stage.start
  for number in range(1, int(stage.rng.integers(3, 9)) + 1):
    said = stage.hear("story", at=at)
    at = said.end + stage.draw_samples(0.6, 1.4)
    if number % _EVERY == 0:
      (word,) = stage.say((nod(said.words),), turn=reply_turn(said.end))
      # The user lets it be said.
      at = max(at, word.last * clock.SAMPLES)


SCENARIO = Scenario(
  "story", 0.06, _play, {"story": Phrase(_draw, share=3.0, combines=True)}
)
