import json

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from interaction_jax.convert.tensors import Tensors

ARRAYS = {
  "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
  "b.weight": np.arange(4).astype(ml_dtypes.bfloat16),
  "c": np.array([7], np.int32),
}


@pytest.fixture
def whole(tmp_path):
  safetensors.numpy.save_file(ARRAYS, tmp_path / "model.safetensors")
  return tmp_path


@pytest.fixture
def shards(tmp_path):
  where = {"a.weight": "one", "b.weight": "two", "c": "two"}
  for file in ("one", "two"):
    part = {name: ARRAYS[name] for name in ARRAYS if where[name] == file}
    safetensors.numpy.save_file(part, tmp_path / file)
  index = tmp_path / "model.safetensors.index.json"
  index.write_text(json.dumps({"weight_map": where}))
  return tmp_path


@pytest.mark.parametrize("kind", ["whole", "shards"])
def test_tensors_come_back_as_they_were_written(kind, request):
  tensors = Tensors(request.getfixturevalue(kind))
  assert len(tensors) == len(ARRAYS)
  assert set(tensors) == set(ARRAYS)
  for name, array in ARRAYS.items():
    assert tensors[name].dtype == array.dtype
    np.testing.assert_array_equal(tensors[name], array)
  assert "d" not in tensors
  with pytest.raises(KeyError):
    tensors["d"]


def test_an_empty_folder_is_refused(tmp_path):
  with pytest.raises(FileNotFoundError, match=r"neither model\.safeten"):
    Tensors(tmp_path)


def test_a_missing_shard_is_named(shards):
  (shards / "two").unlink()
  with pytest.raises(FileNotFoundError, match="lacks the shards two"):
    Tensors(shards)


@pytest.mark.parametrize(
  "text", ["{", "{}", "[]"], ids=["cut", "empty", "list"]
)
def test_a_broken_index_is_named(text, shards):
  (shards / "model.safetensors.index.json").write_text(text)
  with pytest.raises(ValueError, match=r"index\.json is not an index"):
    Tensors(shards)


def test_a_tensor_that_is_listed_and_not_there_is_named(shards):
  safetensors.numpy.save_file({"c": ARRAYS["c"]}, shards / "two")
  with pytest.raises(ValueError, match=r"shards lack: b\.weight"):
    Tensors(shards)


@pytest.mark.parametrize("keep", [0, 5, -3], ids=["empty", "header", "tail"])
def test_a_truncated_file_is_named(whole, keep):
  file = whole / "model.safetensors"
  file.write_bytes(file.read_bytes()[:keep])
  with pytest.raises(ValueError, match=r"model\.safetensors is not a whole"):
    Tensors(whole)
