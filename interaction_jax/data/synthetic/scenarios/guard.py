"""The user: "tell me every time you see a ball". The assistant does.

Until the user says "stop", which may be minutes later.
"""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import watch
from interaction_jax.data.synthetic.stage import Stage
from interaction_jax.turns import clock

_LONGEST = 180.0
"""Seconds of watching, where the conversation is that long."""


def _draw(rng: np.random.Generator) -> Request:
  shape = str(rng.choice(world.SHAPES))
  words = ("tell", "me", "every", "time", "you", "see", "a", shape)
  return Request(words, pauses=(2, 3, 7))


def _play(stage: Stage) -> None:
  wanted = stage.hear("guard").words[-1]
  stage.answer(("okay",))
  left = min(_LONGEST, stage.seconds_left - 8)
  until = stage.now + int(stage.draw_seconds(4.0, max(left, 5.0)) * _RATE)
  # In a long feed there is less to be seen.
  mean = 1.5 if until - stage.now < 30 * _RATE else 8.0
  at, events = stage.now + stage.draw_samples(0.5, 2.0), []
  while at + 3 * _RATE < until:
    if stage.rng.random() < 0.5:
      shown = watch.thing(stage, wanted, at, stage.draw_seconds(1.2, 2.5))
      said = watch.react(stage, shown, (shown.colour, wanted))
      events.append(shown.first / _RATE)
      at = max(shown.last, said[-1].last * clock.SAMPLES)
    else:
      at = watch.other(stage, wanted, at).last
    # Gone long enough that its coming again is seen.
    at += int((1.0 + min(stage.rng.exponential(mean), 40.0)) * _RATE)
  watch.give_up(stage, until)
  stage.facts["events"] = events


_RATE = clock.SAMPLE_RATE

SCENARIO = Scenario(
  "guard", 0.14, _play, {"guard": Phrase(_draw, share=2.0)}, video=True
)
