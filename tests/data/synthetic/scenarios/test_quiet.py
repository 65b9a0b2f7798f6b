import numpy as np

from interaction_jax.data.synthetic.scenarios import quiet


def test_nothing_is_asked_for():
  rng = np.random.default_rng(3)
  for _ in range(100):
    words = quiet.draw(rng).words
    assert not {"say", "what", "count", "stop", "how", "tell"} & set(words)
    assert len(words) > 1


def test_the_exchange(play):
  speech = rattles = counting = 0
  for seed in range(60):
    stage = play("quiet", seed)
    for noise in stage.noises:
      assert noise.pitch is None
      rattles += 1
    if stage.spoken:
      assert stage.noises[0].at < stage.silent_from * 3200
      assert len(stage.spoken) >= 5
      counting += 1
    else:
      speech += len(stage.utterances)
  assert speech + rattles == 60
  assert 7 < rattles < 25 and counting > 0
