from interaction_jax.data.synthetic import scene


def test_it_says_what_it_sees_once_it_is_there(play, said):
  kinds = set()
  for seed in range(40):
    stage = play("watch", seed)
    wanted = stage.utterances[0].words[-1]
    found = [thing for thing in stage.things if thing.shape == wanted]
    okay, *words = stage.spoken
    if found:
      (thing,) = found
      assert said(stage) == f"okay {thing.colour} {wanted}"
      assert stage.facts["event"] == thing.first / 16_000
      turn = words[0].turn - 1
      assert turn % scene.EVERY == 0
      pictures = [
        scene.picture(stage.things, turn * 3200 + late, rows=40, columns=60)
        for late in (0, scene.PERIOD)
      ]
      colour = scene.COLOURS[thing.colour]
      assert (pictures[1] == colour).all(-1).sum() > 20
      assert words[0].turn * 3200 - thing.first < 16_000
      # And not a picture earlier.
      assert (turn - scene.EVERY) * 3200 + scene.PERIOD < thing.first
    else:
      assert said(stage) == "okay okay" and stage.facts["event"] is None
      assert stage.utterances[-1].words == ("stop",)
    assert okay.last * 3200 < min((t.first for t in stage.things), default=9e9)
    kinds.add((bool(found), len(stage.things) - len(found)))
  assert kinds == {(True, 0), (True, 1), (False, 0), (False, 1)}
