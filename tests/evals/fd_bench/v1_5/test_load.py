import json
import shutil

import pytest

from interaction_jax.evals.fd_bench.v1_5 import load
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.output import Word


def loaded(folder):
  inventory = Inventory(folder)
  return {item.key: item for item in load.load(inventory)}, inventory


def test_two_items_a_folder(v1_5_folder):
  items, inventory = loaded(v1_5_folder)
  assert len(items) == 24 and not inventory.problems
  whole = items["talking_to_other/0"]
  clean = items["talking_to_other/0/clean_"]
  assert (whole.take, clean.take) == ("", "clean_")
  heard = [one.open((0, 0)).heard for one in (whole, clean)]
  assert len(heard[0]) == len(heard[1]) and (heard[0] != heard[1]).any()
  assert whole.seconds == pytest.approx(len(heard[0]) / 16_000)


def test_only_who_interrupts_is_answered(v1_5_folder):
  items, _ = loaded(v1_5_folder)
  for key, item in items.items():
    start, end = item.truth["span"]
    first = item.wanted[0]
    assert first.at < start
    if item.part == load.INTERRUPTION and not item.take:
      assert first.until == pytest.approx(start + 0.4)
      assert item.wanted[1].at == pytest.approx(end + 0.4)
      assert item.wanted[1].text == item.truth["answer"]
    else:
      assert item.wanted == (first,) and first.until > item.seconds, key


def test_official_files_have_no_fields_of_the_twin(v1_5_folder, tmp_path):
  place = tmp_path / "user_interruption" / "7"
  shutil.copytree(v1_5_folder / "user_interruption" / "0", place)
  (tmp_path / "protocol.json").write_text("{}")
  official = {
    "context_text": "tell me about whales",
    "current_turn_text": "and dolphins",
    "timestamps": [3.0, 4.0],
  }
  (place / "metadata.json").write_text(json.dumps(official))
  heard = {"text": "x", "chunks": [{"text": "whales", "timestamp": [0, 1]}]}
  (place / "clean_input.json").write_text(json.dumps(heard))
  items, inventory = loaded(tmp_path)
  assert not inventory.problems
  item = items["user_interruption/7"]
  # 2 s before somebody speaks into it, the request is taken to be over.
  assert item.wanted[0].at == pytest.approx(1.4)
  assert item.wanted[1].text == "Yes. and dolphins"
  # What a recogniser heard, where there is such a file; else what is known.
  assert item.truth["clean_input"] == (Word("whales", 0.0, 1.0),)
  assert item.truth["input"][-2:] == (
    Word("and", 3.0, 3.5),
    Word("dolphins", 3.5, 4.0),
  )


def test_what_is_wrong_with_the_data_is_named(v1_5_folder, tmp_path):
  data = tmp_path / "data"
  shutil.copytree(v1_5_folder, data)
  (data / "protocol.json").unlink()
  shutil.rmtree(data / "background_speech")
  shutil.rmtree(data / "talking_to_other")
  place = data / "user_backchannel"
  (place / "0/clean_input.wav").unlink()
  (place / "1/metadata.json").write_text('{"context_text": "a"}')
  items, inventory = loaded(data)
  assert len(items) == 2 * 4
  assert inventory.left_out == ["user_backchannel/0", "user_backchannel/1"]
  assert inventory.problems == [
    "user_interruption: missing, 3 of 200 are there",
    "user_backchannel: missing, 3 of 98 are there",
    "user_backchannel/0/clean_input.wav: missing",
    "user_backchannel/1/metadata.json: has no current_turn_text, timestamps",
  ]
