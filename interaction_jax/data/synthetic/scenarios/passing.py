"""Things and people come and go. Nobody asked, so nothing is said."""

import dataclasses

from interaction_jax.data.synthetic import scene, world
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import watch
from interaction_jax.data.synthetic.stage import Stage
from interaction_jax.turns import clock


def _play(stage: Stage) -> None:
  at = stage.start
  for _ in range(int(stage.rng.integers(1, 4))):
    shape = str(stage.rng.choice((*world.SHAPES, "person")))
    seconds = stage.draw_seconds(1.2, 3.0)
    jumps = (at + scene.EVERY * clock.SAMPLES,)
    shown = watch.thing(stage, shape, at, seconds)
    if stage.rng.random() < 0.3:
      shown = dataclasses.replace(shown, jumps=jumps)
    stage.show(shown)
    at = shown.last + stage.draw_samples(0.4, 1.5)
  if stage.rng.random() < 0.3:
    stage.hear("quiet")


SCENARIO = Scenario("passing", 0.05, _play, video=True)
