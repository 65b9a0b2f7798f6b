import pytest

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import mend


@pytest.mark.parametrize(
  ("words", "place"),
  [
    ("i saw a red cat and then i went home", None),
    ("i saw a rojo cat and then i went home", 3),
    ("then i ate pan in the summer house", 3),
  ],
)
def test_a_foreign_word_is_noticed(words, place):
  assert mend.mistake(tuple(words.split())) == place


def test_the_right_word_comes_while_the_user_speaks(play, said, at_once):
  wrong = 0
  for seed in range(40):
    stage = play("mend", seed)
    _, heard = stage.utterances
    place = mend.mistake(heard.words)
    assert stage.facts["mistake"] == place
    if place is None:
      assert said(stage) == "okay"
      continue
    right = stage.spoken[1]
    assert world.LEXICON[right.word] == heard.words[place]
    end = heard.word_end(place)
    assert at_once(right, end) and right.turn * 3200 < heard.end
    assert stage.facts["mistake_at"] == end / 16_000
    wrong += 1
  assert 8 < wrong < 36


def test_who_translates_does_not_mend():
  assert isinstance(mend.SCENARIO, Scenario)
  assert not mend.SCENARIO.fits({"foreign": True})
  assert mend.SCENARIO.fits({})
