"""The user types a request; the assistant says the answer.

Now and then it is speaking already, and breaks off.
"""

from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import (
  count,
  greet,
  repeat,
  stop,
  sums,
)
from interaction_jax.data.synthetic.stage import Stage

_ASKED = (repeat, sums, count, greet)


def _play(stage: Stage) -> None:
  at = stop.during(stage) if stage.rng.random() < 0.25 else stage.start
  asked = _ASKED[stage.rng.choice(len(_ASKED), p=[0.4, 0.3, 0.1, 0.2])]
  (phrase,) = asked.SCENARIO.phrases.values()
  words = stage.request(phrase).words
  turn = stage.type(words, at=at)
  if stage.spoken:
    stage.break_off(turn + 1)
  stage.answer(asked.reply(words), pace=count.PACE if asked is count else None)


SCENARIO = Scenario("typed", 0.05, _play)
