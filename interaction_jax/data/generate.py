"""Makes conversations and keeps them: any number, any length, in parallel.

What a conversation holds is decided by the seed, its number, the split and the
bank, so the same files come out whoever makes them, to the last byte.
"""

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from interaction_jax.data import records, workers
from interaction_jax.data.entry import encode
from interaction_jax.data.synthetic import bank as banks
from interaction_jax.data.synthetic import perform, recorder
from interaction_jax.data.synthetic.bank import Bank
from interaction_jax.data.synthetic.voices import USERS, Split
from interaction_jax.turns import clock

EACH: Final = 64
"""Conversations in a file."""


def generate(
  path: str | Path,
  bank: str | Path,
  *,
  num_episodes: int,
  seed: int,
  seconds: float = 60.0,
  num_clips: int | None = None,
  split: Split = "train",
  num_workers: int = 1,
  force: bool = False,
  progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
  """Writes a folder of records; returns its index.

  Args:
    bank: folder of the speech bank; made there when it does not exist.
    seconds: length of a conversation, rounded up to whole turns.
    num_clips: of users, in a bank that is made here; None: as many as usual.
    split: whose voices speak.
    num_workers: processes.
    force: whether a folder of records at `path` is replaced.
    progress: told how many conversations are done, and of how many.

  Raises:
    FileExistsError: something lies at `path`.
    ValueError: a number is out of range, or the bank is damaged.
  """
  for name, value, least in (
    ("episodes", num_episodes, 1),
    ("workers", num_workers, 1),
    ("seconds", seconds, 4),
  ):
    if not least <= value < float("inf"):
      raise ValueError(f"{name}={value} must be {least} or more.")
  if not 0 <= seed < 2**32:
    raise ValueError(f"seed={seed} must lie in 0 to {2**32 - 1}.")
  bank = Path(bank)
  with records.draft(path, force=force) as folder:
    # Not before it is known that the result can be written.
    prepare(bank, seed=seed, num_clips=num_clips)
    num_turns = clock.num_turns(round(seconds * clock.SAMPLE_RATE))
    make = functools.partial(
      _make_file,
      folder,
      bank,
      seed=seed,
      num_turns=num_turns,
      split=split,
      num_episodes=num_episodes,
    )
    written = []
    numbers = range(-(-num_episodes // EACH))
    for about in _mapped(make, numbers, num_workers):
      written.append(about)
      progress(min(len(written) * EACH, num_episodes), num_episodes)
    return records.write_index(
      folder,
      written,
      made={
        "by": "generate",
        "seed": seed,
        "split": split,
        "num_turns": num_turns,
        "bank": banks.digest(bank / banks.SUMS),
      },
    )


def prepare(path: Path, *, seed: int, num_clips: int | None = None) -> Bank:
  """Opens a speech bank, which is made when it does not exist.

  That takes minutes; one that is half made is never taken for a bank.

  Args:
    num_clips: of users, in one that is made; None: as many as usual.

  Raises:
    FileExistsError: a size is asked for, and there is a bank already.
    FileNotFoundError: something else lies there.
    ValueError: it is damaged, or it would be too small.
  """
  if not path.exists():
    draft = path.absolute().with_name(f".{path.name}.making")
    shutil.rmtree(draft, ignore_errors=True)
    if num_clips is None:
      recorder.make(draft, seed=seed)
    else:
      recorder.make(draft, seed=seed, num_clips=num_clips)
    draft.rename(path)
  elif num_clips is not None:
    raise FileExistsError(
      f"{path} exists already, so clips={num_clips} would change nothing; "
      "name another folder."
    )
  return banks.load(path)


def _mapped(
  make: Callable[[int], dict[str, Any]], numbers: range, num_workers: int
) -> Iterator[dict[str, Any]]:
  if num_workers == 1:
    yield from map(make, numbers)
    return
  with workers.pool(num_workers) as pool:
    yield from pool.map(make, numbers)


def _make_file(
  folder: Path,
  bank: Path,
  number: int,
  *,
  seed: int,
  num_turns: int,
  split: Split,
  num_episodes: int,
) -> dict[str, Any]:
  """Makes one file of conversations; returns what the index says of it."""
  clips = _bank_of_process(bank)
  last = min((number + 1) * EACH, num_episodes)
  return records.write_file(
    folder,
    number,
    (
      encode(
        perform.record(
          clips,
          np.random.default_rng((seed, list(USERS).index(split), episode)),
          num_turns=num_turns,
          split=split,
        )
      )
      for episode in range(number * EACH, last)
    ),
  )


@functools.cache
def _bank_of_process(path: Path) -> Bank:
  # `prepare` has verified it already.
  return banks.load(path, verify=False)
