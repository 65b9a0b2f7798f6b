import pytest

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.scenarios import check


@pytest.mark.parametrize(
  ("words", "place"),
  [
    ("one two three four", None),
    ("one two four five", 2),
    ("one three four five", 1),
  ],
)
def test_a_missing_number_is_noticed(words, place):
  assert check.mistake(tuple(words.split())) == place


def test_it_is_said_while_the_user_counts(play, said, at_once):
  wrong = 0
  for seed in range(40):
    stage = play("check", seed)
    _, counted = stage.utterances
    place = stage.facts["mistake"]
    assert place == check.mistake(counted.words)
    if place is None:
      assert said(stage) == "okay"
      continue
    missed = world.number(place + 1)[0]
    assert said(stage) == f"okay {missed}" and missed not in counted.words
    end = counted.word_end(place)
    assert at_once(stage.spoken[1], end)
    assert stage.facts["mistake_at"] == end / 16_000
    # The user is still speaking when it begins.
    assert stage.spoken[1].turn * 3200 < counted.end
    wrong += 1
  assert 20 < wrong < 38
