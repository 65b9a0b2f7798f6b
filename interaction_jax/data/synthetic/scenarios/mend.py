"""The user: "check what i say", and mixes languages: "i saw a red gato ...".

The assistant says the right word while the user goes on.
"""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request, fixed
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import story
from interaction_jax.data.synthetic.stage import Stage, caption_turn
from interaction_jax.turns import clock

_RIGHT = {foreign: word for word, foreign in world.LEXICON.items()}


def _draw(rng: np.random.Generator) -> Request:
  """A sentence, in most cases with one foreign word well before its end."""
  ends = (
    ("and", "then", "i", "went", "home"),
    ("in", "the", "summer", "house"),
  )
  words = [*story.piece(rng), *ends[rng.integers(2)]]
  places = [
    place for place, word in enumerate(words[:-3]) if word in world.LEXICON
  ]
  if places and rng.random() < 0.9:
    place = places[rng.integers(len(places))]
    words[place] = world.LEXICON[words[place]]
  return Request(tuple(words))


def mistake(words: tuple[str, ...]) -> int | None:
  """Which word is foreign, if one is."""
  return next((i for i, word in enumerate(words) if word in _RIGHT), None)


def _play(stage: Stage) -> None:
  stage.hear("mend")
  (okay,) = stage.answer(("okay",))
  at = okay.last * clock.SAMPLES + stage.draw_samples(0.2, 1.0)
  said = stage.hear("mend.said", at=at)
  place = mistake(said.words)
  stage.facts["mistake"] = place
  if place is not None:
    end = said.word_end(place)
    stage.say((_RIGHT[said.words[place]],), turn=caption_turn(end))
    stage.facts["mistake_at"] = end / clock.SAMPLE_RATE


SCENARIO = Scenario(
  "mend",
  0.08,
  _play,
  {
    "mend": fixed("check", "what", "i", "say", share=1.0),
    "mend.said": Phrase(_draw, share=3.0, combines=True),
  },
  # An assistant that translates would say the foreign word again.
  fits=lambda memory: not memory.get("foreign"),
)
