import contextlib
import dataclasses
import gc
import logging
import resource
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import checkpoint, settings, sharding
from interaction_jax.data.synthetic import world
from interaction_jax.model import interaction
from interaction_jax.train import keep
from interaction_jax.train import state as states
from interaction_jax.train.config import Experiment
from interaction_jax.train.keep import Keeper


@pytest.fixture(scope="module")
def begun(experiment):
  """A state before its first update."""
  rng = np.random.default_rng(0)
  model = experiment.model
  shapes = jax.eval_shape(
    lambda: interaction.init(jax.random.key(0), cfg=model)
  )
  weights = jax.tree.map(
    lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype), shapes
  )
  return states.restart(weights, model, experiment.train)


@pytest.fixture(scope="module")
def after(begun):
  """A state after so many updates, its average unlike its weights."""

  def make(step):
    return dataclasses.replace(
      jax.tree.map(jnp.copy, begun),
      step=jnp.asarray(step, jnp.int32),
      average=jax.tree.map(lambda x: x + step, begun.average),
    )

  return make


def saved(folder, experiment, *states, **kwargs):
  keeper = Keeper(folder, experiment, **kwargs)
  for state in states:
    keeper.save(state, {"next": int(state.step)})
  keeper.finish()
  return keeper


def names(folder):
  return [path.name for path in keep.steps(folder)]


def bits(tree):
  return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def test_nothing_is_found_where_nothing_is(tmp_path, experiment):
  assert Keeper(tmp_path, experiment).find() is None
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mesh", [None, "data=1"])
def test_a_run_is_found_as_it_was(tmp_path, experiment, after, mesh):
  saved(tmp_path, experiment, after(4))
  grid = None if mesh is None else sharding.mesh(mesh)
  found = Keeper(tmp_path, experiment, mesh=grid).find()
  assert found.data == {"next": 4}
  assert bits(vars(found.state)) == bits(vars(after(4)))
  if grid is not None:
    assert found.state.params["embed"]["text"]["table"].sharding.mesh == grid


def test_a_state_may_be_used_up_meanwhile(tmp_path, experiment, after):
  keeper = Keeper(tmp_path, experiment)
  state = after(4)
  keeper.save(state, {"next": 4})
  use_up = jax.jit(
    lambda fields: jax.tree.map(lambda x: x + 1, fields), donate_argnums=0
  )
  use_up(vars(state))
  keeper.finish()
  found = Keeper(tmp_path, experiment).find()
  assert bits(vars(found.state)) == bits(vars(after(4)))


def test_the_newest_stay_and_some_for_good(tmp_path, experiment, after):
  train = dataclasses.replace(experiment.train, keep=2, keep_every=4)
  other = dataclasses.replace(experiment, train=train)
  saved(tmp_path, other, *(after(step) for step in (2, 4, 5, 6, 7)))
  assert names(tmp_path) == ["00000004", "00000006", "00000007"]
  assert sorted(path.name for path in tmp_path.iterdir()) == [
    "checkpoints", "model",
  ]  # fmt: skip


def test_the_model_is_the_average_rounded(tmp_path, experiment, after):
  saved(tmp_path, experiment, after(2), after(4))
  model = checkpoint.load(tmp_path / keep.MODEL)
  average = jax.tree.map(lambda x: x.astype("bfloat16"), after(4).average)
  assert bits(model.params) == bits(average)
  assert settings.from_dict(Experiment, model.config) == experiment
  assert model.tokenizer == world.vocabulary().tokenizer.to_str().encode()


def test_who_wants_to_know_is_told_of_what_is_complete(
  tmp_path, experiment, after
):
  told = []

  def on_save(step, model):
    assert checkpoint.inspect(model)["intact"]
    assert checkpoint.inspect(keep.steps(tmp_path)[-1])["intact"]
    told.append((step, model.name))

  saved(tmp_path, experiment, after(2), after(4), on_save=on_save)
  assert told == [(2, "model"), (4, "model")]


def damage(path):
  file = max(path.rglob("d/*"), key=lambda one: one.stat().st_size)
  content = bytearray(file.read_bytes())
  content[len(content) // 2] ^= 1
  file.write_bytes(content)


def test_of_damaged_ones_the_one_before_is_taken(
  tmp_path, experiment, after, caplog
):
  saved(tmp_path, experiment, after(2), after(4))
  damage(keep.steps(tmp_path)[-1])
  with caplog.at_level(logging.WARNING):
    found = Keeper(tmp_path, experiment).find()
  assert int(found.state.step) == 2
  assert "00000004: params/" in caplog.text
  assert "has changed" in caplog.text
  damage(keep.steps(tmp_path)[0])
  with pytest.raises(
    ValueError, match="no checkpoint is whole; move them away"
  ):
    Keeper(tmp_path, experiment).find()
  assert names(tmp_path) == ["00000002", "00000004"]


def test_what_a_crash_left_is_removed(tmp_path, experiment, after):
  saved(tmp_path, experiment, after(2))
  folder = tmp_path / keep.CHECKPOINTS
  for name in (
    ".00000004.saving",
    ".00000004.saving.orbax-checkpoint-tmp",
    ".00000001.gone",
  ):
    (folder / name / "params").mkdir(parents=True)
  assert Keeper(tmp_path, experiment).find() is not None
  assert [path.name for path in folder.iterdir()] == ["00000002"]


@contextlib.contextmanager
def full_disk():
  """No file may grow beyond a few pages."""
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def swept():
  """Nothing of a test is left to be collected in the middle of another."""
  before = set(threading.enumerate())
  yield
  # One that still writes holds what it will drop.
  for thread in set(threading.enumerate()) - before:
    thread.join(60)
    assert not thread.is_alive(), thread
  gc.collect()


# Orbax drops the writes that it never began.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.usefixtures("swept")
@pytest.mark.parametrize("seen", ["look", "save", "finish"])
def test_a_full_disk_is_told_and_costs_nothing_old(
  tmp_path, experiment, after, seen
):
  keeper = saved(tmp_path, experiment, after(2))
  with full_disk():
    keeper.save(after(4), {"next": 4})
    with pytest.raises(OSError, match=r"could not be written: .*too large"):
      if seen == "look":
        while True:
          keeper.look()
      elif seen == "save":
        keeper.save(after(6), {"next": 6})
      else:
        keeper.finish()
  assert names(tmp_path) == ["00000002"]
  assert int(Keeper(tmp_path, experiment).find().state.step) == 2
  assert checkpoint.inspect(tmp_path / keep.MODEL)["intact"]


def test_who_is_told_of_one_failure_finds_no_other_save_going_on(
  tmp_path, experiment, after, monkeypatch
):
  keeper, wait = saved(tmp_path, experiment, after(2)), checkpoint.Saving.wait
  ended = []

  def waits(saving):
    wait(saving)
    ended.append(saving.path.name)
    if saving.path.name == "00000004":
      raise OSError("the disk is full")

  monkeypatch.setattr(checkpoint.Saving, "wait", waits)
  keeper.save(after(4), {"next": 4})
  with pytest.raises(OSError, match="the disk is full"):
    keeper.finish()
  assert ended == ["00000004", keep.MODEL]
  # It is not told twice.
  keeper.finish()


def test_another_model_is_refused(tmp_path, experiment, after):
  saved(tmp_path, experiment, after(2))
  flow = dataclasses.replace(experiment.model.flow, width=13)
  model = dataclasses.replace(experiment.model, flow=flow)
  other = dataclasses.replace(experiment, model=model)
  with pytest.raises(ValueError, match=r"another model \(different: flow\)"):
    Keeper(tmp_path, other).find()


def test_another_optimizer_is_refused(tmp_path, experiment, after):
  saved(tmp_path, experiment, after(2))
  optimizer = dataclasses.replace(experiment.train.optimizer, name="muon")
  train = dataclasses.replace(experiment.train, optimizer=optimizer)
  other = dataclasses.replace(experiment, train=train)
  with pytest.raises(ValueError, match=r"by the same model, optimizer.name"):
    Keeper(tmp_path, other).find()


def test_a_model_is_written_in_the_type_that_is_asked_for(
  tmp_path, experiment, begun
):
  keep.export(experiment, begun.params, tmp_path / "x", dtype="float32")
  assert bits(checkpoint.load(tmp_path / "x").params) == bits(begun.params)
  with pytest.raises(FileExistsError, match="overwrite=True"):
    keep.export(experiment, begun.params, tmp_path / "x")
