"""The user: "tell me every three seconds". The assistant: "time", each time.

Until the user says "stop".
"""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage
from interaction_jax.turns import clock

_LONGEST = 9


def _draw(rng: np.random.Generator) -> Request:
  number = world.number(int(rng.integers(2, _LONGEST + 1)))
  words = ("tell", "me", "every", *number, "seconds")
  return Request(words, pauses=(2, 3))


def _play(stage: Stage) -> None:
  period = 5 * world.value(stage.hear("remind").words[3])
  (okay,) = stage.answer(("okay",))
  count = int(stage.rng.integers(2, 5))
  for number in range(1, count + 1):
    stage.say(("time",), turn=okay.turn + number * period)
  # Before the next one would be due.
  quiet = stage.draw_seconds(0.2, 0.2 * period - 1.6)
  stage.hear(
    "stop",
    at=stage.silent_from * clock.SAMPLES
    + int(max(quiet, 0) * clock.SAMPLE_RATE),
  )
  stage.answer(("okay",))
  stage.facts["period"] = period / 5


SCENARIO = Scenario("remind", 0.05, _play, {"remind": Phrase(_draw)})
