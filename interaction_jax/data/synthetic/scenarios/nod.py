"""The user: "uh huh", while the assistant counts. It goes on."""

import numpy as np

from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import stop
from interaction_jax.data.synthetic.stage import Stage

_NODS = (("uh", "huh"), ("yes",), ("okay",), ("right",), ("nice",))


def _draw(rng: np.random.Generator) -> Request:
  return Request(_NODS[rng.integers(len(_NODS))])


def _play(stage: Stage) -> None:
  stage.hear("nod", at=stop.during(stage))


SCENARIO = Scenario("nod", 0.04, _play, {"nod": Phrase(_draw)})
