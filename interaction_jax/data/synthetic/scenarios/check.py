"""The user counts and makes a mistake; the assistant says what was missed.

The user goes on meanwhile, as people do.
"""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request, fixed
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage, caption_turn
from interaction_jax.turns import clock


def _draw(rng: np.random.Generator) -> Request:
  """Numbers in order, one of them left out as a rule."""
  last = int(rng.integers(6, 11))
  words = list(world.NUMBERS[:last])
  if rng.random() < 0.7:
    # Three more follow, so that it can be corrected while they are said.
    del words[int(rng.integers(1, last - 3))]
  return Request(tuple(words))


def mistake(words: tuple[str, ...]) -> int | None:
  """Which word comes too early, if one does."""
  for place, word in enumerate(words):
    if world.value(word) != place + 1:
      return place
  return None


def _play(stage: Stage) -> None:
  stage.hear("check")
  (okay,) = stage.answer(("okay",))
  at = okay.last * clock.SAMPLES + stage.draw_samples(0.2, 1.0)
  said = stage.hear("check.count", at=at)
  place = mistake(said.words)
  stage.facts["mistake"] = place
  if place is not None:
    end = said.word_end(place)
    stage.say(world.number(place + 1), turn=caption_turn(end))
    stage.facts["mistake_at"] = end / clock.SAMPLE_RATE


SCENARIO = Scenario(
  "check",
  0.04,
  _play,
  {
    "check": fixed("check", "me"),
    "check.count": Phrase(_draw, share=3.0),
  },
)
