"""Batches for training, made by other processes meanwhile.

    loader = Loader(sources, vocabulary=..., form=..., seed=0, batch_size=8)
    for batch in loader: ...          endless
    state = loader.state()            {"rows": 4096, ...}, as JSON holds it
    Loader(..., state=state)          goes on behind the last batch

Where a loader stands is the number of rows that were handed out, whoever made
them: a run goes on with another number of workers, of processes, or another
size of batches, and sees the rows it would have seen.
"""

import contextlib
import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from interaction_jax.data import mixture, workers
from interaction_jax.data.episodes import Batch
from interaction_jax.data.form import Form
from interaction_jax.data.source import Source
from interaction_jax.data.synthetic.voices import Split
from interaction_jax.turns.vocabulary import Vocabulary


class Loader:
  """An endless iterator of batches. Close it, and its processes end.

  A script that uses workers needs the usual `if __name__ == "__main__":`,
  since each of them imports it.
  """

  def __init__(
    self,
    sources: Sequence[Source],
    *,
    vocabulary: Vocabulary,
    form: Form,
    seed: int,
    batch_size: int,
    only: Sequence[int] | None = None,
    split: Split = "train",
    num_workers: int = 0,
    state: Mapping[str, Any] | None = None,
  ):
    """Starts to prepare batches.

    Args:
      sources: what is mixed.
      vocabulary: of the model that is trained.
      only: the rows of each batch that are made, where other processes of the
        run make the others; None: all.
      split: whose voices speak in conversations that are made.
      num_workers: processes; 0: a thread of this one.
      state: of the loader that is gone on with; None: from the beginning.

    Raises:
      FileNotFoundError: a source does not exist.
      ValueError: a source is damaged, or the state is of other data.
    """
    self._batch_size = batch_size
    self._about = {
      "seed": seed,
      "split": split,
      "sources": [
        [mixture.identity(source), source.weight] for source in sources
      ],
    }
    self._first = 0 if state is None else _resumed(state, self._about)
    self._taken = 0
    make = _Make(
      tuple(sources),
      vocabulary,
      form,
      seed,
      split,
      self._first,
      batch_size,
      tuple(range(batch_size) if only is None else only),
    )
    # What is wrong with a source is better told here than by a worker.
    _ = make.rows
    self._batches = _started(make, num_workers)

  def __enter__(self) -> "Loader":
    return self

  def __exit__(self, *reason: object) -> None:
    self.close()

  def __iter__(self) -> "Loader":
    return self

  def __next__(self) -> Batch:
    """The next batch.

    Raises:
      ValueError: a record that it needs is damaged, or does not fit.
    """
    made = next(self._batches)
    if "error" in made:
      raise ValueError(made["error"])
    self._taken += 1
    # Copies: what comes from a worker lies in memory that is used again.
    arrays = {name: np.array(x) for name, x in made["arrays"].items()}
    return Batch(
      arrays, tuple(tuple(labels) for labels in json.loads(made["labels"]))
    )

  def state(self) -> dict[str, Any]:
    """What a loader needs to go on behind the last batch."""
    rows = self._first + self._taken * self._batch_size
    return {"rows": rows, **self._about}

  def close(self) -> None:
    """Ends the processes; nothing can be taken after it."""
    with contextlib.suppress(AttributeError):
      self._batches.close()


@dataclasses.dataclass(frozen=True, eq=False)
class _Make:
  """Makes the batch number `index`, in whatever process it is called."""

  sources: tuple[Source, ...]
  vocabulary: Vocabulary
  form: Form
  seed: int
  split: Split
  first: int
  batch_size: int
  only: tuple[int, ...]

  def __call__(self, index: int) -> dict[str, Any]:
    begin = self.first + index * self.batch_size
    try:
      made = [self.rows[begin + place] for place in self.only]
    except (ValueError, OSError) as error:
      # An error would come out of a worker as one of its machinery.
      return {"error": str(error)}
    names = made[0].arrays
    return {
      "arrays": {n: np.stack([row.arrays[n] for row in made]) for n in names},
      "labels": json.dumps([row.labels for row in made]),
    }

  @functools.cached_property
  def rows(self) -> Any:
    """The rows of the mixture."""
    return mixture.rows(
      self.sources,
      vocabulary=self.vocabulary,
      form=self.form,
      seed=self.seed,
      split=self.split,
    )

  def __getstate__(self) -> dict[str, Any]:
    # Each process opens the files for itself.
    return {k: v for k, v in self.__dict__.items() if k != "rows"}


def _started(make: _Make, num_workers: int) -> Any:
  """An iterator over all batches from the first on."""
  import grain
  from absl import flags

  most = 2**62 // make.batch_size
  batches = grain.MapDataset.range(most).map(make)
  # Order and numbers are those of one thread, however many there are.
  ahead = grain.ReadOptions(num_threads=1, prefetch_buffer_size=2)
  stream = batches.to_iter_dataset(ahead)
  if num_workers:
    if not flags.FLAGS.is_parsed():
      # Grain hands absl's flags to its workers; here they have no meaning.
      flags.FLAGS.mark_as_parsed()
    options = grain.MultiprocessingOptions(
      num_workers=num_workers, per_worker_buffer_size=2
    )
    stream = stream.mp_prefetch(options, worker_init_fn=_begin)
  return iter(stream)


def _begin(worker: int, num_workers: int) -> None:
  workers.end_with_parent()


def _resumed(state: Mapping[str, Any], about: Mapping[str, Any]) -> int:
  # Through JSON, in which tuples are lists.
  now = json.loads(json.dumps(about))
  changed = [name for name in now if state.get(name) != now[name]]
  if changed:
    raise ValueError(
      f"the state is of other data (different: {', '.join(changed)}); go on "
      "with the same, or begin without it."
    )
  return int(state["rows"])
