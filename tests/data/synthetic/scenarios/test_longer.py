def test_it_says_so_once_the_second_is_longer(play, said):
  answers = set()
  for seed in range(40):
    stage = play("longer", seed)
    first, second = stage.noises
    longer = second.length > first.length
    assert stage.facts["longer"] == longer
    assert first.pitch == second.pitch is not None
    assert first.end < second.at
    assert said(stage) == ("okay longer" if longer else "okay")
    # Beyond doubt, either way.
    assert not 0.75 < second.length / first.length < 1.45
    if longer:
      crossing = second.at + first.length
      assert stage.facts["crossing"] == crossing / 16_000
      word = stage.spoken[1]
      # It has heard a quarter more, is done waiting within a second, and the
      # tone still sounds.
      heard = word.turn * 3200
      assert heard >= crossing + max(first.length // 4, 3200)
      assert heard - crossing < 16_000 and heard - 3200 < second.end
    answers.add(longer)
  assert answers == {True, False}


def test_the_first_begins_after_the_answer(play):
  for seed in range(20):
    stage = play("longer", seed)
    assert stage.spoken[0].last * 3200 < stage.noises[0].at
