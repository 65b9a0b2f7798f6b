import pytest

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.request import reserved


def _asked(play, split="train", seeds=60, **kwargs):
  for seed in range(seeds):
    stage = play("elapsed", seed, split=split, **kwargs)
    if stage.facts["seconds"]:
      yield stage


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_the_time_is_that_between_the_requests(play, in_time, split):
  seen = set()
  for stage in _asked(play, split):
    begun, asked = stage.utterances[0], stage.utterances[-1]
    seconds = stage.facts["seconds"]
    assert begun.words == ("start", "the", "clock")
    assert asked.words == ("how", "long")
    # Far from where rounding is in doubt; two samples are rounded away.
    assert abs((asked.at - begun.end) / 16_000 - seconds) < 0.351
    assert reserved((str(seconds),)) == (split == "held_out")
    answer = [word.word for word in stage.spoken[1:]]
    assert answer == [*world.number(seconds), "seconds"]
    assert in_time(stage.spoken[1], asked.end)
    assert asked.at >= stage.utterances[-2].end
    seen.add(seconds)
  assert len(seen) > 3 and max(seen) > 12


def test_it_may_be_asked_after_other_exchanges(play):
  begun = [
    stage
    for stage in (play("elapsed", seed) for seed in range(40))
    if stage.facts["seconds"] is None
  ]
  assert 5 < len(begun) < 25
  for stage in begun:
    clock = stage.memory["clock"]
    assert clock == stage.utterances[0].end
    later = play("elapsed", 1, start=clock + 20 * 16_000, clock=clock)
    (asked,) = later.utterances
    assert abs((asked.at - clock) / 16_000 - later.facts["seconds"]) < 0.351
    assert later.facts["seconds"] >= 20 and "clock" not in later.memory


def test_a_clock_that_ran_too_long_is_started_again(play):
  stage = play("elapsed", 2, start=60 * 16_000, clock=3)
  assert stage.utterances[0].words == ("start", "the", "clock")


def test_what_is_said_meanwhile_changes_nothing(play):
  between = [s for s in _asked(play) if len(s.utterances) == 3]
  assert between
  for stage in between:
    assert stage.utterances[1].clip.phrase == "quiet"
    assert stage.utterances[1].end < stage.utterances[2].at
