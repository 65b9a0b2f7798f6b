import json
import os
import shutil
import socket
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import checkpoint, manifest

CONFIG = {"backbone": {"width": 48, "layers": [0, 5]}, "name": "tiny"}


def _params(seed=0):
  draws = np.random.default_rng(seed)
  return {
    "embed": jnp.asarray(draws.normal(size=(7, 5)), jnp.float32),
    "layers": {
      "0": {
        "up": jnp.asarray(draws.normal(size=(3, 5, 4)), jnp.bfloat16),
        "steps": jnp.asarray(draws.integers(0, 99, size=6), jnp.int32),
      }
    },
    "scale": jnp.asarray(1.5, jnp.float32),
  }


def _assert_equal(found, wanted):
  assert jax.tree.structure(found) == jax.tree.structure(wanted)
  for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
    assert isinstance(a, jax.Array)
    assert a.dtype == b.dtype
    assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def _files(path):
  return sorted(f for f in path.rglob("*") if f.is_file())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
  """One checkpoint; tests that change it copy it first."""
  path = tmp_path_factory.mktemp("written") / "one"
  checkpoint.save(
    path, _params(), config=CONFIG, tokenizer=b"{tokens}", extra={"step": 20}
  )
  return path


@pytest.fixture
def copy(written, tmp_path):
  return shutil.copytree(written, tmp_path / "one")


# --- round trips ---


def test_some_may_become_something_else_as_they_are_read(written):
  given = []

  def halved(leaf):
    given.append(leaf)
    return leaf / 2

  names = ("layers/0/up", "embed")
  found = checkpoint.load(written, made=dict.fromkeys(names, halved)).params
  wanted = _params()
  wanted["embed"] /= 2
  wanted["layers"]["0"]["up"] /= 2
  _assert_equal(found, wanted)
  assert [leaf.shape for leaf in given] == [(3, 5, 4), (7, 5)]
  with pytest.raises(ValueError, match=r"made is not for.*unknown layers/1/up"):
    checkpoint.load(written, made={"layers/1/up": halved})


def test_everything_comes_back(written):
  found = checkpoint.load(written)
  _assert_equal(found.params, _params())
  assert found.config == CONFIG
  assert found.tokenizer == b"{tokens}"
  assert found.extra == {"step": 20}


def test_what_is_optional_may_be_left_out(tmp_path):
  params = {"w": np.arange(4, dtype=np.float32), "s": np.float32(2.5)}
  checkpoint.save(tmp_path / "a" / "b", params, config={})
  found = checkpoint.load(tmp_path / "a" / "b")
  assert found.tokenizer is None
  assert found.extra is None
  _assert_equal(found.params, params)


def test_a_checkpoint_can_be_moved(copy, tmp_path):
  moved = copy.rename(tmp_path / "elsewhere")
  _assert_equal(checkpoint.load(moved).params, _params())


def test_dtype_changes_floating_parameters_only(written):
  found = checkpoint.load(written, dtype="bfloat16").params
  assert found["embed"].dtype == jnp.bfloat16
  assert found["layers"]["0"]["steps"].dtype == jnp.int32
  np.testing.assert_array_equal(
    found["embed"], _params()["embed"].astype(jnp.bfloat16)
  )


def test_nothing_in_it_says_where_it_was_written(written):
  words = [str(written), str(written.parent), socket.gethostname()]
  for file in _files(written):
    for word in words:
      # A very short host name could stand anywhere by chance.
      if len(word) > 5:
        assert word.encode() not in file.read_bytes(), file


def test_the_layout(written):
  names = {f.relative_to(written).parts[0] for f in _files(written)}
  assert {"config.json", "tokenizer.json", "extra.json"} <= names
  assert {"params", "MANIFEST.json"} <= names
  assert json.loads((written / "config.json").read_text()) == CONFIG


# --- damage ---


def _names(kind):
  """The files of a checkpoint, by name; those of Orbax change theirs."""
  if kind == "largest":
    return lambda path: max(
      _files(path / "params"), key=lambda f: f.stat().st_size
    )
  return lambda path: path / kind


DAMAGED = [
  "config.json", "tokenizer.json", "extra.json", "largest",
  "params/manifest.ocdbt", "params/_METADATA", "MANIFEST.json",
  "_CHECKPOINT_METADATA",
]  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGED)
@pytest.mark.parametrize("place", [0, 0.5, 1], ids=["first", "middle", "last"])
def test_one_flipped_byte_is_refused(copy, kind, place, capfd):
  file = _names(kind)(copy)
  content = bytearray(file.read_bytes())
  content[int(place * (len(content) - 1))] ^= 1
  file.write_bytes(content)
  with pytest.raises(ValueError, match=file.name) as caught:
    checkpoint.load(copy)
  assert "\n" not in str(caught.value)
  report = checkpoint.inspect(copy)
  assert not report["intact"]
  assert file.name in report["problems"][0]
  assert capfd.readouterr() == ("", "")


def test_every_file_is_watched(copy):
  for file in _files(copy):
    content = file.read_bytes()
    file.write_bytes(content + b"x")
    with pytest.raises(ValueError, match=file.name):
      checkpoint.load(copy, verify=False)
    file.write_bytes(content)
  assert checkpoint.inspect(copy)["intact"]


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_missing_file_is_named(copy, kind):
  file = _names(kind)(copy)
  file.unlink()
  with pytest.raises(ValueError, match=file.name):
    checkpoint.load(copy)
  assert not checkpoint.inspect(copy)["intact"]


def test_a_truncated_file_is_named(copy):
  file = _names("largest")(copy)
  size = file.stat().st_size
  os.truncate(file, size - 3)
  with pytest.raises(
    ValueError, match=f"has {size - 3} bytes, the manifest says {size}"
  ):
    checkpoint.load(copy, verify=False)


def test_several_damaged_files_are_counted(copy):
  for name in ("config.json", "extra.json"):
    (copy / name).unlink()
  with pytest.raises(ValueError, match=r"is missing \(1 more files too\)"):
    checkpoint.load(copy)
  report = checkpoint.inspect(copy)
  assert report["config"] is None
  assert len(report["problems"]) == 2


def _spoil(path):
  """Every node of the store's tree, so that reading an array must fail."""
  for file in (path / "params").rglob("d/*"):
    file.write_bytes(bytes(file.stat().st_size))


def test_unverified_damage_is_still_one_line(tmp_path, capfd):
  # One array: of several, those still being read when the first fails end
  # as warnings in whatever test runs at that moment.
  path = tmp_path / "one"
  checkpoint.save(path, {"w": np.ones(3, np.float32)}, config={})
  _spoil(path)
  with pytest.raises(ValueError, match="the arrays cannot be read") as caught:
    checkpoint.load(path, verify=False)
  assert "\n" not in str(caught.value)
  assert len(str(caught.value)) < 600
  assert caught.value.__context__ is None
  assert capfd.readouterr().err == ""


def test_a_failed_read_of_many_arrays_is_quiet(copy):
  _spoil(copy)
  program = (
    "import sys\n"
    "from interaction_jax.core import checkpoint\n"
    "for _ in range(20):\n"
    "  try:\n"
    "    checkpoint.load(sys.argv[1], verify=False)\n"
    "  except ValueError as error:\n"
    "    print(error)\n"
  )
  process = _start(program, copy, devices=1)
  out, errors = process.communicate(timeout=900)
  assert process.returncode == 0
  assert out.count("the arrays cannot be read") == len(out.splitlines()) == 20
  # Without care asyncio prints every spec of the store here.
  assert "tensorstore_spec" not in errors
  assert "never retrieved" not in errors


def test_nothing_there(tmp_path):
  with pytest.raises(FileNotFoundError, match="no checkpoint at"):
    checkpoint.load(tmp_path / "none")
  with pytest.raises(FileNotFoundError, match="no checkpoint at"):
    checkpoint.inspect(tmp_path / "none")


def test_another_folder_is_not_a_checkpoint(tmp_path):
  with pytest.raises(ValueError, match="is not a checkpoint"):
    checkpoint.load(tmp_path)


# --- expectations ---


def _expected():
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), _params()
  )


def test_what_is_expected_is_read(written):
  _assert_equal(checkpoint.load(written, expect=_expected()).params, _params())


def test_another_shape_is_named(written):
  wanted = _expected()
  wanted["layers"]["0"]["up"] = jax.ShapeDtypeStruct((3, 5, 8), jnp.bfloat16)
  with pytest.raises(
    ValueError,
    match=r"layers/0/up has the shape \(3, 5, 4\), wanted is \(3, 5, 8\)",
  ):
    checkpoint.load(written, expect=wanted)


def test_other_names_are_listed(written):
  wanted = _expected()
  wanted["layers"]["1"] = wanted["layers"].pop("0")
  with pytest.raises(
    ValueError,
    match="missing layers/1/steps, layers/1/up, unknown layers/0/steps, lay",
  ):
    checkpoint.load(written, expect=wanted)


def test_shardings_of_other_parameters_are_refused(written):
  place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  with pytest.raises(
    ValueError, match=r"shardings are not for .* missing scale"
  ):
    checkpoint.load(
      written,
      shardings={
        "embed": place, "layers": {"0": {"steps": place, "up": place}},
      },
    )  # fmt: skip


@pytest.mark.parametrize(
  ("params", "message"),
  [
    ({"a": 1.5}, "params a: 1.5 is no array"),
    ({"a": "x"}, "params a: 'x' is no array"),
    ({"a": [np.zeros(2, "f4")]}, "params must be dicts of dicts of arrays"),
    ({"a/b": np.zeros(2, "f4")}, "params must be dicts of dicts of arrays"),
    ({"a": np.zeros(2, "f4"), "b": {}}, "no dict empty"),
    ({"a": jax.random.key(0)}, "params a is a random key"),
    ({"a": np.arange(3)}, "params a is int64, .* as int32; convert"),
  ],
  ids=["number", "string", "list", "slash", "empty", "key", "wide"],
)
def test_parameters_are_dicts_of_arrays(tmp_path, params, message):
  with pytest.raises(ValueError, match=message):
    checkpoint.save(tmp_path / "x", params, config={})
  assert list(tmp_path.iterdir()) == []


def test_config_is_json(tmp_path):
  with pytest.raises(TypeError, match="not JSON serializable"):
    checkpoint.save(tmp_path / "x", _params(), config={"a": object()})
  assert list(tmp_path.iterdir()) == []


# --- overwriting ---


def test_a_checkpoint_is_replaced_only_when_asked(copy):
  with pytest.raises(FileExistsError, match="overwrite=True"):
    checkpoint.save(copy, _params(1), config={})
  assert checkpoint.load(copy).config == CONFIG
  checkpoint.save(copy, _params(1), config={"new": 1}, overwrite=True)
  found = checkpoint.load(copy)
  _assert_equal(found.params, _params(1))
  assert found.config == {"new": 1}
  assert found.tokenizer is None
  assert [f.name for f in copy.parent.iterdir()] == ["one"]


def test_anything_else_is_left_alone(tmp_path):
  (tmp_path / "mine.txt").write_text("mine")
  with pytest.raises(FileExistsError, match="is not a checkpoint"):
    checkpoint.save(tmp_path, _params(), config={}, overwrite=True)
  assert (tmp_path / "mine.txt").read_text() == "mine"


def test_one_may_ask_before_whether_there_is_room(copy, tmp_path, monkeypatch):
  checkpoint.check_free(tmp_path / "new" / "one", overwrite=False)
  assert [f.name for f in tmp_path.iterdir()] == ["one"]
  checkpoint.check_free(copy, overwrite=True)
  with pytest.raises(FileExistsError, match="overwrite=True"):
    checkpoint.check_free(copy, overwrite=False)
  with pytest.raises(FileExistsError, match="is not a checkpoint"):
    checkpoint.check_free(tmp_path, overwrite=True)
  below = copy / "config.json" / "two"
  with pytest.raises(NotADirectoryError, match=r"two lies below \S*config\.js"):
    checkpoint.check_free(below, overwrite=False)
  # Who may do everything is asked in another's place.
  monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
  with pytest.raises(PermissionError, match="two cannot be made: "):
    checkpoint.check_free(tmp_path / "two", overwrite=False)


def test_between_the_two_renames_the_old_one_is_found(copy):
  copy.rename(copy.with_name(".one.old"))
  assert checkpoint.load(copy).config == CONFIG
  assert checkpoint.inspect(copy)["intact"]
  # A save settles this first, and then refuses as it always does.
  with pytest.raises(FileExistsError, match="overwrite=True"):
    checkpoint.save(copy, _params(1), config={})
  assert [f.name for f in copy.parent.iterdir()] == ["one"]


# --- sizes ---


def test_files_stay_below_the_limit(tmp_path):
  # Normal draws barely compress; 11 MiB of them cannot lie in one file.
  draws = np.random.default_rng(0).normal(size=(3, 1900, 500))
  params = {"big": draws.astype(np.float32), "small": np.ones(3, np.float32)}
  limit = 4 * 2**20
  checkpoint.save(tmp_path / "x", params, config={}, max_file_bytes=limit)
  sizes = [f.stat().st_size for f in _files(tmp_path / "x")]
  assert max(sizes) <= limit
  assert sum(sizes) > 2 * limit
  _assert_equal(checkpoint.load(tmp_path / "x").params, params)


def test_a_limit_too_small_is_refused(tmp_path):
  with pytest.raises(ValueError, match=r"max_file_bytes=1000 .*\(4 MiB\)"):
    checkpoint.save(tmp_path / "x", {}, config={}, max_file_bytes=1000)


def test_inspect_counts(written):
  report = checkpoint.inspect(written)
  assert report["intact"] is True
  assert report["problems"] == []
  assert report["config"] == CONFIG
  assert report["parameters"] == 7 * 5 + 3 * 5 * 4 + 6 + 1
  others = [f for f in _files(written) if f.name != manifest.NAME]
  assert report["files"] == len(others)
  assert report["bytes"] == sum(f.stat().st_size for f in others)
  assert set(report["created"]) == {"time", "jax", "orbax"}


# --- in the background, on a disk that is full ---


def test_a_save_goes_on_in_the_background(tmp_path):
  params = jax.tree.map(jnp.asarray, _params())
  expected = jax.tree.map(np.array, params)
  saving = checkpoint.begin(tmp_path / "x", params, config=CONFIG)
  jax.tree.map(lambda leaf: leaf.delete(), params)
  saving.wait()
  assert saving.done()
  _assert_equal(checkpoint.load(tmp_path / "x").params, expected)


# A file that may not grow fails as on a full disk, in the thread that writes.
FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from interaction_jax.core import checkpoint

def tree(rows):
  draws = np.random.default_rng(0).normal(size=(rows, 1024))
  return {"w": draws.astype(np.float32)}

root = Path(sys.argv[1])
checkpoint.save(root / "one", tree(3), config={"v": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
for name in ("one", "two"):
  saving = checkpoint.begin(
    root / name, tree(2000), config={"v": 2}, overwrite=True
  )
  for attempt in (saving.wait, saving.done):
    try:
      attempt()
    except OSError as error:
      print(error)
assert checkpoint.load(root / "one").config == {"v": 1}
checkpoint.save(root / "two", tree(3), config={"v": 3})
"""


def test_a_full_disk_costs_nothing_but_the_new_checkpoint(tmp_path):
  process = _start(FULL, tmp_path, devices=1)
  out, errors = process.communicate(timeout=900)
  assert process.returncode == 0, errors
  said = out.splitlines()
  # Once to who waits and once to who asks, for either path.
  assert [line.split()[1] for line in said] == [
    *[str(tmp_path / "one")] * 2,
    *[str(tmp_path / "two")] * 2,
  ]
  for line in said:
    assert "could not be written" in line
    assert "File too large" in line
    assert "What was saved before is intact." in line
  assert "Traceback" not in errors
  assert sorted(f.name for f in tmp_path.iterdir()) == ["one", "two"]
  assert checkpoint.inspect(tmp_path / "one")["intact"]
  assert checkpoint.load(tmp_path / "two").config == {"v": 3}


# --- killed while saving ---

KILLED = """
import os, shutil, signal, sys
import numpy as np
import orbax.checkpoint.experimental.v1
from interaction_jax.core import checkpoint

# One child for each moment: nothing here may start a thread before it forks.
root = sys.argv[1]
EVENTS = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}

def save(path, value):
  checkpoint.save(
    path, {"w": np.full(9, value, np.float32)}, config={"v": value},
    overwrite=True,
  )

def child(moment):
  path = f"{root}/{moment}/one"
  os.mkdir(f"{root}/{moment}")
  shutil.copytree(f"{root}/first", path)
  count = 0
  def hook(event, arguments):
    nonlocal count
    if event not in EVENTS:
      return
    count += 1
    if count == moment:
      os.kill(os.getpid(), signal.SIGKILL)
  sys.addaudithook(hook)
  save(path, 2)

def run(function, *arguments):
  pid = os.fork()
  if not pid:
    try:
      function(*arguments)
    except BaseException as error:
      print(error, file=sys.stderr)
      os._exit(1)
    os._exit(0)
  return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

assert run(save, f"{root}/first", 1) == 0
moment, code = 0, -signal.SIGKILL
while code == -signal.SIGKILL:
  moment += 1
  code = run(child, moment)
assert code == 0, code
print(moment)
"""


def test_a_kill_at_any_moment_leaves_a_checkpoint(tmp_path):
  done = subprocess.run(
    [sys.executable, "-c", KILLED, str(tmp_path)],
    env=os.environ | {"JAX_PLATFORMS": "cpu"},
    capture_output=True, text=True, timeout=900,
  )  # fmt: skip
  assert done.returncode == 0, done.stderr[-3000:]
  moments = int(done.stdout.splitlines()[-1])
  assert moments > 5
  values = []
  for moment in range(1, moments + 1):
    path = tmp_path / str(moment) / "one"
    found = checkpoint.load(path)
    values.append(found.config["v"])
    np.testing.assert_array_equal(
      found.params["w"], np.full(9, values[-1], np.float32)
    )
  # Old until the second rename, new from then on.
  assert values == sorted(values)
  assert values[0] == 1
  assert values[-1] == 2
  for moment in (2, moments // 2, values.index(2)):
    path = tmp_path / str(moment) / "one"
    checkpoint.save(path, _params(), config={}, overwrite=True)
    assert [f.name for f in path.parent.iterdir()] == ["one"]


# --- other meshes, other processes ---

SHARED = """
import sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import PartitionSpec as P
from interaction_jax.core import checkpoint, sharding

AXES = {"up": "E D F", "norm": "D"}
SHAPES = {"up": (8, 6, 10), "norm": (6,)}

def init(key):
  return {
    "up": jax.random.bits(key, SHAPES["up"]).astype(jnp.bfloat16),
    "norm": jnp.arange(6.0),
  }

def place(line):
  mesh = sharding.mesh(line)
  shapes = jax.eval_shape(init, jax.random.key(0))
  return mesh, sharding.shardings(AXES, shapes, mesh)
"""

WRITER = (
  "import sys, jax\n"
  "jax.config.update('jax_cpu_collectives_implementation', 'gloo')\n"
  "jax.distributed.initialize(sys.argv[2], 2, int(sys.argv[3]))\n"
  + SHARED
  + """
mesh, _ = place("data=2,expert=4")
params = sharding.init_sharded(init, jax.random.key(4), AXES, mesh)
assert jax.process_count() == 2 and len(jax.local_devices()) == 4
checkpoint.save(sys.argv[1], params, config={"processes": 2})
"""
)

READER = (
  SHARED
  + """
whole = jax.jit(init)(jax.random.key(4))
for line in ("fsdp=2,expert=2,tensor=2", "expert=8"):
  mesh, places = place(line)
  found = checkpoint.load(sys.argv[1], shardings=places).params
  for name, leaf in found.items():
    assert leaf.sharding == places[name], (name, leaf.sharding)
    shape = places[name].shard_shape(SHAPES[name])
    assert all(s.data.shape == shape for s in leaf.addressable_shards)
    assert np.asarray(leaf).tobytes() == np.asarray(whole[name]).tobytes()
print("equal")
"""
)


def _start(program, *arguments, devices):
  return subprocess.Popen(
    [sys.executable, "-c", program, *map(str, arguments)],
    env=os.environ | {
      "JAX_PLATFORMS": "cpu",
      "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
    },
    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
  )  # fmt: skip


def _finish(*processes):
  outs = [process.communicate(timeout=900) for process in processes]
  for process, (_, errors) in zip(processes, outs, strict=True):
    assert process.returncode == 0, errors[-3000:]
  return [out for out, _ in outs]


def test_two_processes_write_and_one_reads_on_other_meshes(tmp_path, meeting):
  address = meeting()
  path = tmp_path / "shared"
  _finish(*(_start(WRITER, path, address, i, devices=4) for i in range(2)))
  assert [f.name for f in tmp_path.iterdir()] == ["shared"]
  report = checkpoint.inspect(path)
  assert report["intact"]
  assert report["parameters"] == 8 * 6 * 10 + 6
  assert _finish(_start(READER, path, devices=8)) == ["equal\n"]
