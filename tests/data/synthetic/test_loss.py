import itertools

import numpy as np
import pytest

from interaction_jax.data.synthetic import loss
from interaction_jax.data.synthetic.scene import Thing
from interaction_jax.data.synthetic.stage import Stage

TURN = 3200
CHUNK = 320


@pytest.fixture
def stage(bank):
  voice = bank.user_voices("train")[0]
  rng = np.random.default_rng(0)
  stage = Stage(bank, rng, split="train", voice=voice, start=TURN)
  stage.hear("timer")
  stage.beep(at=stage.now + TURN, seconds=2.0, pitch=400.0)
  return stage


def _lost(stage, seeds=200, total=40 * TURN):
  for seed in range(seeds):
    yield loss.of_sound([stage], total, np.random.default_rng(seed))


def test_chunks_of_20_to_200_ms_are_lost(stage):
  lengths, counts = set(), set()
  for gaps in _lost(stage):
    assert list(gaps) == sorted(gaps)
    for first, last in gaps:
      assert 0 <= first < last <= 40 * TURN
      assert first % CHUNK == last % CHUNK == 0
      lengths.add((last - first) // CHUNK)
    for (_, last), (first, _) in itertools.pairwise(gaps):
      assert first - last >= TURN
    counts.add(len(gaps))
  assert lengths == set(range(1, 11)) and counts == set(range(1, 7))


def test_of_what_is_heard_little_is_lost(stage):
  met = 0
  for first, last in itertools.chain(*_lost(stage)):
    for sound in (*stage.utterances, *stage.noises):
      if first < sound.end and sound.at < last:
        assert last - first <= 3 * CHUNK
        met += 1
  assert met > 50


def test_pictures_are_lost_where_nothing_hangs_on_them(stage):
  times = np.arange(0, 60 * TURN, 1600)
  stage.show(Thing("ball", "red", 20 * TURN, 30 * TURN))
  runs = set()
  for seed in range(100):
    lost = loss.of_pictures([stage], times, np.random.default_rng(seed))
    assert list(lost) == sorted(set(lost)) and set(lost) <= set(times.tolist())
    assert not any(20 * TURN <= at < stage.end for at in lost)
    runs.add(len(lost))
  assert max(runs) > 5
