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
    np.testing.assert_array_equal(tensors[name].read(), array)
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
  "text",
  ["{", "{}", "[]", '{"weight_map": ["one"]}', '{"weight_map": {"c": 3}}'],
  ids=["cut", "empty", "list", "no-map", "number"],
)
def test_a_broken_index_is_named(text, shards):
  (shards / "model.safetensors.index.json").write_text(text)
  with pytest.raises(ValueError, match=r"index\.json is not an index"):
    Tensors(shards)


def test_a_tensor_that_is_listed_and_not_there_is_named(shards):
  safetensors.numpy.save_file({"c": ARRAYS["c"]}, shards / "two")
  with pytest.raises(ValueError, match=r"shards lack: b\.weight"):
    Tensors(shards)


def test_a_tensor_that_is_there_and_not_listed_is_seen(shards):
  part = {"c": ARRAYS["c"], "b.weight": ARRAYS["b.weight"]}
  more = {"a.weight": np.zeros(9, np.float32), "d": np.ones(2, np.float32)}
  safetensors.numpy.save_file(part | more, shards / "two")
  tensors = Tensors(shards)
  assert set(tensors) == {*ARRAYS, "d"}
  # Of two with one name, the listed one counts.
  np.testing.assert_array_equal(tensors["a.weight"].read(), ARRAYS["a.weight"])


@pytest.mark.parametrize("keep", [0, 5, -3], ids=["empty", "header", "tail"])
def test_a_truncated_file_is_named(whole, keep):
  file = whole / "model.safetensors"
  file.write_bytes(file.read_bytes()[:keep])
  with pytest.raises(ValueError, match=r"model\.safetensors is not a whole"):
    Tensors(whole)


LAYOUTS = {
  "as-it-is": lambda t: t,
  "exchanged": lambda t: np.swapaxes(t, -1, -2),
  "every-other-row": lambda t: np.swapaxes(t[..., 1::2, :], -1, -2),
  "second-half": lambda t: np.swapaxes(t[:, 20:], -1, -2),
  "heads": lambda t: t.reshape(-1, 5, 700).transpose(2, 0, 1),
  "one-row": lambda t: t[2, 3],
}
INDICES = {
  "all": lambda shape: tuple(slice(0, size) for size in shape),
  "a-corner": lambda shape: tuple(slice(size // 2, size) for size in shape),
  "a-number": lambda shape: tuple(slice(1, 2) for _ in shape),
  "nothing": lambda shape: tuple(slice(2, 2) for _ in shape),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
  """A stack of matrices whose rows are longer than the gaps read over."""
  folder = tmp_path_factory.mktemp("stack")
  stack = np.arange(3 * 40 * 700, dtype=np.float32).reshape(3, 40, 700)
  safetensors.numpy.save_file({"stack": stack}, folder / "model.safetensors")
  return Tensors(folder)["stack"], stack


@pytest.mark.parametrize("pick", INDICES.values(), ids=INDICES)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_part_of_any_layout_is_what_numpy_makes_of_it(layout, pick, stack):
  stored, array = stack
  wanted = layout(array)
  index = pick(wanted.shape)
  part = stored.arranged(layout).part(index)
  got = part.read(np.full(part.bytes_read, 255, np.uint8))
  assert (got.shape, got.dtype) == (part.shape, part.dtype)
  np.testing.assert_array_equal(got, wanted[index])
  np.testing.assert_array_equal(part.read(), wanted[index])


def test_only_what_is_asked_for_is_read(stack):
  stored, _ = stack
  rows = stored.arranged(LAYOUTS["every-other-row"])
  assert rows.bytes_read == rows.bytes_needed == 4 * 3 * 20 * 700
  # A quarter of each row, and more than can be read over in between.
  quarter = rows.part((slice(0, 1), slice(0, 175), slice(0, 20)))
  assert quarter.bytes_read == quarter.bytes_needed
  # Most of each row: what lies between is read as well.
  most = stored.part((slice(0, 1), slice(0, 40), slice(0, 600)))
  assert most.bytes_needed < most.bytes_read < 4 * 40 * 700


def test_a_file_that_has_become_shorter_is_named(whole):
  tensors = Tensors(whole)
  file = whole / "model.safetensors"
  file.write_bytes(file.read_bytes()[:-9])
  with pytest.raises(ValueError, match=r"model\.safetensors ends at"):
    for name in tensors:
      tensors[name].read()


def test_numbers_of_an_unknown_type_are_named(whole, tmp_path):
  told = {"a": {"dtype": "F8_E8M0", "shape": [2], "data_offsets": [0, 2]}}
  header = json.dumps(told).encode()
  content = len(header).to_bytes(8, "little") + header + bytes(2)
  (tmp_path / "model.safetensors").write_bytes(content)
  with pytest.raises(ValueError, match=r"a holds F8_E8M0; BF16, "):
    Tensors(tmp_path)
