import json

import numpy as np
import pytest
import soundfile

from interaction_jax.evals import table
from interaction_jax.evals.audio_multichallenge import layout
from interaction_jax.evals.harness.inventory import Inventory


def test_conversations_are_as_the_table_says(folder):
  inventory = Inventory(folder)
  found = layout.conversations(inventory)
  assert inventory.problems == []
  assert [one.axis for one in found] == list(layout.AXES)
  assert [len(one.said) for one in found] == [2, 3, 2, 2]
  for one in found:
    assert len(one.replies) == len(one.said) - 1 and one.audio is None
    sounds = layout.sounds(folder, one)
    seconds = [len(sound) / 16_000 for sound in sounds]
    assert seconds == pytest.approx(one.seconds)
    assert all(np.abs(sound).max() > 0.05 for sound in sounds)


def test_what_is_wrong_is_named(rows, tmp_path):
  rows[0]["axis"] = "JUGGLING"
  rows[1]["assistant_turn_2_transcript"] = ""
  rows[2]["user_turn_2_audio"] = {"bytes": b"RIFF", "path": None}
  rows[3]["rubric"] = ""
  table.write(tmp_path / "data/test-00000-of-00002.parquet", rows)
  inventory = Inventory(tmp_path)
  assert layout.conversations(inventory) == []
  assert inventory.left_out == [f"twin000{n}" for n in range(4)]
  part, sound, axis, reply, rubric = inventory.problems
  assert part == "data/test-00001-of-00002.parquet: missing"
  assert "row 2, turn 2: corrupt" in sound
  assert axis.endswith(
    "row 0: axis='JUGGLING' is none of inference_memory, "
    "instruction_retention, self_coherence, voice_editing"
  )
  assert reply.endswith("row 1: has no assistant_turn_2_transcript")
  assert rubric.endswith("row 3: has no rubric")


def test_axes_may_be_written_as_people_do(tmp_path):
  (tmp_path / "data").mkdir()
  soundfile.write(tmp_path / "data/a.wav", np.full(4800, 0.1), 48_000)
  row = {
    "id": "one", "axis": "Voice Editing", "rubric": "Is brief.",
    "user_turn_1_audio": "a.wav", "user_turn_1_transcript": "hello",
  }  # fmt: skip
  lines = [row, row | {"id": "two", "user_turn_1_audio": "b.wav"}]
  text = "\n".join(json.dumps(line) for line in lines)
  (tmp_path / "data/test.jsonl").write_text(text)
  inventory = Inventory(tmp_path)
  (one,) = layout.conversations(inventory)
  assert one.axis == "voice_editing" and one.replies == ()
  # 4,800 samples at 48 kHz.
  assert one.seconds == (0.1,)
  (sound,) = layout.sounds(tmp_path, one)
  assert len(sound) == 1600
  assert inventory.problems == ["data/b.wav: missing"]
  assert inventory.left_out == ["two"]


def test_a_folder_without_a_table(tmp_path):
  inventory = Inventory(tmp_path)
  assert layout.conversations(inventory) == []
  assert inventory.problems == ["data/test.parquet: missing"]
