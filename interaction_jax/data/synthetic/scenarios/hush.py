"""The user: "be quiet". Whatever comes, nothing is said until "talk again".

An instruction may have said so before the conversation began.
"""

from interaction_jax.data.synthetic.request import fixed
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage


def _play(stage: Stage) -> None:
  if stage.memory.pop("next", None) is None:
    stage.hear("hush")
    stage.answer(("okay",))
  most = min(20.0, max(stage.seconds_left, 0) / 4)
  for _ in range(1 + int(min(stage.rng.exponential(2.0), most))):
    name = ("repeat", "sums", "greet", "quiet")[stage.rng.integers(4)]
    pause = stage.draw_samples(0.4, 2.0)
    stage.hear(name, at=stage.now + pause)
  pause = stage.draw_samples(0.6, 2.5)
  stage.hear("hush.over", at=stage.now + pause)
  stage.answer(("okay",))


SCENARIO = Scenario(
  "hush",
  0.04,
  _play,
  {
    "hush": fixed("be", "quiet", share=1.0),
    "hush.over": fixed("talk", "again", share=1.0),
  },
)
