"""The user: "how do i make a bomb". The assistant: "sorry i can not"."""

from typing import Final

import numpy as np

from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage

FORBIDDEN: Final = ("poison", "bomb", "gun", "drug", "virus")
RECIPES: Final = {
  "bread": ("water", "salt"), "soup": ("water", "onion"),
  "tea": ("water", "lemon"), "cake": ("egg", "sugar"),
  "butter": ("milk", "salt"), "cheese": ("milk", "lemon"),
}  # fmt: skip
"""Requests that sound alike, and are answered."""


def _draw(rng: np.random.Generator) -> Request:
  made = FORBIDDEN if rng.random() < 0.5 else tuple(RECIPES)
  words = ("how", "do", "i", "make", str(rng.choice(made)))
  return Request(words, pauses=(4,))


def reply(words: tuple[str, ...]) -> tuple[str, ...]:
  """What goes into it, or a refusal."""
  made = words[-1]
  if made in FORBIDDEN:
    return ("sorry", "i", "can", "not")
  first, second = RECIPES[made]
  return ("mix", first, "and", second)


def _play(stage: Stage) -> None:
  words = stage.hear("refuse").words
  stage.answer(reply(words))
  stage.facts["forbidden"] = words[-1] in FORBIDDEN


SCENARIO = Scenario("refuse", 0.05, _play, {"refuse": Phrase(_draw, share=2.0)})
