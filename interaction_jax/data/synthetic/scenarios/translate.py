"""The user: "translate ... red ... cat". The assistant, meanwhile: "rojo"."""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage, reply_turn


def _word(rng: np.random.Generator) -> Request:
  return Request((str(rng.choice(list(world.LEXICON))),))


def _order(rng: np.random.Generator) -> Request:
  return Request(("translate", "to", "me"))


def _play(stage: Stage) -> None:
  at = stage.hear("translate").end + stage.draw_samples(0.5, 1.0)
  turn = 0
  for _ in range(int(stage.rng.integers(3, 8))):
    said = stage.hear("translate.word", at=at)
    # The translation of a word sounds while the next one is said.
    turn = max(turn, reply_turn(said.end))
    (word,) = stage.say((world.LEXICON[said.words[0]],), turn=turn)
    turn = word.last
    at = said.end + stage.draw_samples(0.25, 0.6)


SCENARIO = Scenario(
  "translate",
  0.04,
  _play,
  {
    "translate": Phrase(_order, share=0.5),
    "translate.word": Phrase(_word, 2.0),
  },
)
