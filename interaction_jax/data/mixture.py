"""Rows from several sources at once: folders of records, and speech banks.

    rows(sources)[k]    the row number k of an endless sequence

A row is a function of the seed and its number alone, so any process can make
any of them, and where a run stands is one number.

A folder is passed through again and again, each time in another order. Each of
its conversations is cut into about as many parts as rows are needed to hold
it; where a part begins is drawn anew each time, near its place, where the
assistant is silent if it ever is. Parts at the end begin so early that they
fill a row. Conversations that are too short to fill one are joined to those
that follow them, as if the next user had come into the same session; those
with instructions are not.
"""

import bisect
import dataclasses
import functools
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from interaction_jax.data import episodes, record, records, sight
from interaction_jax.data.form import Form
from interaction_jax.data.record import Record
from interaction_jax.data.records import Folder
from interaction_jax.data.source import Source
from interaction_jax.data.synthetic import bank as banks
from interaction_jax.data.synthetic import perform
from interaction_jax.data.synthetic.bank import Bank
from interaction_jax.data.synthetic.voices import USERS, Split
from interaction_jax.turns import clock
from interaction_jax.turns.vocabulary import Vocabulary

_SEARCH: Final = 25
"""Turns within which a silent one is looked for."""

_ROOM: Final = 2
"""Rows that conversations which are joined would fill, at least."""


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
  """One row of a batch.

  Attributes:
    arrays: the fields of an `Episode`, without the axis of rows.
    labels: what a judge knows, where the row begins with its conversation.
  """

  arrays: dict[str, np.ndarray]
  labels: tuple[dict[str, Any], ...]


def rows(
  sources: Sequence[Source],
  *,
  vocabulary: Vocabulary,
  form: Form,
  seed: int,
  split: Split = "train",
) -> Any:
  """The rows of a mixture, a `grain.MapDataset` of `Row`.

  Args:
    vocabulary: of the model that is to read them.
    split: whose voices speak in conversations that are made.

  Raises:
    FileNotFoundError: a source does not exist.
    ValueError: a source is damaged, or there is none.
  """
  import grain

  if not sources:
    raise ValueError("sources=() is empty; a folder or a bank is wanted.")
  parts = []
  for place, source in enumerate(sources):
    own = _Options(vocabulary, form, (seed, place), split)
    if records.is_folder(source.path):
      made = _Recorded(records.load(source.path, verify=False), own)
      order = grain.MapDataset.range(made.num_windows)
      order = order.seed(seed + place).shuffle().repeat()
    else:
      made = _Played(banks.load(source.path, verify=False), own)
      order = grain.MapDataset.range(sys.maxsize)
    parts.append(order.map_with_index(made))
  if len(parts) == 1:
    return parts[0]
  weights = [source.weight for source in sources]
  return grain.MapDataset.mix(parts, weights=weights)


def identity(source: Source) -> str:
  """What tells whether a source is still the same: a digest of all its bytes.

  Those of a bank are read and compared. Those of a folder, which may be very
  many, are compared when they are needed: its entries carry checksums.

  Raises:
    FileNotFoundError: it does not exist.
    ValueError: it is a bank, and damaged.
  """
  name = records.INDEX
  if not records.is_folder(source.path):
    name = banks.SUMS
    if (Path(source.path) / name).is_file():
      banks.load(source.path)
  file = Path(source.path) / name
  if not file.is_file():
    raise FileNotFoundError(
      f"{source.path} is neither a folder of records nor a speech bank."
    )
  return banks.digest(file)


@dataclasses.dataclass(frozen=True, eq=False)
class _Options:
  vocabulary: Vocabulary
  form: Form
  seed: tuple[int, int]
  split: Split

  def draw(self, index: int) -> np.random.Generator:
    """What is random in the row `index` of a source."""
    number = list(USERS).index(self.split)
    return np.random.default_rng((*self.seed, number, index))

  def row(
    self, made: Record, rng: np.random.Generator, *, first: int = 0
  ) -> Row:
    """The row that begins with the turn `first` of a session."""
    form = self.form
    # Sessions see in turns that are multiples of `every`, records alike.
    start = form.every * int(rng.integers(form.max_start // form.every + 1))
    arrays = episodes.arrays(
      made, vocabulary=self.vocabulary, form=form, start=start + first
    )
    return Row(arrays, made.labels)


class _Played:
  """Conversations that are made as they are needed."""

  def __init__(self, bank: Bank, options: _Options):
    self._bank, self._options = bank, options

  def __call__(self, index: int, _: int) -> Row:
    rng = self._options.draw(index)
    form, split = self._options.form, self._options.split
    made = perform.record_for(form, self._bank, rng, split=split)
    return self._options.row(made, rng)


class _Recorded:
  """Parts of recorded conversations."""

  def __init__(self, folder: Folder, options: _Options):
    self._folder, self._options = folder, options

  @property
  def num_windows(self) -> int:
    """Parts in one pass through the folder."""
    return self._ends[-1]

  def __call__(self, index: int, which: int) -> Row:
    rng = self._options.draw(index)
    unit = bisect.bisect_right(self._ends, which)
    before = self._ends[unit - 1] if unit else 0
    place, count = which - before, self._ends[unit] - before
    numbers = self._units[unit]
    try:
      first, made = self._part(numbers, (place + rng.random()) / count)
      return self._options.row(made, rng, first=first)
    except ValueError as error:
      raise ValueError(
        f"{self._folder.path}, record {numbers[0]}: {error}"
      ) from error

  def _part(self, numbers: Sequence[int], where: float) -> tuple[int, Record]:
    """A part that begins about `where`, from 0 to 1, and its first turn."""
    form, vocabulary = self._options.form, self._options.vocabulary
    entries = [self._folder[number] for number in numbers]
    whole = record.join([entry.outline() for entry in entries])
    latest = whole.num_turns - episodes.filling(
      whole, vocabulary=vocabulary, form=form
    )
    first = _quiet(whole, int(where * whole.num_turns), latest)
    # The turn behind a row tells what its last turn makes.
    length = form.num_turns + 1
    if len(entries) == 1:
      return first, entries[0].record(first, length)
    parts = [sight.fitted(entry.record(), form) for entry in entries]
    return first, record.cut(record.join(parts), first, length)

  @functools.cached_property
  def _units(self) -> list[tuple[int, ...]]:
    """Conversations by number, those that are joined together."""
    enough = _ROOM * self._options.form.num_turns
    units: list[tuple[int, ...]] = []
    waiting: list[int] = []
    turns = 0
    for number, length in enumerate(self._folder.lengths):
      alone = number in self._folder.pinned
      here = clock.num_turns(length)
      if alone or here >= self._options.form.num_turns:
        units.append((number,))
        continue
      waiting.append(number)
      turns += here
      if turns >= enough:
        units.append(tuple(waiting))
        waiting, turns = [], 0
    if waiting:
      units.append(tuple(waiting))
    return units

  @functools.cached_property
  def _ends(self) -> list[int]:
    """How many parts there are up to and including each unit."""
    lengths = self._folder.lengths
    usual = _usual_turns(self._options.form)
    counts = []
    for unit in self._units:
      turns = sum(clock.num_turns(lengths[number]) for number in unit)
      counts.append(max(1, round(turns / usual)))
    return list(itertools.accumulate(counts))


def _usual_turns(form: Form) -> float:
  """Turns that a row holds of a conversation in which half is talk."""
  if form.positions is None:
    return form.num_turns
  each = 2 + 1.5 * form.audio + form.patches / form.every
  return min(form.num_turns, (form.positions - form.pinned) / each)


def _quiet(whole: Record, wanted: int, latest: int) -> int:
  """The turn nearest to `wanted` in which the assistant is still silent.

  Nor does it begin to speak in the next one. Where it never pauses, that turn
  itself.

  Args:
    latest: the last one there may be.
  """
  wanted = min(wanted, latest)
  sounding = np.zeros(whole.num_turns + 1, bool)
  for first, last in whole.speech:
    sounding[first // clock.SAMPLES : clock.num_turns(last)] = True
  silent = np.flatnonzero(~sounding[: latest + 1] & ~sounding[1 : latest + 2])
  if not len(silent):
    return wanted
  found = int(silent[np.argmin(np.abs(silent - wanted))])
  return found if abs(found - wanted) <= _SEARCH else wanted
