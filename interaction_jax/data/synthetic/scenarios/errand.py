"""The user: "my city is paris" ... "how is the weather". Delegated, with it."""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request, fixed
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import search
from interaction_jax.data.synthetic.stage import Stage


def _draw(rng: np.random.Generator) -> Request:
  return Request(("my", "city", "is", str(rng.choice(world.CITIES))), (3,))


def _play(stage: Stage) -> None:
  if "city" not in stage.memory or stage.rng.random() < 0.2:
    stage.memory["city"] = stage.hear("errand.city").words[-1]
    stage.answer(("okay",))
    if stage.rng.random() < 0.5:
      return
    pause = stage.draw_samples(0.5, 2.0)
    stage.hear("errand", at=stage.now + pause)
  else:
    stage.hear("errand")
  city = stage.memory["city"]
  (okay,) = stage.answer(("okay",))
  stage.write("delegate", f" weather in {city}", turn=okay.turn + 1)
  weather = str(stage.rng.choice(world.WEATHER))
  turn = search.weave(stage, weather, earliest=okay.last + 1)
  stage.say(("it", "is", weather, "in", city), turn=turn)


SCENARIO = Scenario(
  "errand",
  0.2,
  _play,
  {
    "errand.city": Phrase(_draw, share=2.0),
    "errand": fixed("how", "is", "the", "weather", share=1.0),
  },
)
