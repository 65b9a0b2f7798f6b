"""The user types small questions, one after the other, and is answered aloud.

What is typed takes no time, so that there are many in a minute: sums of three
numbers, too many to be learned by heart; and what was told a moment ago.
"""

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import Phrase, Request, reserved
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import (
  recall,
  remember,
  repeat,
  sums,
)
from interaction_jax.data.synthetic.stage import Stage

_MOST = 14
"""Questions in a row."""

_SECONDS = 1.5
"""For each of them, with the pause before it and its answer."""


def _draw_long(rng: np.random.Generator) -> Request:
  """Three numbers; the first two are no sum that is kept for testing."""
  while True:
    total, *more = (int(one) for one in rng.integers(1, 21, 3))
    words = ["what", "is", *world.number(total)]
    for number in more:
      sign = "plus" if rng.random() < 0.5 else "minus"
      total += number if sign == "plus" else -number
      words += [sign, *world.number(number)]
      if not 1 <= total <= len(world.NUMBERS):
        break
    else:
      if not reserved(tuple(words[:5])):
        return Request(tuple(words))


_LONG = Phrase(_draw_long, combines=True)
_REMEMBER = remember.SCENARIO.phrases["remember"]
_RECALL = recall.SCENARIO.phrases["recall"]
_SUM = sums.SCENARIO.phrases["sums"]
_REPEAT = repeat.SCENARIO.phrases["repeat"]


def _play(stage: Stage) -> None:
  had: dict[str, str] = {}
  most = int(min(_MOST, max(stage.seconds_left, 0) / _SECONDS))
  for _ in range(int(stage.rng.integers(3, max(most, 3) + 1))):
    kind = stage.rng.choice(
      ("long", "sum", "repeat", "word", "had"), p=(0.5, 0.04, 0.06, 0.2, 0.2)
    )
    if kind == "word":
      _word(stage)
    elif kind == "had":
      _had(stage, had)
    elif kind == "repeat":
      words = stage.request(_REPEAT).words
      _type(stage, words, repeat.reply(words))
    else:
      words = stage.request(_LONG if kind == "long" else _SUM).words
      _type(stage, words, sums.reply(words))


def _word(stage: Stage) -> None:
  """Something to be remembered, or what that was."""
  if "word" in stage.memory and stage.rng.random() < 0.7:
    word = stage.memory.pop("word")
    _type(stage, stage.request(_RECALL).words, (word,))
  else:
    words = stage.request(_REMEMBER).words
    _type(stage, words, ("okay",))
    stage.memory["word"] = words[-1]


def _had(stage: Stage, had: dict[str, str]) -> None:
  """Who had what: told, which needs no answer, or asked."""
  if had and stage.rng.random() < 0.6:
    name = str(stage.rng.choice(sorted(had)))
    _type(stage, ("what", "had", name), (had[name],))
  else:
    name = str(stage.rng.choice(world.NAMES))
    had[name] = str(stage.rng.choice(world.FOODS))
    _type(stage, (name, "had", had[name]), ())


def _type(
  stage: Stage, words: tuple[str, ...], answer: tuple[str, ...]
) -> None:
  """Types what comes next, soon after what came before."""
  stage.type(words, at=stage.now + stage.draw_samples(0.0, 0.6))
  if answer:
    stage.answer(answer)


SCENARIO = Scenario("quiz", 0.45, _play)
