"""The user: "say start and stop". The assistant does, as something moves."""

import dataclasses

from interaction_jax.data.synthetic import scene, world
from interaction_jax.data.synthetic.request import fixed
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import watch
from interaction_jax.data.synthetic.stage import Stage
from interaction_jax.turns import clock


def _play(stage: Stage) -> None:
  stage.hear("moves")
  (okay,) = stage.answer(("okay",))
  first = okay.last * clock.SAMPLES + stage.draw_samples(0.5, 3.0)
  # It comes to rest where it began: after whole half swings.
  last = first + int(stage.rng.integers(3, 8)) * scene.SWING // 2
  # It has to be seen to have left its place, and to be back.
  margin = int(0.2 * clock.SAMPLE_RATE)
  stage.say(("start",), turn=scene.seen_turn(first + margin) + 1)
  stage.say(("stop",), turn=scene.seen_turn(last + margin) + 1)
  shape = str(stage.rng.choice((*world.SHAPES, "person")))
  seconds = (last - stage.start) / clock.SAMPLE_RATE + stage.draw_seconds(
    0.8, 1.5
  )
  drawn = watch.thing(stage, shape, stage.start, seconds)
  stage.show(dataclasses.replace(drawn, moves=(first, last)))
  stage.facts["moves"] = [first / clock.SAMPLE_RATE, last / clock.SAMPLE_RATE]


SCENARIO = Scenario(
  "moves",
  0.07,
  _play,
  {"moves": fixed("say", "start", "and", "stop", share=1.0)},
  video=True,
)
