"""The user: "find the code of anna". Another model looks; it is told later.

Meanwhile the user may ask for something else, and is answered at once. What
was found is said in the next gap.
"""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import sums
from interaction_jax.data.synthetic.stage import Stage, caption_turn


def _draw(rng: np.random.Generator) -> Request:
  words = ("find", "the", "code", "of", str(rng.choice(world.NAMES)))
  return Request(words, pauses=(2, 4))


def _play(stage: Stage) -> None:
  name = stage.hear("search").words[-1]
  (okay,) = stage.answer(("okay",))
  stage.write("delegate", f" code of {name}", turn=okay.turn + 1)
  stage.facts["asked_turn"] = okay.turn
  found = tuple(map(str, stage.rng.choice(world.THINGS, 2)))
  report = weave(stage, " ".join(found), earliest=okay.last + 1)
  stage.say(found, turn=report)


def weave(stage: Stage, text: str, *, earliest: int) -> int:
  """A report arrives; returns the turn in which it can be said.

  In half of all cases the user asks for something meanwhile.
  """
  if stage.rng.random() < 0.5:
    turn = earliest + int(stage.rng.integers(3, 15))
    stage.told(text, turn=turn)
    return turn + 1
  asked = stage.hear("sums", at=stage.now + stage.draw_samples(0.3, 1.2))
  answered = stage.answer(sums.reply(asked.words))[-1].last
  # It arrives while the user is heard or is being answered, and waits.
  first = max(earliest, caption_turn(asked.at) - 1)
  turn = int(stage.rng.integers(first, answered))
  stage.told(text, turn=turn)
  return max(turn + 1, answered)


SCENARIO = Scenario("search", 0.08, _play, {"search": Phrase(_draw, share=2.0)})
