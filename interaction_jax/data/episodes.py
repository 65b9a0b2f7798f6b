"""Synthetic conversations as the arrays that training reads.

Everything is drawn from (seed, split, index, row), so any batch can be made
again, by any process, in any order, as long as the bank is the same.
"""

import dataclasses
import functools
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from interaction_jax.data import sight, transcript, workers
from interaction_jax.data.form import Form
from interaction_jax.data.record import Record, cut
from interaction_jax.data.sight import Sight
from interaction_jax.data.synthetic import bank as banks
from interaction_jax.data.synthetic import perform, world
from interaction_jax.data.synthetic.bank import Bank
from interaction_jax.data.synthetic.voices import USERS, Split
from interaction_jax.data.transcript import Tokens
from interaction_jax.ops import spectral
from interaction_jax.turns import clock
from interaction_jax.turns.schema import Episode
from interaction_jax.turns.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True, eq=False)
class Batch:
  """Episodes, and what happened in them.

  Attributes:
    arrays: the fields of `Episode` as NumPy arrays; those that are None are
      left out.
    labels: of every exchange of every row; see `Stage.label`.
  """

  arrays: dict[str, np.ndarray]
  labels: tuple[tuple[dict[str, Any], ...], ...]

  def episode(self) -> Episode:
    """The arrays on the device."""
    import jax

    return Episode(**jax.device_put(self.arrays))


def batch(
  bank: Bank,
  *,
  seed: int,
  index: int,
  batch_size: int,
  split: Split = "train",
  form: Form | None = None,
  only: Sequence[int] | None = None,
) -> Batch:
  """The batch number `index` of an endless sequence.

  Args:
    form: None for the default one.
    only: the rows that are made, where others are made elsewhere; None: all.
  """
  form = form or Form()
  rows, labels = [], []
  for row in range(batch_size) if only is None else only:
    rng = np.random.default_rng((seed, list(USERS).index(split), index, row))
    record = perform.record_for(form, bank, rng, split=split)
    start = form.every * int(rng.integers(form.max_start // form.every + 1))
    rows.append(
      arrays(record, vocabulary=world.vocabulary(), form=form, start=start)
    )
    labels.append(record.labels)
  stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
  return Batch(stacked, tuple(labels))


def stream(
  path: str | Path,
  *,
  seed: int,
  batch_size: int,
  split: Split = "train",
  form: Form | None = None,
  only: Sequence[int] | None = None,
  first: int = 0,
  num_workers: int = 1,
  ahead: int = 4,
) -> Generator[Batch, None, None]:
  """Batches `first`, `first + 1`, ..., made by other processes meanwhile.

  Close the generator, and they end. A script that uses it needs the usual
  `if __name__ == "__main__":`, since each process imports it.

  Args:
    path: of a bank.
    only: as for `batch`.
    ahead: batches that may wait to be taken.
  """
  make = functools.partial(
    _from_path,
    str(path),
    seed=seed,
    batch_size=batch_size,
    split=split,
    form=form,
    only=only,
  )
  banks.load(path)
  pool = workers.pool(num_workers)
  try:
    waiting = deque(pool.submit(make, first + i) for i in range(ahead))
    following = first + ahead
    while True:
      made = waiting.popleft().result()
      waiting.append(pool.submit(make, following))
      following += 1
      yield made
  finally:
    pool.shutdown(cancel_futures=True)


def _from_path(path: str, index: int, **kwargs: Any) -> Batch:
  return batch(_bank_of_process(path), index=index, **kwargs)


@functools.cache
def _bank_of_process(path: str) -> Bank:
  # `stream` has verified it already.
  return banks.load(path, verify=False)


# One conversation.


def arrays(
  record: Record,
  *,
  vocabulary: Vocabulary,
  form: Form,
  start: int = 0,
) -> dict[str, np.ndarray]:
  """The fields of one row of an `Episode`, by name.

  The row holds the turns from the beginning that fit; the others are padding.

  Args:
    vocabulary: of the model that is to read them.
    start: index of the first turn in its session.

  Raises:
    ValueError: the instructions do not fit.
  """
  most = min(record.num_turns, form.num_turns)
  pinned = _pinned(record, vocabulary, form)
  read = transcript.read(record, most, vocabulary=vocabulary, form=form)
  written = transcript.written(record, most, vocabulary=vocabulary, form=form)
  # What a turn makes is audible in the next one, perhaps behind the last.
  sounding = _sounding(record, form.num_turns + 1)
  seen = sight.pairs(record, most, form=form, start=start)
  num_turns = most
  if form.positions is not None:
    each = _positions(sounding, read, written, seen.pair_of, form)
    used = len(pinned) + np.cumsum(each)
    num_turns = int((used <= form.positions).sum())
  alive = np.arange(form.num_turns) < num_turns
  voice = _turns(record.voice, form.num_turns + 1)
  # Nobody made what is audible in the first turn.
  voice[0] = 0
  late = np.roll(voice.reshape(-1), form.delay)
  late[: form.delay] = 0
  row = {
    "start": np.array(start, np.int32),
    "num_turns": np.array(num_turns, np.int32),
    "heard": _turns(record.heard, form.num_turns),
    "voice": late.reshape(voice.shape)[:-1],
    "speaks": sounding[1:],
    "mel": _mel(voice, sounding, form),
    "text_in": _longer(read.table, form.num_turns),
    "num_text_in": _longer(read.count, form.num_turns),
    "text_out": _longer(written.table, form.num_turns),
    "num_text_out": _longer(written.count, form.num_turns),
    "lost": _lost(record, seen, form),
  }
  if form.sees:
    row["frames_of"] = _longer(seen.pair_of + 1, form.num_turns) - 1
  blank = {"mel": silence(form), "frames_of": np.int32(-1)}
  for name, x in row.items():
    if x.ndim:
      x[~alive] = blank.get(name, 0)
  if form.sees:
    # Those of turns that found no room are not part of the row.
    row["frames"] = _longer(seen.frames[: form.pairs], form.pairs)
  row["pinned"] = _longer(np.array(pinned, np.int32), form.pinned)
  row["num_pinned"] = np.array(len(pinned), np.int32)
  return row


def taken(row: Mapping[str, np.ndarray], form: Form) -> int:
  """The positions that a row takes when packed."""
  num = int(row["num_turns"])
  spoke = row["speaks"][: max(num - 1, 0)].sum()
  text = row["num_text_in"].sum() + row["num_text_out"].sum()
  seen = (row["frames_of"] >= 0).sum() if form.sees else 0
  sound = form.audio * (num + spoke)
  return int(num + sound + text + form.patches * seen + row["num_pinned"])


def filling(record: Record, *, vocabulary: Vocabulary, form: Form) -> int:
  """How many turns at the end of a record fill a row.

  All of them, where they do not. Pictures are not counted, so a row may be
  full sooner.
  """
  most = min(record.num_turns, form.num_turns)
  if form.positions is None:
    return most
  tail = cut(record, record.num_turns - most, most)
  each = _positions(
    _sounding(tail, most),
    transcript.read(tail, most, vocabulary=vocabulary, form=form),
    transcript.written(tail, most, vocabulary=vocabulary, form=form),
    np.full(most, -1),
    form,
  )
  pinned = transcript.pinned(record, vocabulary=vocabulary)
  used = len(pinned) + np.cumsum(each[::-1])
  return max(1, int((used <= form.positions).sum()))


def _positions(
  sounding: np.ndarray,
  read: Tokens,
  written: Tokens,
  pair_of: np.ndarray,
  form: Form,
) -> Int[np.ndarray, " J"]:
  """What each turn takes when packed: see `turns/layout.py`."""
  spoke = sounding[: len(read.count)]
  return (
    1
    + form.audio * (1 + spoke)
    + read.count
    + written.count
    + form.patches * (pair_of >= 0)
  )


def _pinned(record: Record, vocabulary: Vocabulary, form: Form) -> list[int]:
  tokens = transcript.pinned(record, vocabulary=vocabulary)
  if len(tokens) > form.pinned:
    raise ValueError(
      f"instructions have {len(tokens)} tokens, but there is room for "
      f"pinned={form.pinned}; shorter ones are wanted."
    )
  return tokens


def _turns(samples: np.ndarray, num_turns: int) -> Float[np.ndarray, "J W"]:
  """Samples by turn, a new array; silence where there are none."""
  made = np.zeros(num_turns * clock.SAMPLES, np.float32)
  there = samples[: len(made)]
  made[: len(there)] = there
  return made.reshape(num_turns, clock.SAMPLES)


def _longer(x: np.ndarray, length: int) -> np.ndarray:
  """A copy with zeros behind it, until it has a length."""
  made = np.zeros((length, *x.shape[1:]), x.dtype)
  made[: len(x)] = x
  return made


def _lost(record: Record, seen: Sight, form: Form) -> np.ndarray:
  """The shares of each turn's sound and of its pictures that are lost."""
  gone = np.zeros(form.num_turns * clock.SAMPLES, np.float32)
  for first, last in record.lost:
    gone[first:last] = 1
  sound = gone.reshape(form.num_turns, -1).mean(axis=1)
  return np.stack([sound, _longer(seen.lost, form.num_turns)], axis=1)


def silence(form: Form) -> Float[np.ndarray, " M"]:
  """A fine mel frame of silence."""
  return _silence(form.hop, form.window, form.num_mels)


@functools.cache
def _silence(hop: int, window: int, num_mels: int) -> np.ndarray:
  state = spectral.silence(hop=hop, window=window)
  _, frames = spectral.push(
    state,
    np.zeros(hop, np.float32),
    hop=hop,
    window=window,
    num_mels=num_mels,
    sample_rate=clock.SAMPLE_RATE,
  )
  return frames[0]


def _sounding(record: Record, num_turns: int) -> np.ndarray:
  """The turns in which the assistant is audible, but for the first."""
  sounding = np.zeros(num_turns, bool)
  for first, last in record.speech:
    sounding[first // clock.SAMPLES : clock.num_turns(last)] = True
  sounding[0] = False
  return sounding


def _mel(
  said: np.ndarray, sounding: np.ndarray, form: Form
) -> Float[np.ndarray, "J _ M"]:
  """What each turn has to make: the mel of what is audible in the next."""
  num_turns = len(sounding) - 1
  frames = clock.SAMPLES // form.hop
  mel = np.empty((num_turns, frames, form.num_mels), np.float32)
  mel[:] = silence(form)
  edges = np.flatnonzero(np.diff(np.r_[False, sounding, False]))
  for first, last in edges.reshape(-1, 2):
    # Before it there is silence for a turn, longer than any window.
    _, run = spectral.push(
      spectral.silence(hop=form.hop, window=form.window),
      said[first:last].reshape(-1),
      hop=form.hop,
      window=form.window,
      num_mels=form.num_mels,
      sample_rate=clock.SAMPLE_RATE,
    )
    mel[first - 1 : last - 1] = run.reshape(-1, frames, form.num_mels)
  return mel
