"""How fast conversations are made, and whether training waits for them.

generate    conversations finished, encoded and on disk, by the command
            `generate` with a process for each core; its start counts
rows        what a row of training holds, of the positions that it has
waiting     the share of a training step in which there was no batch yet,
            beside one process that makes them
"""

import contextlib
import dataclasses
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from interaction_jax.core import settings
from interaction_jax.data import episodes, generate, mixture
from interaction_jax.data.source import Source
from interaction_jax.data.synthetic import recorder, world
from interaction_jax.evals.bench import timing
from interaction_jax.evals.bench.timing import Times
from interaction_jax.train import feed, loop
from interaction_jax.train.config import Experiment

_CLIPS = 2000
"""Of a speech bank that is made for the occasion."""

_START = 2
"""Steps that are not counted: the first ones wait for the compiler."""


def run(
  config: str | Experiment = "nano",
  *,
  rounds: int = 3,
  num_episodes: int = 256,
  seconds: float = 60.0,
  num_rows: int = 64,
  num_steps: int = 30,
  bank: str | Path | None = None,
  progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
  """Measures all three; returns what `bench data` reports.

  Args:
    config: whose rows and whose steps they are, or its name.
    rounds: times that conversations are generated.
    num_episodes, seconds: how many each time, and how long each.
    num_rows: that are looked at.
    num_steps: of training.
    bank: a speech bank; None: a small one is made first, which counts nowhere.
    progress: is told how much is done, and how much there is.

  Raises:
    FileNotFoundError: there is no such config or bank.
    ValueError: there is not even one of something.
  """
  for name, value, least in (
    ("rounds", rounds, 1),
    ("episodes", num_episodes, 1),
    ("rows", num_rows, 1),
    ("steps", num_steps, _START + 1),
  ):
    if value < least:
      raise ValueError(f"{name}={value} must be {least} or more.")
  experiment = settings.load(config) if isinstance(config, str) else config
  with contextlib.ExitStack() as stack:
    place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    if bank is None:
      bank = place / "bank"
      recorder.make(bank, seed=0, num_clips=_CLIPS)
    experiment = _of_bank(experiment, Path(bank), num_steps)
    took = []
    for number in range(rounds):
      began = time.perf_counter()
      generate.generate(
        place / f"made{number}",
        bank,
        num_episodes=num_episodes,
        seed=number,
        seconds=seconds,
        num_workers=os.cpu_count() or 1,
      )
      took.append(1000 * (time.perf_counter() - began))
      progress(number + 1, rounds + 2)
    rows = [_generated(took, num_episodes * seconds)]
    rows.append(_filled(experiment, num_rows))
    progress(rounds + 1, rounds + 2)
    rows.append(_waited(experiment, place / "run"))
    progress(rounds + 2, rounds + 2)
  return {"config": experiment.name, "rows": rows}


def summary(report: Mapping[str, Any]) -> str:
  """The report as a person reads it."""
  made, filled, waited = report["rows"]
  return "\n".join(
    (
      f"{made['ours_per_s']:.0f} s of conversation a second of time, by "
      f"{made['workers']} processes",
      f"{filled['padding']:.1%} of the positions of {report['config']}'s rows "
      f"hold nothing (of {filled['n']} rows; at most {filled['worst']:.1%})",
      f"{waited['waiting']:.2%} of a step of {waited['ours_ms']:.0f} ms waits "
      f"for data (median {waited['median_wait_ms']:.2f} ms)",
    )
  )


def _of_bank(experiment: Experiment, bank: Path, num_steps: int) -> Experiment:
  data = dataclasses.replace(experiment.train.data, bank=str(bank), sources=())
  train = dataclasses.replace(
    experiment.train, num_steps=num_steps, save_every=num_steps, data=data
  )
  return dataclasses.replace(experiment, train=train)


def _generated(took_ms: list[float], seconds: float) -> dict[str, Any]:
  times = Times(np.asarray([[took] for took in took_ms]))
  return timing.row(
    "generate",
    times,
    dtype="int16",
    batch=1,
    ours_per_s=round(1000 * seconds / times.median, 1),
    workers=os.cpu_count() or 1,
  )


def _filled(experiment: Experiment, num_rows: int) -> dict[str, Any]:
  data, form = experiment.train.data, feed.form(experiment)
  rows = mixture.rows(
    (Source(data.bank),),
    vocabulary=world.vocabulary(),
    form=form,
    seed=experiment.train.seed,
  )
  took, used = [], []
  for number in range(num_rows):
    began = time.perf_counter()
    used.append(episodes.taken(rows[number].arrays, form))
    took.append(1000 * (time.perf_counter() - began))
  shares = 1 - np.asarray(used) / form.room
  return timing.row(
    "rows",
    Times(np.asarray([took])),
    dtype="float32",
    batch=1,
    context=form.room,
    padding=round(float(shares.mean()), 4),
    worst=round(float(shares.max()), 4),
  )


def _waited(experiment: Experiment, folder: Path) -> dict[str, Any]:
  lines: list[dict[str, Any]] = []
  loop.train(experiment, folder, on_step=lambda line: lines.append({**line}))
  counted = lines[_START:]
  took = np.asarray([line["seconds"] for line in counted])
  waits = np.asarray([line["waited"] for line in counted])
  return timing.row(
    "waiting",
    Times(1000 * took[None]),
    dtype=experiment.train.dtype or experiment.model.dtype,
    batch=experiment.train.batch,
    ours_per_s=round(
      float(np.median([line["tokens_per_s"] for line in counted])), 1
    ),
    waiting=round(float(waits.sum() / took.sum()), 5),
    median_wait_ms=round(1000 * float(np.median(waits)), 3),
    workers=experiment.train.data.workers,
  )
