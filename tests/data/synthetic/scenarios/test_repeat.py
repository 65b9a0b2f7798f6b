import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.scenarios import repeat


def test_things_are_said_back():
  rng = np.random.default_rng(0)
  lengths = set()
  for _ in range(60):
    request = repeat.draw(rng)
    assert request.words[0] == "say" and request.pauses == (1,)
    assert set(request.words[1:]) <= set(world.THINGS)
    assert repeat.reply(request.words) == request.words[1:]
    lengths.add(len(request.words))
  assert lengths == {2, 3, 4}


def test_the_exchange(play, said, in_time):
  for seed in range(8):
    stage = play("repeat", seed)
    (asked,) = stage.utterances
    assert ("say", *said(stage).split()) == asked.words
    assert in_time(stage.spoken[0], asked.end)
