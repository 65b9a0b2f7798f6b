from interaction_jax.data.synthetic import scene


def _seen(stage, thing, turn):
  """The two pictures of a turn."""
  return [
    scene.picture([thing], turn * 3200 + late, rows=40, columns=60)
    for late in (0, scene.PERIOD)
  ]


def test_start_and_stop_follow_from_what_was_seen(play, said):
  for seed in range(30):
    stage = play("moves", seed)
    (thing,) = stage.things
    first, last = thing.moves
    assert stage.facts["moves"] == [first / 16_000, last / 16_000]
    assert said(stage) == "okay start stop"
    _, start, stop = stage.spoken
    still = scene.picture([thing], first, rows=40, columns=60)
    # A turn at rest before; then the pictures of the turn that writes show it
    # elsewhere, or at rest again.
    before = (first // 3200 - 1) // scene.EVERY * scene.EVERY
    assert all((one == still).all() for one in _seen(stage, thing, before))
    assert any(
      (one != still).any() for one in _seen(stage, thing, start.turn - 1)
    )
    assert all(
      (one == still).all() for one in _seen(stage, thing, stop.turn - 1)
    )
    for word, at in ((start, first), (stop, last)):
      assert (word.turn - 1) % scene.EVERY == 0
      assert 3200 < word.turn * 3200 - at < 16_000


def test_while_it_moves_it_is_never_seen_at_rest(play):
  for seed in range(30):
    stage = play("moves", seed)
    (thing,) = stage.things
    start = stage.spoken[1]
    still = scene.picture([thing], thing.first, rows=40, columns=60)
    for turn in range(start.turn - 1, thing.moves[1] // 3200 - 1):
      if turn % scene.EVERY == 0:
        assert any((one != still).any() for one in _seen(stage, thing, turn))


def test_it_comes_to_rest_where_it_began(play):
  for seed in range(10):
    (thing,) = play("moves", seed).things
    begun = scene._place(thing, thing.moves[0])[0]
    ended = scene._place(thing, thing.moves[1] - 1)[0]
    # Within a fifth of a pixel.
    assert abs(begun - ended) < 0.003
