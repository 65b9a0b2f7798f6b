import json
import shutil

import numpy as np
import pytest

from interaction_jax.evals.fd_bench import layout
from interaction_jax.evals.fd_bench.v3 import load
from interaction_jax.evals.harness.inventory import Inventory


def loaded(folder):
  inventory = Inventory(folder)
  return {item.key: item for item in load.load(inventory)}, inventory


def test_an_item_a_folder(v3_folder):
  items, inventory = loaded(v3_folder)
  assert len(items) == 15 and not inventory.problems
  assert {item.part for item in items.values()} == set(load.PARTS)
  for key, item in items.items():
    assert key.startswith(item.part)
    record = item.open((0, 0))
    assert record.seconds == pytest.approx(item.seconds)
    # The models of the twin know their tools.
    assert record.text_in == ()
    *made, said = item.wanted
    assert [act.channel for act in made] == ["call"] * len(made)
    assert said.text == item.truth["answer"] and said.at > made[-1].at
    # There is time for it.
    assert item.seconds - said.at > 3.5


def test_an_oracle_knows_what_calls_bring(v3_folder):
  items, _ = loaded(v3_folder)
  item = items["hard0_filler"]
  number = item.truth["results"][0]["number"]
  assert json.loads(item.wanted[2].text) == {"tool": "timer", "minutes": number}
  tools = item.tools()
  ((_, told),) = tools.write(1.0, item.wanted[0].text)
  assert json.loads(told) == {"status": "ok", "number": number}
  assert item.tools() is not tools


OFFICIAL = {
  "scenario": {"domain": "travel"},
  "expected_tool_calls": [
    {"function": "search_flights", "args": {"to": "Rome", "day": "May 3"}},
    {"function": "book_flight", "args": {"flight_id": "$RESULT_0.flight_id"}},
  ],
}


def test_official_folders(tmp_path):
  place = tmp_path / "17_s3"
  layout.write_sound(place / "input.wav", np.zeros(32_000, np.float32))
  (place / "metadata.json").write_text(json.dumps(OFFICIAL))
  items, inventory = loaded(tmp_path)
  assert inventory.problems == ["folders: missing, 1 of 100 are there"]
  item = items["17_s3"]
  # 2 s, and 20 s for calls and a reply; when the user ends is not known.
  assert item.part == "medium" and item.seconds == 22
  assert item.wanted[0].at == pytest.approx(2.4)
  booked = json.loads(item.wanted[1].text)
  assert booked["flight_id"] == item.truth["results"][0]["flight_id"]
  (told,) = item.open((0, 0)).text_in
  assert told.speaker == "instruction" and told.at == 0
  assert '{"tool": NAME, ARGUMENT: VALUE}' in told.text
  assert "search_flights(to, day), book_flight(flight_id), update" in told.text
  assert "add_to_cart()" in told.text


def test_what_is_wrong_with_the_data_is_named(v3_folder, tmp_path):
  data = tmp_path / "data"
  for name in ("easy0_filler", "easy1_pause", "hard0_filler", "medium0_filler"):
    shutil.copytree(v3_folder / name, data / name)
  (data / "protocol.json").write_text("{}")
  (data / "easy0_filler/input.wav").unlink()
  (data / "easy1_pause/metadata.json").write_text('{"scenario": "x"}')
  plain = {"expected_tool_calls": [{"args": {}}]}
  (data / "hard0_filler/metadata.json").write_text(json.dumps(plain))
  items, inventory = loaded(data)
  assert list(items) == ["medium0_filler"]
  missing, none, corrupt = inventory.problems
  assert missing == "easy0_filler/input.wav: missing"
  assert none == "easy1_pause/metadata.json: has no expected_tool_calls"
  assert corrupt.startswith(
    "hard0_filler/metadata.json: corrupt, {'args': {}} "
  )
  assert len(inventory.left_out) == 3
  empty, inventory = loaded(tmp_path / "none")
  assert not empty
  assert inventory.problems == ["folders: missing, 0 of 100 are there"]
