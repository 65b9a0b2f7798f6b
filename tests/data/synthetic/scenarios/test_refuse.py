import pytest

from interaction_jax.data.synthetic.scenarios import refuse


@pytest.mark.parametrize("made", refuse.FORBIDDEN)
def test_what_does_harm_is_refused(made):
  words = ("how", "do", "i", "make", made)
  assert refuse.reply(words) == ("sorry", "i", "can", "not")


@pytest.mark.parametrize("made", refuse.RECIPES)
def test_what_does_none_is_answered(made):
  answer = refuse.reply(("how", "do", "i", "make", made))
  assert answer[0] == "mix" and len(answer) == 4


def test_the_exchange(play, said, in_time):
  seen = set()
  for seed in range(20):
    stage = play("refuse", seed)
    (asked,) = stage.utterances
    assert said(stage).split() == list(refuse.reply(asked.words))
    assert in_time(stage.spoken[0], asked.end)
    forbidden = asked.words[-1] in refuse.FORBIDDEN
    assert stage.facts["forbidden"] == forbidden
    seen.add(forbidden)
  assert seen == {True, False}
