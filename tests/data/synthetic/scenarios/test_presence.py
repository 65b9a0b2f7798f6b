from interaction_jax.data.synthetic import scene


def test_it_says_who_is_there(play, said, in_time):
  seen = set()
  for seed in range(40):
    stage = play("presence", seed)
    (asked,) = stage.utterances
    there = any(thing.shape == "person" for thing in stage.things)
    assert stage.facts["there"] == there
    assert said(stage) == ("yes" if there else "no")
    assert in_time(stage.spoken[0], asked.end)
    for thing in stage.things:
      # Seen before the question is over, until the answer is.
      assert scene.seen_turn(thing.first) * 3200 < asked.end
      assert thing.first == stage.start
      assert thing.last >= stage.spoken[0].last * 3200 - 1
    seen.add((there, len(stage.things)))
  assert seen == {(True, 1), (False, 0), (False, 1)}
