import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import checkpoint, settings
from interaction_jax.data.synthetic import world
from interaction_jax.model import interaction
from interaction_jax.train import keep, loop
from interaction_jax.train.config import Experiment

STEPS, SAVE_EVERY = 14, 2
SAME = ("step", "loss", "loss/text", "loss/gate", "loss/flow", "positions",
        "load/busiest", "skipped")  # fmt: skip
# What a person runs is a process of its own, which can be killed.
SCRIPT = """
import json, os, signal, sys, time
from pathlib import Path
from interaction_jax.core import cluster, settings
from interaction_jax.train import keep, loop
from interaction_jax.train.config import Experiment

def strike(line):
  # In the middle, whoever looks from outside and when: all of the group, which
  # are those that prepare its batches, too.
  if [folder, line["step"]] == [where, int(step)]:
    told = signal.getsignal(signal.SIGTERM).__self__
    os.killpg(0, int(how))
    while not told._asked:
      time.sleep(0.01)

if __name__ == "__main__":
  mesh, coordinator, process, struck, *folders = sys.argv[1:]
  where, step, how = struck.split(":")
  if coordinator:
    cluster.join(coordinator, count=2, index=int(process))
  plain = json.loads(Path("experiment.json").read_text())
  experiment = settings.from_dict(Experiment, plain)
  for folder in folders:
    state = loop.train(
      experiment, folder, start_from="drawn", mesh=mesh or None,
      on_step=strike,
    )
    with Path(folder, "saved").open("a") as file:
      file.write(f"{int(state.step)} ")
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
  return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def experiment(experiment):
  train = dataclasses.replace(
    experiment.train, num_steps=STEPS, save_every=SAVE_EVERY, keep=3
  )
  return dataclasses.replace(experiment, train=train)


@pytest.fixture(scope="module")
def drawn(experiment, place):
  """Weights to begin with; to draw them in each process would take longer."""
  rng = np.random.default_rng(0)
  shapes = jax.eval_shape(
    lambda key: interaction.init(key, cfg=experiment.model),
    jax.random.key(0),
  )
  weights = jax.tree.map(
    lambda leaf: jnp.asarray(0.2 * rng.normal(size=leaf.shape), leaf.dtype),
    shapes,
  )
  checkpoint.save(place / "drawn", weights, config=settings.to_dict(experiment))
  return weights


@pytest.fixture(scope="module")
def begin(root, experiment, drawn, place, quick_flags):
  """A function that starts a run in a process group of its own."""
  (place / "experiment.json").write_text(
    json.dumps(settings.to_dict(experiment))
  )
  (place / "run.py").write_text(SCRIPT)
  # Programs compiled once serve the runs that come after.
  kept = {
    "PYTHONPATH": str(root),
    "JAX_COMPILATION_CACHE_DIR": str(place / "programs"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "XLA_FLAGS": quick_flags,
  }

  def run(*folders, mesh="", coordinator="", process=0, struck=":-1:0"):
    arguments = [mesh, coordinator, process, struck, *folders]
    return subprocess.Popen(
      [sys.executable, "run.py", *map(str, arguments)],
      cwd=place,
      env=os.environ | kept,
      stderr=subprocess.PIPE,
      text=True,
      start_new_session=True,
    )

  return run


def finish(*runs):
  said = [run.communicate()[1][-3000:] for run in runs]
  codes = [run.returncode for run in runs]
  assert codes == [0] * len(runs), "\n".join(said)


@pytest.fixture(scope="module")
def shared(begin, place, meeting):
  """A run that two processes did together."""
  coordinator = meeting()
  runs = [
    begin("shared", mesh="data=2", coordinator=coordinator, process=process)
    for process in range(2)
  ]
  finish(*runs)
  return place / "shared"


def cut_back(folder, copy, step):
  """A copy of a run as it was when it had taken so many steps."""
  shutil.copytree(folder, copy)
  for path in keep.steps(copy):
    if int(path.name) > step:
      shutil.rmtree(path)
  return copy


@pytest.fixture(scope="module")
def disturbed(begin, place, shared):
  """Runs in three folders, of which two are disturbed.

  One process does `whole` and is killed in `disturbed`. The next goes on with
  that, is told to end, and leaves it; as it has the program, it ends it then,
  and also a copy of what two processes began on a mesh.
  """
  folder = place / "disturbed"
  run = begin("whole", "disturbed", struck=f"disturbed:2:{signal.SIGKILL}")
  _, said = run.communicate()
  assert run.returncode == -signal.SIGKILL, said
  reached = (folder / "metrics.jsonl").read_bytes().count(b"\n")
  assert reached == 3
  with (folder / "metrics.jsonl").open("a") as file:
    file.write('{"step": ')
  (folder / "checkpoints" / ".00000099.saving").mkdir()
  cut_back(shared, place / "alone", STEPS - SAVE_EVERY)
  run = begin(
    "disturbed", "disturbed", "alone", struck=f"disturbed:6:{signal.SIGTERM}"
  )
  finish(run)
  return folder


@pytest.fixture(scope="module")
def whole(place, disturbed):
  """A run that nothing disturbed."""
  return place / "whole"


def lines(folder):
  return [
    json.loads(line)
    for line in (folder / "metrics.jsonl").read_text().splitlines()
  ]


def bits(tree):
  return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def test_a_line_a_step(whole):
  seen = lines(whole)
  assert [line["step"] for line in seen] == list(range(STEPS))
  for line in seen:
    assert np.isfinite(line["loss"])
    parts = line["loss/text"] + line["loss/gate"] + line["loss/flow"]
    # The sum of three float32 numbers.
    np.testing.assert_allclose(line["loss"], parts, rtol=1e-6)
    assert line["tokens_per_s"] > 0
    assert line["dropped"] == line["skipped"] == 0
  assert len({line["loss"] for line in seen}) == STEPS


def test_a_run_killed_and_resumed_is_the_same_run(whole, disturbed):
  """Bit for bit: JSON keeps every digit of a float."""
  for one, other in zip(lines(whole), lines(disturbed), strict=True):
    assert {n: one[n] for n in SAME} == {n: other[n] for n in SAME}
  for part in (f"checkpoints/{STEPS:08}", "model"):
    one, other = (checkpoint.load(run / part) for run in (whole, disturbed))
    assert bits(one.params) == bits(other.params)
    assert one.extra == other.extra


def test_told_to_end_a_run_saves_what_it_did(disturbed):
  """At a step at which nothing else would have been saved."""
  assert not list((disturbed / "checkpoints").glob(".*"))
  saved = [line for line in (disturbed / "saved").read_text().split()]
  assert len(saved) == 2
  assert 7 % SAVE_EVERY and saved == ["7", str(STEPS)]


@pytest.mark.parametrize("run", ["shared", "alone"])
def test_any_number_of_processes_trains_alike(whole, place, run):
  """Two of them, and one that goes on with what the two began."""
  assert [line["step"] for line in lines(place / run)] == list(range(STEPS))
  for one, other in zip(lines(whole), lines(place / run), strict=True):
    for name in ("loss", "loss/text", "loss/gate", "loss/flow"):
      # Sums of float32 in another order, over a few steps of training.
      assert one[name] == pytest.approx(other[name], rel=1e-5, abs=1e-5), name
    assert one["positions"] == other["positions"]


# JAX fixes its devices when it starts.
ON_EIGHT = """
import json
from pathlib import Path
import jax
import numpy as np
from interaction_jax.core import checkpoint, settings, sharding
from interaction_jax.train import keep, state
from interaction_jax.train.config import Experiment

plain = json.loads(Path("experiment.json").read_text())
experiment = settings.from_dict(Experiment, plain)
grid = sharding.mesh("data=2,expert=4")
found = keep.Keeper(Path("shared"), experiment, mesh=grid).find()
whole = checkpoint.load(keep.steps(Path("shared"))[-1]).params
whole = sharding.by_name(whole)
split = 0
for name, leaf in sharding.by_name(state.to_tree(vars(found.state))).items():
  assert len(leaf.sharding.device_set) == 8, name
  assert np.asarray(leaf).tobytes() == np.asarray(whole.pop(name)).tobytes()
  split += leaf.addressable_shards[0].data.size < leaf.size
assert not whole and split, (whole, split)
print(int(found.state.step), found.data["rows"])
"""


def test_what_two_processes_began_lies_on_eight_devices(root, place, shared):
  done = subprocess.run(
    [sys.executable, "-c", ON_EIGHT],
    cwd=place,
    env=os.environ | {
      "PYTHONPATH": str(root),
      "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
    },
    capture_output=True,
    text=True,
  )  # fmt: skip
  assert done.returncode == 0, done.stderr[-3000:]
  assert done.stdout.split() == [str(STEPS), str(2 * STEPS)]


def test_a_model_is_written_as_it_is_shipped(whole, experiment):
  model = checkpoint.load(whole / "model")
  run = checkpoint.load(keep.steps(whole)[-1])
  assert run.params["step"] == STEPS
  average = jax.tree.map(
    lambda leaf: jnp.asarray(leaf, "bfloat16"), run.params["average"]
  )
  assert bits(model.params) == bits(average)
  assert settings.from_dict(Experiment, model.config) == experiment
  assert model.tokenizer == world.vocabulary().tokenizer.to_str().encode()


def test_the_vocoder_is_left_as_it_was(whole, drawn):
  now = checkpoint.load(keep.steps(whole)[-1]).params["params"]["heads"]
  assert bits(now["vocoder"]) == bits(drawn["heads"]["vocoder"])
  assert bits(now["gate"]) != bits(drawn["heads"]["gate"])


def test_a_run_that_is_done_stays_as_it_is(whole, experiment):
  before = {
    path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.is_file()
  }
  state = loop.train(experiment, whole)
  assert int(state.step) == STEPS
  assert before == {
    path: path.stat().st_mtime_ns for path in whole.rglob("*") if path.is_file()
  }


def test_a_run_of_another_model_is_refused(whole, experiment):
  flow = dataclasses.replace(experiment.model.flow, width=13)
  model = dataclasses.replace(experiment.model, flow=flow)
  other = dataclasses.replace(experiment, model=model)
  with pytest.raises(ValueError, match=r"another model \(different: flow\)"):
    loop.train(other, whole)
  assert len(lines(whole)) == STEPS


def test_another_vocabulary_is_refused(experiment, tmp_path):
  text = dataclasses.replace(experiment.model.text, first_control=500)
  model = dataclasses.replace(experiment.model, text=text)
  other = dataclasses.replace(experiment, model=model)
  with pytest.raises(ValueError, match=r"first_control=500 must be 1400"):
    loop.train(other, tmp_path)


@pytest.mark.parametrize(
  ("damage", "message"),
  [
    (lambda path: shutil.rmtree(path), "There is no checkpoint at"),
    (lambda path: (path / "config.json").unlink(), r"config\.json is missing"),
  ],
  ids=["nothing", "damaged"],
)
def test_weights_that_cannot_be_read_leave_no_folder(
  experiment, drawn, place, tmp_path, damage, message
):
  damage(shutil.copytree(place / "drawn", tmp_path / "copy"))
  with pytest.raises((OSError, ValueError), match=message):
    loop.train(experiment, tmp_path / "run", start_from=tmp_path / "copy")
  assert not (tmp_path / "run").exists()


def test_a_mesh_that_does_not_fit_is_refused_at_once(experiment, tmp_path):
  with pytest.raises(ValueError, match="needs 3 devices, but there are 1"):
    loop.train(experiment, tmp_path / "run", mesh="data=3")
  assert not (tmp_path / "run").exists()
