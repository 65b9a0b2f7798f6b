from interaction_jax.data.synthetic import world


def test_nothing_follows_from_what_others_are_told(play):
  kinds = set()
  for seed in range(40):
    stage = play("aside", seed, met=True)
    *asked, one = stage.utterances
    if one.captioned:
      assert one.words[0] in world.NAMES
      assert one.clip.voice == asked[0].clip.voice if asked else True
    else:
      assert one.level_db <= -12
      assert one.clip.voice != play("greet", seed).utterances[0].clip.voice
    if asked:
      # It goes on counting.
      assert asked[0].words[0] == "count"
      numbers = world.NUMBERS[: len(stage.spoken)]
      assert tuple(word.word for word in stage.spoken) == numbers
      assert one.at < stage.silent_from * 3200
    else:
      assert stage.spoken == []
    kinds.add((bool(asked), one.captioned))
  assert len(kinds) == 4


def test_others_are_not_heard_before_the_user(play):
  for seed in range(30):
    stage = play("aside", seed)
    first = stage.utterances[0]
    assert first.captioned
    assert stage.memory["met"]
