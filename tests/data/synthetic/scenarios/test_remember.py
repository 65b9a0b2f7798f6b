from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.scenarios import count


def test_the_word_is_remembered(play, said, in_time):
  kinds = set()
  for seed in range(60):
    stage = play("remember", seed, word="before")
    *before, asked = stage.utterances
    assert stage.memory["word"] == asked.words[-1] in world.THINGS
    assert stage.facts["while_speaking"] == bool(before)
    words = said(stage).split()
    counted = list(count.reply(before[0].words)) if before else []
    # What it says of its own accord goes on; only then it says "okay".
    late = not before or words[-1] == "okay"
    assert words == counted + ["okay"] * late
    if late:
      assert in_time(stage.spoken[-1], asked.end)
    else:
      assert asked.end < stage.silent_from * 3200
    kinds.add((bool(before), late))
  assert {(False, True), (True, False)} <= kinds
