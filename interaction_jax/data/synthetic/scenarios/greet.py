"""The user: "good morning". The assistant: "good morning"."""

from typing import Final

import numpy as np

from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage

_ANSWERS: Final = {
  ("hello",): ("hello",),
  ("good", "morning"): ("good", "morning"),
  ("good", "evening"): ("good", "evening"),
  ("thank", "you"): ("welcome",),
  ("goodbye",): ("goodbye",),
}


def draw(rng: np.random.Generator) -> Request:
  """One of a few."""
  return Request(list(_ANSWERS)[rng.integers(len(_ANSWERS))])


def reply(words: tuple[str, ...]) -> tuple[str, ...]:
  """What one says in return."""
  return _ANSWERS[words]


def _play(stage: Stage) -> None:
  stage.answer(reply(stage.hear("greet").words))


SCENARIO = Scenario("greet", 0.04, _play, {"greet": Phrase(draw)})
