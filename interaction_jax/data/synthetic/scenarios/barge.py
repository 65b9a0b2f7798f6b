"""The user interrupts with another request, which is answered instead."""

from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import repeat, stop, sums
from interaction_jax.data.synthetic.stage import Stage, caption_turn
from interaction_jax.turns import clock


def _play(stage: Stage) -> None:
  at = stop.during(stage)
  name, asked = (("repeat", repeat), ("sums", sums))[stage.rng.integers(2)]
  said = stage.hear(name, at=at)
  # It yields to the first word already.
  understood = said.word_end(0)
  stage.facts["understood"] = understood / clock.SAMPLE_RATE
  stage.break_off(caption_turn(understood))
  stage.answer(asked.reply(said.words))


SCENARIO = Scenario("barge", 0.08, _play)
