from interaction_jax.data.synthetic import world


def test_it_speaks_up_at_equal_times_until_told(play, said, in_time):
  periods = set()
  for seed in range(40):
    stage = play("remind", seed)
    asked, stop = stage.utterances
    okay, *times, last = stage.spoken
    seconds = world.value(asked.words[3])
    assert stage.facts["period"] == seconds
    assert {word.word for word in times} == {"time"} and len(times) >= 2
    assert [word.turn - okay.turn for word in times] == [
      5 * seconds * (number + 1) for number in range(len(times))
    ]
    assert stop.words == ("stop",) and last.word == "okay"
    assert in_time(last, stop.end)
    # Before it would have been due again.
    assert times[-1].last * 3200 <= stop.at
    assert last.last <= times[-1].turn + 5 * seconds
    periods.add(seconds)
  assert min(periods) == 2 and max(periods) > 6
