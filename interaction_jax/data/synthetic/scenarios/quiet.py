"""The user asks for nothing, or something rattles: nothing is to be said."""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import stop
from interaction_jax.data.synthetic.stage import Stage


def draw(rng: np.random.Generator) -> Request:
  """Something that is no request."""
  colour = str(rng.choice(world.COLOURS))
  thing = str(rng.choice(world.ANIMALS + world.OBJECTS))
  phrases = (
    ("i", "like", "the", colour, thing),
    ("i", "see", "my", thing),
    ("my", thing, "is", colour),
    ("the", colour, thing),
    ("i", "like", "you"),
    (colour, thing),
    ("i", "had", str(rng.choice(world.FOODS)), "today"),
  )
  return Request(phrases[rng.integers(len(phrases))])


def _play(stage: Stage) -> None:
  if stage.rng.random() < 0.25:
    at = stop.during(stage) if stage.rng.random() < 0.3 else stage.start
    stage.rattle(seconds=stage.draw_seconds(0.1, 0.8), at=at)
  else:
    stage.hear("quiet")


SCENARIO = Scenario(
  "quiet", 0.08, _play, {"quiet": Phrase(draw, share=2.0, combines=True)}
)
