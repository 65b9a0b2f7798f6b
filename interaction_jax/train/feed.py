"""Batches on their way to the devices: each process makes its own rows.

What a batch holds is decided by the seed, its number and the row, so any
number of processes make the same one together.
"""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding

from interaction_jax.core import sharding
from interaction_jax.core.sharding import RULES
from interaction_jax.data.form import Form
from interaction_jax.data.loader import Loader
from interaction_jax.data.source import Source
from interaction_jax.data.synthetic import recorder, world
from interaction_jax.train import state as states
from interaction_jax.train.config import Experiment
from interaction_jax.turns.schema import Episode


class Feed:
  """An endless iterator of batches, which can be begun anywhere.

  Attributes:
    waited: seconds that the last batch was waited for.
  """

  def __init__(
    self,
    experiment: Experiment,
    *,
    mesh: Mesh | None = None,
    state: Mapping[str, Any] | None = None,
  ):
    """Starts to prepare batches.

    Args:
      mesh: over whose devices a batch is spread; None: it lies on one.
      state: of the feed that is gone on with; None: from the beginning.

    Raises:
      ValueError: `train.batch` cannot be spread over the mesh.
    """
    num_rows = experiment.train.batch
    self.waited = 0.0
    self._num_rows = num_rows
    self._rows = tuple(range(num_rows))
    self._places: NamedSharding | None = None
    if mesh is not None:
      check_rows(mesh, num_rows)
      self._places = states.rows_on(mesh)
      self._rows = rows_of_process(self._places, num_rows)
    ready_bank(experiment)
    self._batches = _loader(experiment, self._rows, state)

  def __enter__(self) -> "Feed":
    return self

  def __exit__(self, *reason: object) -> None:
    self._batches.close()

  def __iter__(self) -> "Feed":
    return self

  def __next__(self) -> Episode:
    """The next batch, where it is to be computed."""
    began = time.perf_counter()
    batch = next(self._batches)
    self.waited = time.perf_counter() - began
    if self._places is None:
      return batch.episode()
    return Episode(
      **{name: self._spread(rows) for name, rows in batch.arrays.items()}
    )

  def state(self) -> dict[str, Any]:
    """What a feed needs to go on behind the last batch, as JSON holds it.

    It is the same for all processes, and for any number of them.
    """
    return self._batches.state()

  def _spread(self, rows: np.ndarray) -> jax.Array:
    """One array of all rows, of which this process has its own."""
    assert self._places is not None, "there is no mesh"

    def piece(index: tuple[slice, ...] | None) -> np.ndarray:
      assert index is not None, "a device of this process has no place"
      begin, end, _ = index[0].indices(self._num_rows)
      first = self._rows.index(begin)
      return rows[first : first + end - begin]

    return jax.make_array_from_callback(
      (self._num_rows, *rows.shape[1:]), self._places, piece
    )


def rows_of_process(places: NamedSharding, num_rows: int) -> tuple[int, ...]:
  """The rows of a batch that lie on the devices of this process, ascending."""
  found: set[int] = set()
  for index in places.addressable_devices_indices_map((num_rows,)).values():
    assert index is not None, "a device of this process has no place"
    found.update(range(*index[0].indices(num_rows)))
  return tuple(sorted(found))


def check_rows(mesh: sharding.AnyMesh, num_rows: int) -> None:
  """Sees whether a batch can be spread over a mesh.

  Raises:
    ValueError: it cannot.
  """
  axes = RULES.activations["B"]
  ways = int(np.prod([mesh.shape[axis] for axis in axes]))
  if num_rows % ways:
    named = " * ".join(f"{axis}={mesh.shape[axis]}" for axis in axes)
    below = num_rows // ways * ways
    near = f"{below} and {below + ways}" if below else f"{ways}"
    raise ValueError(
      f"train.batch={num_rows} cannot be split {ways} ways over {named}; "
      f"{near} can."
    )


def ready_bank(
  experiment: Experiment, *, make: Callable[..., object] = recorder.make
) -> None:
  """Makes the speech bank of an experiment, if it needs one and has none.

  Every process of a run calls this; the first one makes it.

  Args:
    make: makes one in a new folder.
  """
  train = experiment.train
  path = Path(train.data.bank)
  wanted = not train.data.sources and not path.exists()
  if jax.process_index() == 0 and wanted:
    # It takes minutes, and one that is half made would be of no use.
    draft = path.with_name(f".{path.name}.making")
    shutil.rmtree(draft, ignore_errors=True)
    make(draft, seed=train.seed)
    draft.rename(path)
  if jax.process_count() > 1:
    multihost_utils.sync_global_devices("interaction_jax/feed/bank")


def _loader(
  experiment: Experiment,
  rows: tuple[int, ...],
  state: Mapping[str, Any] | None,
) -> Loader:
  train = experiment.train
  return Loader(
    train.data.sources or (Source(train.data.bank),),
    vocabulary=world.vocabulary(),
    form=form(experiment),
    seed=train.seed,
    batch_size=train.batch,
    only=rows,
    num_workers=train.data.workers,
    state=state,
  )


def form(experiment: Experiment) -> Form:
  """What rows look like for the model of an experiment."""
  model, data = experiment.model, experiment.train.data
  voice, video = model.vocoder, model.video
  turns = data.num_turns
  if turns is None:
    assert data.positions is not None, "a row without an end"
    # A turn of silence: its tick, and what is heard.
    turns = -(-data.positions // (1 + model.audio_positions))
  return Form(
    num_turns=turns,
    positions=data.positions,
    # Sessions of eight hours and more: nothing is new at any of these turns.
    max_start=2**18,
    text_in=model.turn.text_in,
    text_out=model.turn.text_out,
    pinned=model.memory.pinned,
    audio=model.audio_positions,
    hop=voice.hop,
    window=voice.window,
    num_mels=voice.num_mels,
    delay=voice.delay,
    rows=video.rows * video.patch,
    columns=video.columns * video.patch,
    patches=video.num_patches,
    every=video.every,
  )
