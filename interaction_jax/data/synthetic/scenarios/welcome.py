"""The user: "say hello when you see someone". The assistant does, once."""

from interaction_jax.data.synthetic.request import fixed
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import watch
from interaction_jax.data.synthetic.stage import Stage


def _play(stage: Stage) -> None:
  stage.hear("welcome")
  stage.answer(("okay",))
  watch.wait(stage, "person", ("hello",))


SCENARIO = Scenario(
  "welcome",
  0.05,
  _play,
  {
    "welcome": fixed("say", "hello", "when", "you", "see", "someone", share=1.0)
  },
  video=True,
)
