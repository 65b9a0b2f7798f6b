import json

import numpy as np
import pytest

from interaction_jax.evals.fd_bench import layout
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.output import Word

SIZES = {"nods": 2, "turns": 1}


def test_folders_are_counted(tmp_path):
  for name in ("10", "9"):
    (tmp_path / "nods" / name).mkdir(parents=True)
  (tmp_path / "nods" / "known.json").write_text("{}")
  (tmp_path / "nods" / "other.json").write_text("{}")
  inventory = Inventory(tmp_path)
  found = list(layout.folders(inventory, SIZES, beside=("known.json",)))
  assert found == [("nods", "nods/9"), ("nods", "nods/10")]
  # Whoever has only one task is asked for no other.
  (extra,) = inventory.problems
  assert extra == "nods/other.json: extra, it belongs to nothing"
  (tmp_path / "turns").mkdir()
  inventory = Inventory(tmp_path)
  list(layout.folders(inventory, SIZES, beside=("known.json", "other.json")))
  assert inventory.problems == ["turns: missing, 0 of 1 are there"]
  (tmp_path / "protocol.json").write_text("{}")
  inventory = Inventory(tmp_path)
  list(layout.folders(inventory, SIZES, beside=("known.json", "other.json")))
  assert inventory.problems == []


def test_a_folder_without_tasks(tmp_path):
  inventory = Inventory(tmp_path)
  assert list(layout.folders(inventory, SIZES)) == []
  assert inventory.problems == ["nods: missing", "turns: missing"]


@pytest.mark.parametrize(
  "plain",
  [
    [{"text": "a", "timestamp": [0, 1]}],
    {"text": "a", "chunks": [{"text": "a", "timestamp": [0.0, 1.0]}]},
  ],
  ids=["list", "chunks"],
)
def test_words(tmp_path, plain):
  (tmp_path / "a.json").write_text(json.dumps(plain))
  inventory = Inventory(tmp_path)
  assert layout.words(inventory, "a.json") == [Word("a", 0.0, 1.0)]
  assert not inventory.problems


@pytest.mark.parametrize(
  "plain", ["[{}]", '{"text": "a"}', '[{"text": "a", "timestamp": 1}]', "3"]
)
def test_words_that_are_none(tmp_path, plain):
  (tmp_path / "a.json").write_text(plain)
  inventory = Inventory(tmp_path)
  assert layout.words(inventory, "a.json") is None
  (problem,) = inventory.problems
  assert problem.startswith("a.json: corrupt, it holds no words")


@pytest.mark.parametrize(
  ("plain", "problem"),
  [
    ('[{"text": "x", "timestamp": [1, 2.5]}]', None),
    ('{"text": "x", "timestamp": [1, 2.5]}', None),
    ('[{"text": "x"}]', "has no timestamp"),
    ('[{"timestamp": [1, 2]}]', "has no text"),
    ("[]", "has no text, timestamp"),
    ('[{"text": "x", "timestamp": [2, 1]}]', "timestamp 2.0 to 1.0 s is no"),
    ('[{"text": "x", "timestamp": [1]}]', "corrupt, it is no entry"),
    ('{"text": "x", "timestamp": ["a", "b"]}', "corrupt, it is no entry"),
    ("7", "corrupt, it is no entry"),
  ],
)
def test_entries(tmp_path, plain, problem):
  (tmp_path / "a.json").write_text(plain)
  inventory = Inventory(tmp_path)
  found = layout.entry(inventory, "a.json", "text")
  if problem is None:
    assert found == {"text": "x", "timestamp": (1.0, 2.5)}
  else:
    assert found is None
  problems = [] if problem is None else [f"a.json: {problem}"]
  assert len(inventory.problems) == len(problems)
  for said, wanted in zip(inventory.problems, problems, strict=True):
    assert said.startswith(wanted)


def test_a_sound_is_played_as_it_is(tmp_path):
  sound = np.linspace(-0.5, 0.5, 4800, dtype=np.float32)
  layout.write_sound(tmp_path / "a" / "b.wav", sound)
  record = layout.opened((0, 0), sound=tmp_path / "a" / "b.wav")
  # 16 bits a sample.
  np.testing.assert_allclose(record.heard, sound, atol=1e-4)
  assert not record.voice.any()
