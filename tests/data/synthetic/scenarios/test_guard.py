import pytest

from interaction_jax.data.synthetic import scene


@pytest.mark.parametrize("left", [15.0, 60.0, 200.0], ids=str)
def test_each_time_it_says_what_it_sees(play, left):
  events = others = 0
  for seed in range(12):
    stage = play("guard", seed, left=left)
    wanted = stage.utterances[0].words[-1]
    words = [word for word in stage.spoken if word.word != "okay"]
    found = [thing for thing in stage.things if thing.shape == wanted]
    assert stage.facts["events"] == [one.first / 16_000 for one in found]
    assert [word.word for word in words] == [
      word for one in found for word in (one.colour, wanted)
    ]
    for thing, word in zip(found, words[::2], strict=True):
      # Seen in the turn that writes it, in its second picture at the latest;
      # said within a second.
      assert scene.seen_turn(thing.first) == word.turn - 1
      assert 1600 <= word.turn * 3200 - thing.first < 16_000
    events += len(found)
    others += len(stage.things) - len(found)
  assert events > 5 and others > 5


def test_it_ends_when_told(play):
  for seed in range(12):
    stage = play("guard", seed)
    assert stage.utterances[-1].words == ("stop",)
    assert stage.spoken[-1].word == "okay"
    assert max(thing.last for thing in stage.things) < stage.utterances[-1].at


def test_it_lasts_for_minutes_where_there_are_any(play):
  longest = max(play("guard", seed, left=200.0).end for seed in range(12))
  assert 100 * 16_000 < longest < 204 * 16_000
