"""What is read piece by piece is what lies in the files, on any mesh.

JAX fixes its devices when it starts, so eight of them are in a process of
their own: this very file, as a program.
"""

import hashlib
import json
import os
import subprocess
import sys
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from interaction_jax.convert import (
  inkling,
  inkling_config,
  inkling_names,
  pieces,
)
from interaction_jax.convert.tensors import Tensors
from interaction_jax.core import sharding

MESHES = ("fsdp=2,expert=2,tensor=2", "data=2,expert=4")

# Like what other tests convert, in sizes that both meshes divide.
SIZES = {
  "n_routed_experts": 12,
  "swa_num_key_value_heads": 2,
  "num_key_value_heads": 2,
}


def digests(params):
  """A digest of the bits of every parameter."""
  return {
    name: hashlib.sha256(np.asarray(leaf).tobytes()).hexdigest()
    for name, leaf in sharding.by_name(params).items()
  }


@pytest.fixture(scope="module")
def case(oracle, tmp_path_factory):
  """A checkpoint in bfloat16, and what it gives on one device."""
  folder = tmp_path_factory.mktemp("pieces")
  oracle.multimodal(folder, SIZES, low=True, max_shard_size="100KB")
  return folder, inkling.load(folder)


def test_one_device_gets_the_bits_of_the_files(case):
  folder, loaded = case
  shards = list(folder.glob("model-*.safetensors"))
  assert len(shards) > 1
  tensors = {}
  for file in shards:
    tensors |= safetensors.numpy.load_file(file)
  got = sharding.by_name(loaded.params)
  cfg = inkling_config.read(folder).model
  found = inkling_names.resolve(inkling_names.sources(cfg), tensors)
  assert {"/".join(path) for path in found} | set(loaded.new_parts) == set(got)
  for path, source in found.items():
    wanted = source.layout(tensors[source.name]).astype(np.float32)
    np.testing.assert_array_equal(got["/".join(path)], wanted, strict=True)


@pytest.fixture(scope="module")
def on_eight(case, root):
  """What eight devices get."""
  done = subprocess.run(
    [sys.executable, __file__, str(case[0])],
    cwd=root,
    env={
      **os.environ,
      "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
      "JAX_PLATFORMS": "cpu",
      "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
      "PYTHONPATH": str(root),
    },
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr[-4000:]
  return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("line", MESHES)
def test_eight_devices_get_the_bits_of_one(line, case, on_eight):
  told = on_eight[line]
  assert told["devices"] == 8
  # What is drawn has the bits of the program that drew it, and how that was
  # compiled is for each process to say.
  assert told["digests"] == on_eight["alone"]
  read = digests(case[1].params)
  for name in case[1].new_parts:
    del read[name]
  assert read.items() <= told["digests"].items()
  # Each holds its share of the experts, and no more.
  ways = {"fsdp=2,expert=2,tensor=2": 8, "data=2,expert=4": 4}[line]
  assert told["experts"] == pytest.approx(1 / ways)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
  """Expert weights of 8 MiB, up and gate row by row in turn."""
  folder = tmp_path_factory.mktemp("stack")
  rows = np.random.default_rng(0).normal(size=(32, 128, 512))
  array = rows.astype(np.float32)
  safetensors.numpy.save_file({"w": array}, folder / "model.safetensors")
  stored = Tensors(folder)["w"]
  layout = lambda tensor: np.swapaxes(tensor[..., ::2, :], -1, -2)  # noqa: E731
  return stored.arranged(layout), layout(array)


@pytest.mark.parametrize("largest", [2, 5000, 2**16, 2**22, 2**30])
def test_pieces_of_any_size_make_the_same(largest, stack):
  stored, array = stack
  # Two experts: pieces of a number each are many.
  part = stored.part((slice(3, 5), slice(0, 9), slice(10, 14)))
  wanted = {"w": jax.ShapeDtypeStruct(part.shape, jnp.bfloat16)}
  got = pieces.arrays({"w": part}, wanted, largest=largest)["w"]
  expected = array[3:5, :9, 10:14].astype(jnp.bfloat16)
  np.testing.assert_array_equal(got, expected, strict=True)


def test_a_stack_is_never_whole_in_memory(stack):
  stored, array = stack
  wanted = {"w": jax.ShapeDtypeStruct(stored.shape, np.float32)}
  largest = 2**16
  tracemalloc.start()
  try:
    got = pieces.arrays({"w": stored}, wanted, largest=largest)["w"]
    _, peak = tracemalloc.get_traced_memory()
  finally:
    tracemalloc.stop()
  np.testing.assert_array_equal(got, array)
  # What a device holds is none of Python's; buffers and a copy are.
  assert 4 * largest < peak < array.nbytes / 4


def test_devices_that_hold_the_same_share_one_reading(stack):
  stored, _ = stack
  half, other = slice(0, 16), slice(16, 32)
  rest = (slice(None), slice(None))
  places = {"a": (half, *rest), "b": (other, *rest), "c": (half, *rest)}
  cut = list(pieces.pieces({"w": stored}, {"w": places}, largest=2**19))
  assert {piece.devices for piece in cut} == {("a", "c"), ("b",)}
  assert sum(piece.stored.bytes_needed for piece in cut) == stored.bytes_needed
  assert max(piece.stored.bytes_read for piece in cut) <= 2**19
  assert {piece.shard for piece in cut} == {(16, 512, 64)}


def test_a_mesh_that_does_not_fit_is_refused_before_anything_is_read(case):
  with pytest.raises(ValueError, match=r"needs 8 devices, but there are 1"):
    inkling.load(case[0], mesh="expert=8")


def test_a_converted_model_lies_where_it_was_read_to(case):
  """On a mesh of one device, whose sharding is not that of no mesh."""
  loaded = inkling.load(case[0], mesh="data=1")
  whole = inkling.with_controls(loaded)
  for leaf in jax.tree.leaves(whole.params):
    assert isinstance(leaf.sharding, jax.sharding.NamedSharding)
  assert digests(loaded.params) == digests(case[1].params)


def program(folder):
  """Prints what one device and each mesh get of a checkpoint."""
  told = {"alone": digests(inkling.load(folder).params)}
  for line in MESHES:
    params = inkling.load(folder, mesh=line).params
    gate = params["backbone"]["layers"]["1"]["feed"]["gate"]
    told[line] = {
      "devices": len(gate.sharding.device_set),
      "digests": digests(params),
      "experts": gate.addressable_shards[0].data.size / gate.size,
    }
  print(json.dumps(told))


if __name__ == "__main__":
  program(sys.argv[1])
