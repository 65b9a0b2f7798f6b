"""Speech that is not for the assistant: to somebody else, or by others."""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import repeat, stop, sums
from interaction_jax.data.synthetic.stage import Stage


def _draw(rng: np.random.Generator) -> Request:
  asked = (repeat, sums)[rng.integers(2)].draw(rng)
  return Request((str(rng.choice(world.NAMES)), *asked.words))


def _play(stage: Stage) -> None:
  at = stop.during(stage) if stage.rng.random() < 0.4 else stage.start
  # Who has not been heard yet cannot be told from others.
  if stage.rng.random() < 0.5 or not stage.memory.get("met"):
    stage.hear("aside", at=at)
  else:
    name = ("repeat", "sums", "quiet")[stage.rng.integers(3)]
    level_db = float(stage.rng.uniform(-18, -12))
    stage.overhear(name, at=at, level_db=level_db)


SCENARIO = Scenario(
  "aside",
  0.1,
  _play,
  # What is asked after the name must not be one of those kept for testing.
  {"aside": Phrase(_draw, share=2.0, combines=True, apart=1)},
)
