def test_nothing_is_said_of_what_nobody_asked_about(play):
  shapes, speech = set(), 0
  for seed in range(40):
    stage = play("passing", seed)
    assert stage.spoken == [] and stage.things
    assert all(one.clip.phrase == "quiet" for one in stage.utterances)
    times = [t for one in stage.things for t in (one.first, one.last)]
    assert times == sorted(times)
    shapes.update(thing.shape for thing in stage.things)
    speech += len(stage.utterances)
  assert shapes == {"ball", "box", "star", "cross", "person"}
  assert 4 < speech < 20
