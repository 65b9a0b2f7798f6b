import json

import numpy as np
import pytest

from interaction_jax.evals import protocol
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.narrator import Spoken
from interaction_jax.evals.protocol import Protocol

USUAL = Protocol("please count {action}", pause=2.0, reply=3.0)


def test_the_published_one_is_used_where_nothing_else_is_said(tmp_path):
  assert protocol.read(Inventory(tmp_path), USUAL) == USUAL


def test_a_folder_may_change_it(tmp_path):
  (tmp_path / "protocol.json").write_text(json.dumps({"prompt": "count"}))
  inventory = Inventory(tmp_path)
  assert protocol.read(inventory, USUAL) == Protocol("count", 2.0, 3.0)
  assert not inventory.problems


def test_unknown_fields_are_noted(tmp_path):
  (tmp_path / "protocol.json").write_text(json.dumps({"promt": "count"}))
  inventory = Inventory(tmp_path)
  assert protocol.read(inventory, USUAL) == USUAL
  assert inventory.problems == [
    "protocol.json: holds other fields than pause, prompt, reply"
  ]


def test_there_is_no_negative_time():
  with pytest.raises(ValueError, match=r"protocol\.pause=-1\.0 must be 0 s"):
    Protocol(pause=-1.0)


def test_an_item_stands_in_the_prompt():
  assert USUAL.says(action="squats") == "please count squats"


@pytest.mark.parametrize(
  ("samples", "begin"), [(16_000, 3.0), (16_001, 3.2), (0, 2.0)]
)
def test_what_it_is_about_begins_with_a_turn(samples, begin):
  said = Spoken(np.zeros(samples, np.float32), ())
  assert USUAL.begin(said) == pytest.approx(begin)
  assert USUAL.begin(None) == 0.0


def test_a_name_has_a_voice():
  one, other = protocol.line("a", "yes"), protocol.line("a", "no")
  assert (one.voice, one.rate) == (other.voice, other.rate)
  voices = {protocol.line(str(n), "yes").voice for n in range(40)}
  assert len(voices) > 5


def test_prompts_are_spoken_the_same_each_time():
  first = protocol.spoken({"a": "count the jumps", "b": "count the jumps"})
  again = protocol.spoken({"a": "count the jumps", "b": "count the jumps"})
  for name in ("a", "b"):
    np.testing.assert_array_equal(first[name].sound, again[name].sound)
    assert 0.5 < first[name].seconds < 2.5
  # Somebody else says it.
  assert len(first["a"].sound) != len(first["b"].sound)
