"""The user: "start the clock" ... "how long". The assistant: "six seconds".

The question comes in the same exchange, or after others.
"""

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import fixed
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage
from interaction_jax.turns import clock

_LONGEST = 45
"""Seconds after which the clock is started again instead."""


def _play(stage: Stage) -> None:
  begun = stage.memory.pop("clock", None)
  stage.facts["seconds"] = None
  late = begun is not None and (stage.start - begun) / clock.SAMPLE_RATE
  if begun is not None and late < _LONGEST:
    _ask(stage, begun, 1)
    return
  begun = stage.hear("elapsed.start").end
  stage.answer(("okay",))
  if stage.rng.random() < 0.3:
    stage.memory["clock"] = begun
    return
  wanted = int(stage.rng.integers(3, 13))
  if stage.seconds_left > 40 and stage.rng.random() < 0.3:
    most = int(min(stage.seconds_left - 5, _LONGEST))
    wanted = int(stage.rng.integers(13, most))
  if wanted > 6 and stage.rng.random() < 0.5:
    stage.hear("quiet", at=stage.now + stage.draw_samples(0.5, 1.5))
  _ask(stage, begun, wanted)


def _ask(stage: Stage, begun: int, wanted: int) -> None:
  """Asks that many seconds after `begun`, or as soon as can be after that.

  From the end of one request to the beginning of the other it is a whole
  number of seconds, near enough that rounding leaves no doubt.
  """
  wobble = stage.draw_seconds(-0.35, 0.35)
  while True:
    at = begun + int((wanted + wobble) * clock.SAMPLE_RATE)
    if stage.allows(wanted) and at >= stage.now + clock.SAMPLES:
      break
    wanted += 1
  stage.hear("elapsed", at=at)
  stage.answer((*world.number(wanted), "seconds"))
  stage.facts["seconds"] = wanted


SCENARIO = Scenario(
  "elapsed",
  0.08,
  _play,
  {
    "elapsed.start": fixed("start", "the", "clock", share=1.0),
    "elapsed": fixed("how", "long", share=1.0),
  },
)
