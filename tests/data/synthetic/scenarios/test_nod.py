from interaction_jax.data.synthetic.scenarios import count


def test_it_goes_on_counting(play, said):
  heard = set()
  for seed in range(30):
    stage = play("nod", seed)
    asked, nod = stage.utterances
    assert said(stage).split() == list(count.reply(asked.words))
    assert stage.onset * 3200 < nod.at < stage.silent_from * 3200
    assert stage.label("nod")["broken"] == []
    heard.add(nod.words)
  assert ("uh", "huh") in heard and len(heard) > 2
