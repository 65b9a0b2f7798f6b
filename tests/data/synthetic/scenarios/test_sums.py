import numpy as np
import pytest

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.scenarios import sums


@pytest.mark.parametrize(
  ("asked", "answer"),
  [
    ("what is two plus three", "five"),
    ("what is one plus one", "two"),
    ("what is ten plus ten", "twenty"),
    ("what is four minus three", "one"),
    ("what is nineteen minus five", "fourteen"),
    ("what is nine minus five plus two", "six"),
  ],
)
def test_it_adds_and_subtracts(asked, answer):
  assert sums.reply(tuple(asked.split())) == (answer,)


def test_no_result_exceeds_the_numbers_there_are():
  rng = np.random.default_rng(1)
  asked = [sums.draw(rng) for _ in range(600)]
  answers = {sums.reply(request.words)[0] for request in asked}
  assert answers == set(world.NUMBERS)
  assert all(request.pauses == (2, 4) for request in asked)


def test_the_exchange(play, said, in_time):
  for seed in range(8):
    stage = play("sums", seed)
    (asked,) = stage.utterances
    first, sign, second = asked.words[2:]
    second = world.value(second) * (1 if sign == "plus" else -1)
    assert world.value(said(stage)) == world.value(first) + second
    assert in_time(stage.spoken[0], asked.end)
