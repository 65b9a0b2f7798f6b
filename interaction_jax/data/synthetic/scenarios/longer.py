"""Two tones; the assistant: "longer", once the second is longer."""

from interaction_jax.data.synthetic.request import fixed
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.stage import Stage, reply_turn
from interaction_jax.turns import clock


def _play(stage: Stage) -> None:
  stage.hear("longer")
  (okay,) = stage.answer(("okay",))
  pitch = float(stage.rng.uniform(300, 900))
  first = stage.beep(
    at=okay.last * clock.SAMPLES + stage.draw_samples(0.4, 1.2),
    seconds=stage.draw_seconds(0.6, 2.4),
    pitch=pitch,
  )
  longer = stage.rng.random() < 0.6
  ratio = stage.rng.uniform(1.5, 2.2) if longer else stage.rng.uniform(0.3, 0.7)
  second = stage.beep(
    at=first.end + stage.draw_samples(0.6, 1.6),
    seconds=first.length / clock.SAMPLE_RATE * float(ratio),
    pitch=pitch,
  )
  if longer:
    # Beyond doubt: a quarter longer than the first, or 200 ms.
    margin = max(first.length // 4, clock.SAMPLES)
    stage.say(
      ("longer",), turn=reply_turn(second.at + first.length + margin) - 1
    )
  stage.facts["longer"] = longer
  stage.facts["crossing"] = (second.at + first.length) / clock.SAMPLE_RATE


SCENARIO = Scenario(
  "longer",
  0.08,
  _play,
  {
    "longer": fixed(
      "tell", "me", "if", "the", "second", "sound", "is", "longer", share=1.0
    )
  },
)
