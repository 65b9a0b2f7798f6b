def test_nothing_is_said_until_it_may(play, said, in_time):
  counts = set()
  for seed in range(30):
    stage = play("hush", seed)
    first, *others, last = stage.utterances
    assert first.words == ("be", "quiet") and last.words == ("talk", "again")
    assert said(stage) == "okay okay" and others
    assert in_time(stage.spoken[0], first.end)
    assert in_time(stage.spoken[1], last.end)
    counts.add(len(others))
  assert min(counts) == 1 and max(counts) > 4


def test_it_was_told_before(play, said):
  stage = play("hush", 3, next="hush")
  assert said(stage) == "okay" and "next" not in stage.memory
  assert stage.utterances[0].words != ("be", "quiet")


def test_there_is_more_to_hear_in_longer_conversations(play):
  def most(left):
    counts = [len(play("hush", s, left=left).utterances) for s in range(40)]
    return max(counts)

  assert most(8.0) <= 5 < most(100.0)
