import pytest

from interaction_jax.data.synthetic.scenarios import greet


@pytest.mark.parametrize(
  ("heard", "answer"),
  [
    ("hello", "hello"),
    ("good morning", "good morning"),
    ("thank you", "welcome"),
    ("goodbye", "goodbye"),
  ],
)
def test_it_is_polite(heard, answer):
  assert greet.reply(tuple(heard.split())) == tuple(answer.split())


def test_the_exchange(play, said, in_time):
  for seed in range(8):
    stage = play("greet", seed)
    (heard,) = stage.utterances
    assert said(stage).split() == list(greet.reply(heard.words))
    assert in_time(stage.spoken[0], heard.end)
