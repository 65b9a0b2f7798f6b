from interaction_jax.data.synthetic import scene


def test_it_greets_who_comes_because_it_was_asked_to(play, said):
  came = set()
  for seed in range(30):
    stage = play("welcome", seed)
    people = [thing for thing in stage.things if thing.shape == "person"]
    assert said(stage) == ("okay hello" if people else "okay okay")
    if people:
      hello = stage.spoken[1]
      assert hello.turn - 1 == scene.seen_turn(people[0].first)
      assert hello.turn * 3200 - people[0].first < 16_000
    came.add(len(people))
  assert came == {0, 1}
