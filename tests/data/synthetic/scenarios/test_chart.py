import json

import numpy as np
import pytest

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.scenarios import chart


@pytest.mark.parametrize(
  ("asked", "data"),
  [
    ("show a chart with red two blue five", {"red": 2, "blue": 5}),
    ("show a chart with egg nine tea one", {"egg": 9, "tea": 1}),
  ],
)
def test_the_chart_says_what_was_asked_for(asked, data):
  spec = json.loads(chart.spec(tuple(asked.split())))
  assert spec == {"chart": "bar", "data": data}


def test_it_is_drawn_while_it_is_announced(play, said, in_time):
  for seed in range(10):
    stage = play("chart", seed)
    (asked,) = stage.utterances
    assert said(stage) == "here is your chart"
    assert in_time(stage.spoken[0], asked.end)
    (note,) = stage.notes
    assert note.channel == "show"
    assert json.loads(note.text) == json.loads(chart.spec(asked.words))
    assert stage.onset < note.turn < stage.silent_from


def test_names_differ():
  rng = np.random.default_rng(0)
  for _ in range(40):
    pairs = chart._draw(rng).words[4:]
    assert len(set(pairs[::2])) == len(pairs) // 2
    assert all(1 <= world.value(number) <= 9 for number in pairs[1::2])
