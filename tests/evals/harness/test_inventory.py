import numpy as np
import pytest
import soundfile

from interaction_jax.evals.harness import inventory
from interaction_jax.evals.harness.inventory import Inventory


@pytest.fixture
def folder(tmp_path):
  soundfile.write(tmp_path / "fine.wav", np.zeros(8000), 16_000)
  whole = (tmp_path / "fine.wav").read_bytes()
  (tmp_path / "short.wav").write_bytes(whole[:-4000])
  (tmp_path / "noise.wav").write_bytes(b"no sound at all, not a bit of it")
  (tmp_path / "nothing.wav").touch()
  soundfile.write(tmp_path / "silent.wav", np.zeros(0), 16_000)
  (tmp_path / "a.json").write_text('{"x": 1}')
  (tmp_path / "b.json").write_text("{")
  (tmp_path / "c.jsonl").write_text('{"x": 1}\n\n[2]\n')
  return tmp_path


def test_one_list_names_everything(folder):
  seen = Inventory(folder)
  assert seen.sound("fine.wav") == 0.5
  assert seen.json("a.json") == {"x": 1}
  assert seen.json("c.jsonl", lines=True) == [{"x": 1}, [2]]
  for name in ("short", "noise", "nothing", "silent", "absent"):
    assert seen.sound(f"{name}.wav") is None
  assert seen.json("b.json") is None
  seen.count("items", 3, 4)
  seen.count("items", 5, 4)
  seen.extra(".", ["fine.wav", "a.json", "b.json", "c.jsonl", "short.wav",
                   "noise.wav", "silent.wav"])  # fmt: skip
  starts = [line.split(",")[0].split("(")[0] for line in seen.problems]
  assert starts == [
    "short.wav: truncated",
    "noise.wav: corrupt",
    "nothing.wav: empty",
    "silent.wav: empty",
    "absent.wav: missing",
    "b.json: corrupt",
    "items: missing",
    "items: extra",
    "nothing.wav: extra",
  ]
  with pytest.raises(ValueError, match=r"not whole.*9 problems.*allow-missing"):
    seen.require(allow_missing=False)
  seen.require(allow_missing=True)


def test_numbers_come_in_their_order(tmp_path):
  for name in ("10", "9", "b", ".hidden"):
    (tmp_path / name).mkdir()
  assert inventory.numbered(tmp_path) == ["9", "10", "b"]
  assert inventory.numbered(tmp_path / "none") == []
