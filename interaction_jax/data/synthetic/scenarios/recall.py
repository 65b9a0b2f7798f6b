"""The user: "what was the word". The assistant: "tiger"."""

from interaction_jax.data.synthetic.request import fixed
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage


def _play(stage: Stage) -> None:
  stage.hear("recall")
  stage.answer((stage.memory.pop("word"),))


SCENARIO = Scenario(
  "recall",
  # It can come only where there is a word, so it is rare enough.
  2.5,
  _play,
  {"recall": fixed("what", "was", "the", "word", share=1.0)},
  fits=lambda memory: "word" in memory,
)
