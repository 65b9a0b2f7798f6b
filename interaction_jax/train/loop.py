"""A run: batches in, checkpoints and metrics out, until it is done.

What lies in the folder of a run, `train/keep.py` says. Kill it anywhere and
start it again: the same losses come out, since every batch and every draw is a
function of the seed and the number of the step.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from interaction_jax.core import checkpoint, manifest, settings, sharding
from interaction_jax.data.synthetic import world
from interaction_jax.model import interaction
from interaction_jax.train import metrics, transfer, watch
from interaction_jax.train import state as states
from interaction_jax.train import update as updates
from interaction_jax.train.config import Experiment
from interaction_jax.train.feed import Feed
from interaction_jax.train.keep import Keeper, Saved
from interaction_jax.train.metrics import Metrics
from interaction_jax.train.state import TrainState
from interaction_jax.train.stop import Stop
from interaction_jax.train.watch import Profile


def train(
  experiment: Experiment,
  workdir: str | Path,
  *,
  start_from: str | Path | None = None,
  mesh: str | None = None,
  profile: range | None = None,
  on_step: Callable[[Mapping[str, Any]], object] = lambda line: None,
  on_save: Saved = lambda step, model: None,
) -> TrainState:
  """Trains, or goes on where the last run in this folder stopped.

  On SIGTERM it saves and returns early. Every process of a run calls this,
  with a folder that all of them see; the first one writes.

  Args:
    start_from: a checkpoint whose weights a new run begins with.
    mesh: over which it is spread: a name of `configs/meshes.py`, or a line
      such as `"data=2,expert=4"`. A run may go on on another one. None: one
      device.
    profile: steps that the profiler records.
    on_step: told what `metrics.jsonl` says of every step.
    on_save: told where the model lies whenever a checkpoint is complete.

  Raises:
    OSError: a checkpoint could not be written; the one before is intact.
    ValueError: the folder holds a run with another model, or the experiment
      does not fit its vocabulary or the mesh.
  """
  folder = Path(workdir)
  _check_vocabulary(experiment)
  grid = _grid(experiment, mesh)
  with contextlib.ExitStack() as stack:
    stop = stack.enter_context(Stop())
    stop.clean(True)
    keeper = Keeper(folder, experiment, mesh=grid, on_save=on_save)
    found = keeper.find()
    state = found.state if found else _fresh(experiment, start_from, grid)
    first = saved = int(state.step)
    if first >= experiment.train.num_steps:
      return state
    feed = stack.enter_context(
      Feed(experiment, mesh=grid, state=found.data if found else None)
    )
    # Not before all that is given has been read: a mistake leaves no folder.
    folder.mkdir(parents=True, exist_ok=True)
    record = stack.enter_context(
      Metrics(folder, first, tensorboard=experiment.train.watch.tensorboard)
    )
    recorder = stack.enter_context(Profile(folder, profile))
    run = _Run(experiment, feed, grid)
    for step in range(first, experiment.train.num_steps):
      with recorder.step(step):
        state, line = run.step(step, state)
      stop.clean(False)
      record.write(line)
      on_step(line)
      keeper.look()
      leaving = stop.asked(step + 1)
      if leaving or (step + 1) % experiment.train.save_every == 0:
        keeper.save(state, feed.state())
        saved = step + 1
      if leaving:
        break
    if saved < int(state.step):
      keeper.save(state, feed.state())
    keeper.finish()
  return state


class _Run:
  """What takes a step, and what is told of it."""

  def __init__(self, experiment: Experiment, feed: Feed, mesh: Mesh | None):
    self._experiment = experiment
    self._feed = feed
    self._mesh = mesh
    self._flops = watch.Flops(experiment, 1 if mesh is None else mesh.size)
    # Each process can read only what lies on its own devices.
    place = None if mesh is None else NamedSharding(mesh, PartitionSpec())
    self._told = jax.jit(lambda told: told, out_shardings=place)
    self._ended = time.perf_counter()

  def step(
    self, step: int, state: TrainState
  ) -> tuple[TrainState, dict[str, Any]]:
    """Takes step number `step`; returns when it is done."""
    model, train = self._experiment.model, self._experiment.train
    episode = next(self._feed)
    mesh = self._mesh
    with contextlib.nullcontext() if mesh is None else jax.set_mesh(mesh):
      state, parts = updates.update(state, episode, cfg=model, train=train)
    told = {**vars(parts), "skipped": state.skipped}
    told = jax.device_get(self._told(told))
    now = time.perf_counter()
    seconds, self._ended = now - self._ended, now
    return state, metrics.line(
      step,
      told,
      seconds=seconds,
      waited=self._feed.waited,
      mfu=self._flops.utilization(float(told["positions"]), seconds),
    )


def _grid(experiment: Experiment, mesh: str | None) -> Mesh | None:
  if mesh is None:
    if jax.process_count() > 1:
      raise ValueError(
        f"{jax.process_count()} processes train together on a mesh; --mesh "
        f"data={jax.device_count()} is the simplest."
      )
    return None
  grid = sharding.mesh(settings.mesh_line(mesh))
  # What does not fit is told before anything is drawn or read.
  states.places_of(experiment.model, experiment.train, grid)
  return grid


def _fresh(
  experiment: Experiment, start_from: str | Path | None, mesh: Mesh | None
) -> TrainState:
  model, train = experiment.model, experiment.train
  if start_from is None:
    return states.begin(model, train, mesh=mesh)
  loaded = checkpoint.load(
    start_from,
    dtype=model.param_dtype,
    shardings=_places(experiment, start_from, mesh),
  )
  params = transfer.fitted(
    loaded, world.vocabulary(), jax.random.key(train.seed), cfg=model
  )
  if mesh is not None:
    # From one device nothing can be moved to those of other processes.
    params = jax.tree.map(
      lambda leaf: leaf if _lies_on(mesh, leaf) else jax.device_get(leaf),
      params,
    )
  return states.restart(params, model, train, mesh=mesh)


def _places(
  experiment: Experiment, start_from: str | Path, mesh: Mesh | None
) -> dict[str, NamedSharding] | None:
  """Where to read weights to, by name; None: they have to be fitted first."""
  if mesh is None:
    return None
  shapes = jax.eval_shape(
    functools.partial(interaction.init, cfg=experiment.model),
    jax.random.key(0),
  )
  places = sharding.shardings(states.axes(experiment.model), shapes, mesh)
  wanted, places = sharding.by_name(shapes), sharding.by_name(places)
  stored = manifest.read(Path(start_from))["params"]
  if any(
    name not in wanted or tuple(entry["shape"]) != wanted[name].shape
    for name, entry in stored.items()
  ):
    return None
  return {name: places[name] for name in stored}


def _lies_on(mesh: Mesh, leaf: jax.Array) -> bool:
  return leaf.sharding.device_set == set(mesh.devices.flat)


def _check_vocabulary(experiment: Experiment) -> None:
  text, words = experiment.model.text, world.vocabulary()
  if text.first_control != words.first_control:
    raise ValueError(
      f"text.first_control={text.first_control} must be "
      f"{words.first_control}, above the tokens of the synthetic world."
    )
