"""What lies in the folder of a run, and how to go on from it.

    checkpoints/00000100/   all that resuming needs, after 100 updates
    checkpoints/00000200/
    model/                  the averaged weights, as `talk` reads them
    metrics.jsonl           a line a step

Checkpoints are written while training goes on. Each is complete or has no
name; what a crash left half written is removed when the run goes on.
"""

import dataclasses
import functools
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from interaction_jax.core import checkpoint, settings
from interaction_jax.core.checkpoint import Saving
from interaction_jax.core.params import Params
from interaction_jax.data.synthetic import world
from interaction_jax.train import state as states
from interaction_jax.train.config import Experiment
from interaction_jax.train.state import TrainState

CHECKPOINTS: Final = "checkpoints"
MODEL: Final = "model"

Saved = Callable[[int, Path], object]
"""Told the number of updates that a model has had, and where it lies."""


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
  """A run to be gone on with.

  Attributes:
    data: the state of its feed.
  """

  state: TrainState
  data: dict[str, Any]


class Keeper:
  """Saves a run into its folder, and finds it there again.

  Every process of a run calls every method, in the same order.
  """

  def __init__(
    self,
    folder: Path,
    experiment: Experiment,
    *,
    mesh: Mesh | None = None,
    on_save: Saved = lambda step, model: None,
  ):
    """Prepares to save; nothing is written or removed yet.

    Args:
      mesh: on which the run lies; None: on one device.
      on_save: called when a checkpoint and its model are complete, between
        two updates.
    """
    self._folder = folder
    self._experiment = experiment
    self._mesh = mesh
    self._on_save = on_save
    self._step: int | None = None
    self._savings: tuple[Saving, ...] = ()

  def find(self) -> Found | None:
    """The newest checkpoint that is whole; None: there is none.

    One that is damaged is left where it is, and the run goes on from the one
    before it.

    Raises:
      ValueError: all are damaged, or the run is of another model.
    """
    path = self._newest()
    if path is None:
      return None
    experiment = self._experiment
    cfg, train = experiment.model, experiment.train
    # The settings first: they say most clearly what is different.
    _check_model(path, experiment)
    places = None
    if self._mesh is not None:
      places = states.to_tree(states.places_of(cfg, train, self._mesh))
    try:
      loaded = checkpoint.load(
        path,
        shardings=places,
        expect=states.to_tree(states.abstract(cfg, train)),
        verify=False,
      )
    except ValueError as error:
      raise ValueError(
        f"{error} A run is gone on with by the same model, optimizer.name "
        "and adapt; choose another workdir."
      ) from error
    assert loaded.extra is not None, f"{path} does not say where its data stood"
    state = states.from_tree(loaded.params, cfg=cfg, train=train)
    return Found(state, loaded.extra["data"])

  def save(self, state: TrainState, data: Mapping[str, Any]) -> None:
    """Begins to save; the state may be donated when this returns.

    A save that is still in progress is waited for.

    Args:
      data: the state of the feed.

    Raises:
      OSError: the last one, or this one, could not be written.
    """
    self.finish()
    experiment = self._experiment
    step = int(state.step)
    path = self._folder / CHECKPOINTS / f"{step:08}"
    run = checkpoint.begin(
      path,
      states.to_tree(vars(state)),
      config=settings.to_dict(experiment),
      extra={"data": dict(data)},
      overwrite=True,
    )
    self._step, self._savings = step, (run,)
    if jax.process_count() > 1:
      # Two saves at once would meet at each other's barriers.
      run.wait()
    weights = states.weights(
      state, cfg=experiment.model, train=experiment.train
    )
    model = _begin_export(
      experiment, weights, self._folder / MODEL, overwrite=True
    )
    self._savings = (run, model)

  def look(self) -> None:
    """Sees whether a save has ended, without waiting for it.

    Raises:
      OSError: it could not be written.
    """
    # Where there are several processes, they end at different moments; all
    # see to it when the next save begins.
    done = [one.done() for one in self._savings]
    if self._savings and all(done) and jax.process_count() == 1:
      self.finish()

  def finish(self) -> None:
    """Waits for what is being saved.

    Raises:
      OSError: it could not be written.
    """
    savings, self._savings = self._savings, ()
    failed = None
    for saving in savings:
      try:
        saving.wait()
      except OSError as error:
        failed = failed or error
    # All have ended now: none goes on writing behind the back of who is told.
    if failed is not None:
      raise failed
    if savings and self._step is not None:
      self._remove_old()
      self._on_save(self._step, self._folder / MODEL)

  def _newest(self) -> Path | None:
    """The newest whole checkpoint, the same for all processes."""
    step = -1
    if jax.process_index() == 0:
      damaged = []
      for path in reversed(steps(self._folder)):
        problems = checkpoint.inspect(path)["problems"]
        if not problems:
          step = int(path.name)
          break
        damaged.append(f"{path}: {problems[0]}")
        logging.getLogger(__name__).warning("damaged: %s", damaged[-1])
      else:
        step = -2 if damaged else -1
      _sweep(self._folder)
    if jax.process_count() > 1:
      step = int(multihost_utils.broadcast_one_to_all(np.int32(step)))
    if step == -2:
      raise ValueError(
        f"{self._folder / CHECKPOINTS}: no checkpoint is whole; move them "
        "away to begin anew."
      )
    return None if step < 0 else self._folder / CHECKPOINTS / f"{step:08}"

  def _remove_old(self) -> None:
    """Removes what is neither among the newest nor to stay for good."""
    train = self._experiment.train
    if jax.process_index() > 0:
      return
    for path in steps(self._folder)[: -train.keep]:
      stays = train.keep_every and int(path.name) % train.keep_every == 0
      if not stays:
        # Under a name that is no checkpoint's, should this be cut short.
        gone = path.with_name(f".{path.name}.gone")
        path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def steps(folder: Path) -> list[Path]:
  """The checkpoints of a run, the oldest first."""
  return sorted(
    path
    for path in (folder / CHECKPOINTS).glob("*")
    if path.name.isdecimal() and path.is_dir()
  )


def export(
  experiment: Experiment,
  params: Params,
  path: Path,
  *,
  dtype: str = "bfloat16",
  overwrite: bool = False,
) -> None:
  """Writes a model as it is shipped: weights, settings and tokenizer.

  Args:
    dtype: of the weights in the file.

  Raises:
    FileExistsError: `path` is taken.
    OSError: it could not be written.
  """
  _begin_export(
    experiment, params, path, dtype=dtype, overwrite=overwrite
  ).wait()


def _begin_export(
  experiment: Experiment,
  params: Params,
  path: Path,
  *,
  dtype: str = "bfloat16",
  overwrite: bool = False,
) -> Saving:
  return checkpoint.begin(
    path,
    _rounded(params, dtype=dtype),
    config=settings.to_dict(experiment),
    tokenizer=world.vocabulary().tokenizer.to_str().encode(),
    overwrite=overwrite,
    max_file_bytes=15 << 20,
  )


@functools.partial(jax.jit, static_argnames="dtype")
def _rounded(params: Params, *, dtype: str) -> Params:
  return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), params)


def _check_model(path: Path, experiment: Experiment) -> None:
  stored = json.loads((path / "config.json").read_bytes())["model"]
  # Through JSON, in which tuples are lists, as the stored ones were.
  now = json.loads(json.dumps(settings.to_dict(experiment)))["model"]
  if stored != now:
    changed = sorted(key for key in now if now[key] != stored.get(key))
    raise ValueError(
      f"{path.parent.parent} holds a run of another model (different: "
      f"{', '.join(changed)}); choose another workdir."
    )


def _sweep(folder: Path) -> None:
  """Removes what a crash left half written or half removed."""
  for path in (folder / CHECKPOINTS).glob(".*"):
    shutil.rmtree(path, ignore_errors=True)
