import json

import pytest

from interaction_jax.data.synthetic.scenarios import timer


@pytest.mark.parametrize(
  ("asked", "minutes"),
  [
    ("set a timer for two minutes", 2),
    ("set a timer for twenty minutes", 20),
    ("set a timer for forty seven minutes", 47),
  ],
)
def test_the_call_says_how_long(asked, minutes):
  call = json.loads(timer.call(tuple(asked.split())))
  assert call == {"tool": "timer", "minutes": minutes}


def test_the_tool_is_called_while_it_speaks(play, said, in_time):
  for seed in range(10):
    stage = play("timer", seed)
    (asked,) = stage.utterances
    assert said(stage) == " ".join(("timer", "set", *asked.words[3:]))
    assert in_time(stage.spoken[0], asked.end)
    (note,) = stage.notes
    assert note.channel == "call" and note.text == timer.call(asked.words)
    assert stage.onset < note.turn < stage.silent_from
