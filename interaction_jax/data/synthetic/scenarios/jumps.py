"""The user: "count the jumps". The assistant: "one", "two", as they happen."""

import dataclasses

from interaction_jax.data.synthetic import scene, world
from interaction_jax.data.synthetic.request import fixed
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import watch
from interaction_jax.data.synthetic.stage import Stage
from interaction_jax.turns import clock


def _play(stage: Stage) -> None:
  stage.hear("jumps")
  (okay,) = stage.answer(("okay",))
  at = okay.last * clock.SAMPLES + stage.draw_samples(0.4, 1.5)
  jumps = []
  most = 1 + int(
    min(stage.rng.exponential(3.0), 11, max(stage.seconds_left, 0) / 3)
  )
  for number in range(1, most + 1):
    jumps.append(at)
    done = scene.seen_turn(at + scene.JUMP) + 1
    stage.say(world.number(number), turn=done)
    at += scene.JUMP + stage.draw_samples(0.8, 1.6)
  shape = str(stage.rng.choice((*world.SHAPES, "person")))
  seconds = (at - stage.start) / clock.SAMPLE_RATE
  stage.show(
    dataclasses.replace(
      watch.thing(stage, shape, stage.start, seconds), jumps=tuple(jumps)
    )
  )
  stage.facts["jumps"] = [jump / clock.SAMPLE_RATE for jump in jumps]


SCENARIO = Scenario(
  "jumps",
  0.06,
  _play,
  {"jumps": fixed("count", "the", "jumps", share=1.0)},
  video=True,
)
