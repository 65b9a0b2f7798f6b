import json

import numpy as np
import pytest

from interaction_jax.core import manifest


@pytest.fixture
def folder(tmp_path):
  (tmp_path / "params").mkdir()
  (tmp_path / "params" / "0").write_bytes(b"0123456789")
  (tmp_path / "config.json").write_bytes(b"{}")
  manifest.write(tmp_path, {"a/w": np.zeros((3, 5), np.float32)})
  return tmp_path


def test_it_lists_every_file_and_array(folder):
  listed = manifest.read(folder)
  assert listed["format"] == manifest.FORMAT == 1
  assert listed["params"] == {"a/w": {"shape": [3, 5], "dtype": "float32"}}
  assert set(listed["files"]) == {"params/0", "config.json"}
  assert listed["files"]["params/0"] == {
    "bytes": 10,
    "sha256": (
      "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"
    ),
  }
  assert list(manifest.damage(folder, listed)) == []


def test_it_names_no_place(folder):
  assert str(folder) not in (folder / manifest.NAME).read_text()
  assert set(manifest.read(folder)["created"]) == {"time", "jax", "orbax"}


def test_every_byte_of_it_counts(folder):
  file = folder / manifest.NAME
  content = file.read_bytes()
  for place in range(0, len(content), 7):
    flipped = bytearray(content)
    flipped[place] ^= 1
    file.write_bytes(flipped)
    with pytest.raises(ValueError, match=manifest.NAME):
      manifest.read(folder)


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ('{"format": 2}', "says format=2; this version .* reads format=1"),
    ("[1, 2]", "is damaged"),
    ("", "is damaged"),
    ('{"format": 1}', "has changed"),
  ],
  ids=["version", "list", "empty", "fields"],
)
def test_what_is_no_manifest_is_refused(folder, content, message):
  (folder / manifest.NAME).write_text(content)
  with pytest.raises(ValueError, match=f"{manifest.NAME} {message}"):
    manifest.read(folder)


def test_a_folder_without_one_is_refused(tmp_path):
  with pytest.raises(ValueError, match=r"not a checkpoint: it has no MANIFEST"):
    manifest.read(tmp_path)


def test_damage_names_the_file(folder):
  listed = manifest.read(folder)
  (folder / "params" / "0").write_bytes(b"012345678X")
  (line,) = manifest.damage(folder, listed)
  assert line.startswith("params/0 has changed: its SHA-256 is ")
  assert line.endswith("the manifest says 84d89877f0d4...")
  assert list(manifest.damage(folder, listed, digests=False)) == []
  (folder / "params" / "0").write_bytes(b"012")
  (line,) = manifest.damage(folder, listed, digests=False)
  assert line == "params/0 has 3 bytes, the manifest says 10"
  (folder / "config.json").unlink()
  assert next(manifest.damage(folder, listed)) == "config.json is missing"


@pytest.mark.parametrize(
  ("value", "error"),
  [(float("nan"), ValueError), (object(), TypeError)],
  ids=["nan", "object"],
)
def test_json_refuses_what_it_cannot_hold(value, error):
  with pytest.raises(error):
    manifest.to_json({"x": value})


def test_json_keeps_other_scripts():
  content = manifest.to_json({"name": "наш"})
  assert json.loads(content) == {"name": "наш"}
  assert "наш".encode() in content
