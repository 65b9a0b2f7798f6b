"""The suite `behaviours`: every row, on conversations that nobody trained on.

    draw       conversations of the row's exchanges, held-out voices and words
    run        the model, many at once
    judge      the model, and beside it who guesses, who is silent, who is right
    again      on voices of another synthesiser

Every item has a seed of its own; the same seed, version and bank give the same
items.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from interaction_jax.core import settings
from interaction_jax.data.record import Record
from interaction_jax.data.synthetic import bank as banks
from interaction_jax.data.synthetic.bank import Bank
from interaction_jax.evals import account, onsets, report
from interaction_jax.evals.account import Account
from interaction_jax.evals.behaviours import (
  delegation,
  duration,
  floor,
  items,
  keepsake,
  language,
  speech,
  summary,
  vision,
)
from interaction_jax.evals.behaviours.row import Row
from interaction_jax.serve import backlog
from interaction_jax.serve.backlog import Conduct
from interaction_jax.serve.models import Model
from interaction_jax.turns import clock

NAME: Final = "behaviours"

RESUMES: Final = False

table = report.table
"""Its report as it is printed."""

ROWS: Final[dict[str, Row]] = {
  row.name: row
  for module in (floor, language, vision, duration, delegation)
  for row in module.ROWS
}

_GUESSES: Final = 8
"""Times that chance is tried; the mean is reported."""

_DETECTED: Final = 8
"""Conversations of a row that the voice detector hears."""


@dataclasses.dataclass(frozen=True)
class Options:
  """How the suite is run.

  Attributes:
    num_items: exchanges of each row, at least.
    seed: of all that is drawn.
    rows: names; empty: all.
    batch: conversations at once.
    keep: how many items of each row are kept as sound and picture, the worst
      first; -1: all.
    other: whether there are voices of another synthesiser, too.
    bank: the folder of a bank to take the held-out voices from; None: one is
      made.

  Raises:
    ValueError: a number is not what it can be, or there is no such row.
  """

  num_items: int = 100
  seed: int = 0
  rows: tuple[str, ...] = ()
  batch: int = 16
  keep: int = 3
  other: bool = True
  bank: str | None = None

  def __post_init__(self):
    for name in ("num_items", "batch"):
      if getattr(self, name) < 1:
        flag = name.removeprefix("num_")
        raise ValueError(
          f"{flag}={getattr(self, name)} must be 1 or more; 100 items and a "
          "batch of 16 are usual."
        )
    if not 0 <= self.seed < 2**31:
      raise ValueError(f"seed={self.seed} must lie in 0 to {2**31 - 1}.")
    if self.keep < -1:
      raise ValueError(f"keep={self.keep} must be -1, for all, 0 or more.")
    for name in self.rows:
      if name not in ROWS:
        raise ValueError(
          f"there is no row {name!r}{settings.near(name, ROWS)}; there is "
          f"{', '.join(ROWS)}."
        )

  @property
  def chosen(self) -> list[Row]:
    """The rows that are run."""
    return [ROWS[name] for name in self.rows or ROWS]


def run(
  model: Model,
  folder: Path,
  options: Options,
  *,
  progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
  """Runs the rows; returns the report, which lies in `folder` with the items.

  The report is written after every row, so that a run that is cut short has
  told what it knows.

  Raises:
    ImportError: a bank is to be made, and there is no synthesiser.
    ValueError: the bank has no held-out voices, or is too small for a row.
  """
  began = time.perf_counter()
  if options.bank is None:
    bank = speech.get("usual", seed=options.seed)
  else:
    bank = banks.load(options.bank)
  other = speech.get("klatt", seed=options.seed) if options.other else None
  written = {
    "suite": NAME,
    "rows": {},
    "seed": options.seed,
    "items": options.num_items,
    "checkpoint": report.checkpoint(model),
    "bank": str(bank.path),
    "complete": False,
  }
  for place, row in enumerate(options.chosen):
    found = _row(model, row, bank, other, folder, options)
    written["rows"][row.name] = found
    written["passed"] = sum(x["passed"] for x in written["rows"].values())
    written["complete"] = place + 1 == len(options.chosen)
    written["wall_s"] = round(time.perf_counter() - began, 3)
    report.write(folder, written)
    if progress is not None:
      progress(place + 1, len(options.chosen))
  return written


def _row(
  model: Model,
  row: Row,
  bank: Bank,
  other: Bank | None,
  folder: Path,
  options: Options,
) -> dict[str, Any]:
  began = time.perf_counter()
  records = _records(model, row, bank, options)
  conducts = perform(model, records, seed=options.seed, batch=options.batch)
  made = [account.of_conduct(one, model.words) for one in conducts]
  found = _judged(row, records, made, options.seed)
  reached = _beside(row, records, options.seed)
  written = {
    "score": found["score"],
    "ci": found["ci"],
    "n": found["n"],
    "threshold": row.threshold,
    "passed": summary.passed(row, found),
    **{name: beside["score"] for name, beside in reached.items()},
    "about": row.about,
    "limits": [dataclasses.asdict(limit) for limit in row.limits],
    **{name: found[name] for name in found if name not in ("score", "ci", "n")},
    "beside": reached,
    "conversations": len(records),
    "turns": sum(record.num_turns for record in records),
    "wordless_voice": _wordless(made),
    "detector": _detected(conducts, made),
  }
  keepsake.keep(
    folder / row.name, row, model, records, conducts, most=options.keep
  )
  if other is not None:
    written["other_synthesiser"] = _elsewhere(model, row, other, options, found)
  written["wall_s"] = round(time.perf_counter() - began, 3)
  return written


def perform(
  model: Model, records: Sequence[Record], *, seed: int, batch: int
) -> list[Conduct]:
  """What a model does in each of some conversations.

  Those of like length are run together.
  """
  order = sorted(
    range(len(records)), key=lambda place: records[place].num_turns
  )
  conducts = backlog.run(
    model,
    [records[place] for place in order],
    seeds=[seed + place for place in order],
    batch=batch,
  )
  done = dict(zip(order, conducts, strict=True))
  return [done[place] for place in range(len(records))]


def _records(
  model: Model, row: Row, bank: Bank, options: Options
) -> list[Record]:
  video = model.cfg.video
  return items.draw(
    row,
    bank,
    num_items=options.num_items,
    seed=options.seed,
    size=(video.rows * video.patch, video.columns * video.patch),
  )


def _judged(
  row: Row, records: Sequence[Record], made: Sequence[Account], seed: int
) -> dict[str, Any]:
  judged = [
    (place, said)
    for place, (record, one) in enumerate(zip(records, made, strict=True))
    for _, said in items.judge(row, record, one)
  ]
  minutes = sum(record.seconds for record in records) / 60
  return summary.numbers(judged, minutes=minutes, seed=seed)


def _beside(
  row: Row, records: Sequence[Record], seed: int
) -> dict[str, dict[str, Any]]:
  """The same numbers of those that every model is compared with."""
  guessed = [
    _judged(row, records, items.guesses(row, records, seed=seed + draw), seed)
    for draw in range(_GUESSES)
  ]
  scores = [one["score"] for one in guessed]
  silent = [account.silent(record.num_turns) for record in records]
  truth = [account.of_record(record) for record in records]
  return {
    "chance": {**guessed[0], "score": sum(scores) / len(scores)},
    "silent": _judged(row, records, silent, seed),
    "oracle": _judged(row, records, truth, seed),
  }


def _elsewhere(
  model: Model, row: Row, bank: Bank, options: Options, usual: dict[str, Any]
) -> dict[str, Any]:
  """The row again, on voices of another synthesiser."""
  records = _records(model, row, bank, options)
  conducts = perform(model, records, seed=options.seed, batch=options.batch)
  made = [account.of_conduct(one, model.words) for one in conducts]
  found = _judged(row, records, made, options.seed)
  return {
    "name": "klatt",
    "score": found["score"],
    "ci": found["ci"],
    "n": found["n"],
    "drop": usual["score"] - found["score"],
  }


def _wordless(made: Sequence[Account]) -> float | None:
  """How much of the voice says nothing that was written."""
  shares = [one.wordless() for one in made]
  there = [share for share in shares if share is not None]
  return sum(there) / len(there) if there else None


def _detected(
  conducts: Sequence[Conduct], made: Sequence[Account]
) -> dict[str, Any] | None:
  """What an independent detector hears, in some conversations of a row."""
  if not onsets.installed():
    return None
  seen: dict[str, list[float]] = {}
  part = list(zip(conducts, made, strict=True))[:_DETECTED]
  spans = onsets.heard([conduct.voice for conduct, _ in part])
  for (_, one), mine in zip(part, spans, strict=True):
    found = onsets.compare(one.stretches(), mine)
    for name, values in found.items():
      seen.setdefault(name, []).extend(values)
  return {
    "conversations": len(part),
    "seconds": sum(len(x.voice) for x, _ in part) / clock.SAMPLE_RATE,
    **report.medians(seen),
  }
