"""The user: "remember tiger", perhaps into a word; later it is recalled."""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import stop
from interaction_jax.data.synthetic.stage import Stage, reply_turn


def _draw(rng: np.random.Generator) -> Request:
  return Request(("remember", str(rng.choice(world.THINGS))), pauses=(1,))


def _play(stage: Stage) -> None:
  while_speaking = stage.rng.random() < 0.4
  at = stop.during(stage) if while_speaking else stage.start
  said = stage.hear("remember", at=at)
  # It is not said into its own words.
  if stage.silent_from <= reply_turn(said.end):
    stage.answer(("okay",))
  stage.memory["word"] = said.words[-1]
  stage.facts["while_speaking"] = while_speaking


SCENARIO = Scenario(
  "remember", 0.3, _play, {"remember": Phrase(_draw, share=3.0)}
)
