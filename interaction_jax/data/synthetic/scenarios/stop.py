"""The user says "stop" while the assistant counts; it falls silent."""

from interaction_jax.data.synthetic.request import fixed
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import count
from interaction_jax.data.synthetic.stage import Stage, caption_turn
from interaction_jax.turns import clock


def during(stage: Stage) -> int:
  """Lets the assistant count; returns a moment in the middle of that."""
  asked = stage.hear("count", where=count.is_long)
  said = stage.answer(count.reply(asked.words), pace=count.PACE)
  # Not in the very last turns: then there would be nothing left to stop.
  first, last = said[0].turn + 1, said[-1].last - 2 * count.PACE
  return int(stage.rng.uniform(first, last) * clock.SAMPLES)


def _play(stage: Stage) -> None:
  said = stage.hear("stop", at=during(stage))
  # As soon as the word is out; no silence has to be waited for.
  stage.break_off(caption_turn(said.end))
  stage.facts["understood"] = said.end / clock.SAMPLE_RATE


SCENARIO = Scenario("stop", 0.04, _play, {"stop": fixed("stop")})
