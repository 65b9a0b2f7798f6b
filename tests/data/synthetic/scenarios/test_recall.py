from interaction_jax.data.synthetic.scenarios import recall


def test_it_needs_something_to_recall():
  assert not recall.SCENARIO.fits({})
  assert recall.SCENARIO.fits({"word": "cat"})


def test_the_word_is_said_and_forgotten(play, said, in_time):
  stage = play("recall", word="tiger")
  assert said(stage) == "tiger" and "word" not in stage.memory
  assert in_time(stage.spoken[0], stage.utterances[0].end)
