"""The user: "is anyone there". The assistant: "yes", if a person is seen."""

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import fixed
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import watch
from interaction_jax.data.synthetic.stage import Stage
from interaction_jax.turns import clock


def _play(stage: Stage) -> None:
  # Long enough before, and not in the exchange before this one.
  at = stage.start + stage.draw_samples(0.2, 2.0)
  stage.hear("presence", at=at)
  there = stage.rng.random() < 0.5
  shape = "person" if there else str(stage.rng.choice(world.SHAPES))
  (word,) = stage.answer(("yes" if there else "no",))
  if there or stage.rng.random() < 0.5:
    seconds = (word.last * clock.SAMPLES - stage.start) / clock.SAMPLE_RATE
    stage.show(watch.thing(stage, shape, stage.start, seconds))
  stage.facts["there"] = there


SCENARIO = Scenario(
  "presence",
  0.05,
  _play,
  {"presence": fixed("is", "anyone", "there", share=1.0)},
  video=True,
)
