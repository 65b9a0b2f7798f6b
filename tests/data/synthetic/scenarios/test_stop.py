from interaction_jax.data.synthetic.scenarios import count


def test_it_falls_silent_and_says_no_more(play, said):
  for seed in range(40):
    stage = play("stop", seed)
    asked, stop = stage.utterances
    assert asked.words[0] == "count" and stop.words == ("stop",)
    # The counting has begun when the user speaks.
    assert stop.at > stage.onset * 3200
    ((place, dropped),) = stage.label("stop")["broken"]
    words = said(stage).split()
    assert [*words, *dropped] == list(count.reply(asked.words))
    assert place == len(words) > 0 and dropped
    assert stage.facts["understood"] == stop.end / 16_000
    # Silent within two turns of the word.
    assert stage.silent_from * 3200 - stop.end < 4800
    assert all(word.turn * 3200 - stop.end < 1600 for word in stage.spoken)
