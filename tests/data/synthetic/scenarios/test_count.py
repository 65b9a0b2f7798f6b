import numpy as np
import pytest

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.scenarios import count


@pytest.mark.parametrize("last", [2, 4, 12])
def test_it_counts(last):
  words = ("count", "to", *world.number(last))
  assert count.reply(words) == world.NUMBERS[:last]
  assert count.is_long(words) == (last >= 5)


def test_every_number_fits_the_pace(bank):
  for number in (*world.NUMBERS, "uno", "dos", "tres", "cuatro"):
    assert bank.word(number).length <= count.PACE * 3200


def test_two_is_the_least():
  rng = np.random.default_rng(2)
  last = {count.draw(rng).words[-1] for _ in range(200)}
  assert last == set(world.NUMBERS[1:12])


def test_the_exchange(play, said, in_time):
  for seed in range(8):
    stage = play("count", seed)
    (asked,) = stage.utterances
    assert said(stage).split() == list(count.reply(asked.words))
    assert in_time(stage.spoken[0], asked.end)
    turns = [word.turn for word in stage.spoken]
    assert set(np.diff(turns)) == {count.PACE}
