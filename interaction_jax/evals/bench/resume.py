"""Runs that are killed, and runs that are told to end: what is lost of them.

    whole     a run that nothing disturbs
    killed    the same; all of its processes are killed (SIGKILL) at a random
              moment, ten times
    told      the same; it is told to end (SIGTERM) at random moments

Every second moment lies anywhere from the start of a process to its first
step, while it imports, reads or compiles; the others behind that step, while
it computes or saves. To start takes longer than a hundred steps of a small
model, so of moments drawn from all of the time few would find it at work.

Each time the run is begun again by the same command. In the end every line of
its metrics and every number of its last checkpoint is compared with the whole
run, bit for bit.
"""

import contextlib
import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jax
import numpy as np

from interaction_jax.core import checkpoint, settings
from interaction_jax.data.synthetic import recorder
from interaction_jax.evals.bench import timing
from interaction_jax.evals.bench.timing import Times
from interaction_jax.train import keep, metrics

CLOCKS: Final = frozenset({"tokens_per_s", "seconds", "waited", "mfu"})
"""What a line tells of time, which is never twice the same."""

_CLIPS: Final = 2000
"""Of a speech bank that is made for the occasion."""

_LOOK_S: Final = 0.005
"""Between two looks at whether a run has ended."""


@dataclasses.dataclass(frozen=True)
class Line:
  """The command of a run, but for its folder.

  Attributes:
    arguments: of `program`.
    program: what begins and goes on with a run.
  """

  arguments: tuple[str, ...]
  program: tuple[str, ...] = (sys.executable, "-m", "interaction_jax", "train")

  def begin(self, folder: Path) -> subprocess.Popen[str]:
    """Starts it in a process group of its own."""
    return subprocess.Popen(
      [*self.program, *self.arguments, f"--workdir={folder}"],
      stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE,
      text=True,
      start_new_session=True,
    )


@dataclasses.dataclass(frozen=True)
class Blow:
  """Something that was done to a run.

  Attributes:
    after_s: seconds since it had been started.
    lines: steps that were written down by then, before it and by it.
    steps: of them, those that this start of it took or took again.
    left_s: seconds until it had ended.
    code: its exit code; -9 where it was killed.
  """

  after_s: float
  lines: int
  steps: int
  left_s: float
  code: int


@dataclasses.dataclass(frozen=True)
class Moment:
  """When a run is struck.

  Attributes:
    at_work: whether time is counted from the first step of a process, not
      from its start.
    seconds: from there.
  """

  at_work: bool
  seconds: float


def of_config(
  config: str,
  *,
  num_kills: int = 10,
  num_stops: int = 5,
  num_steps: int = 60,
  bank: str | Path | None = None,
  progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
  """Does that to runs of a shipped experiment, saved every fifth step.

  Args:
    bank: a speech bank; None: a small one is made first.

  Raises:
    FileNotFoundError: there is no such config or bank.
    ValueError: a run failed by itself.
  """
  settings.find(config)
  with tempfile.TemporaryDirectory() as folder:
    if bank is None:
      bank = Path(folder) / "bank"
      recorder.make(bank, seed=0, num_clips=_CLIPS)
    line = Line(
      (
        f"--config={config}",
        f"--set=train.num_steps={num_steps}",
        "--set=train.save_every=5",
        f"--set=train.data.bank={Path(bank).absolute()}",
        # To measure the peak of the machine takes seconds, and says nothing.
        "--set=train.watch.peak_tflops=0",
      )
    )
    report = run(
      line, num_kills=num_kills, num_stops=num_stops, folder=folder,
      progress=progress,
    )  # fmt: skip
  return {"config": config, **report}


def run(
  line: Line,
  *,
  num_kills: int = 10,
  num_stops: int = 5,
  seed: int = 0,
  folder: str | Path | None = None,
  progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
  """Does to a run what may happen to one; returns what `bench resume` reports.

  Args:
    seed: of the moments.
    folder: where the runs are; None: a temporary one.
    progress: is told how much is done, and how much there is.

  Raises:
    ValueError: a run failed by itself.
  """
  rng = np.random.default_rng(seed)
  total = 1 + num_kills + num_stops
  with contextlib.ExitStack() as stack:
    if folder is None:
      folder = stack.enter_context(tempfile.TemporaryDirectory())
    place = Path(folder)
    first, took = _whole(line, place / "whole")
    progress(1, total)
    done, ends = 1, {}
    for name, how, number in (
      ("killed", signal.SIGKILL, num_kills),
      ("told", signal.SIGTERM, num_stops),
    ):
      # Those at work lie so close behind the first step that they are spread
      # over the whole run, however little gets done between two of them.
      reach = (took - first) * min(0.9, 4 / max(number, 1))
      moments = [
        Moment(at_work, rng.uniform(0, reach if at_work else first))
        for at_work in (place % 2 == 0 for place in range(number))
      ]
      tell = functools.partial(_told, progress, done, total)
      ends[name] = _struck(line, place, name, how, moments, tell)
      done += number
    steps = len(_lines(place / "whole"))
  left = [1000 * blow["left_s"] for blow in ends["told"]["blows"]]
  rows = []
  if left:
    rows.append(
      timing.row(
        "told to end, until it has",
        Times(np.asarray([left])),
        dtype="float32",
        batch=1,
        slowest_s=round(max(left) / 1000, 2),
      )
    )
  return {
    "rows": rows,
    "steps": steps,
    "whole_s": round(took, 1),
    "first_step_s": round(first, 1),
    **ends,
  }


def summary(report: Mapping[str, Any]) -> str:
  """The report as a person reads it."""
  killed, told = report["killed"], report["told"]
  lines = [
    f"{report['steps']} steps in {report['whole_s']} s, the first after "
    f"{report['first_step_s']} s",
    f"killed {_times(killed)}: {_verdict(killed)}",
    f"told to end {_times(told)}: {_verdict(told)}",
  ]
  if told["blows"]:
    slowest = max(blow["left_s"] for blow in told["blows"])
    codes = sorted({blow["code"] for blow in told["blows"]})
    lines.append(f"ended within {slowest:.1f} s, with code {codes}")
  return "\n".join(lines)


def _told(
  progress: Callable[[int, int], None], before: int, total: int, done: int
) -> None:
  progress(before + done, total)


def _times(ends: Mapping[str, Any]) -> str:
  at_work = sum(blow["steps"] > 0 for blow in ends["blows"])
  return f"{len(ends['blows'])} times, {at_work} of them at work"


def _verdict(ends: Mapping[str, Any]) -> str:
  if ends["identical"]:
    return "every line and the last checkpoint are those of the whole run"
  wrong = next(one for one in ends["runs"] if not one["identical"])
  return f"DIFFERENT from step {wrong['first_difference']} on"


def _whole(line: Line, folder: Path) -> tuple[float, float]:
  """Does a run undisturbed; returns when its first step and all were done."""
  began = time.perf_counter()
  running = line.begin(folder)
  first = None
  while running.poll() is None:
    if first is None and _count(folder):
      first = time.perf_counter() - began
    time.sleep(_LOOK_S)
  _check(running)
  took = time.perf_counter() - began
  return took if first is None else first, took


def _struck(
  line: Line,
  place: Path,
  name: str,
  how: signal.Signals,
  moments: Sequence[Moment],
  tell: Callable[[int], None],
) -> dict[str, Any]:
  """Strikes a run at moments after each of its starts, and lets it end.

  One that had come to its end before is compared, and another one is begun.
  """
  blows: list[Blow] = []
  runs: list[dict[str, Any]] = []
  path = place / f"{name}0"
  while len(blows) < len(moments):
    blow = _strike(line, path, moments[len(blows)], how)
    if blow is None:
      runs.append(_compared(place / "whole", path))
      path = place / f"{name}{len(runs)}"
      continue
    blows.append(blow)
    tell(len(blows))
  if blows:
    _check(line.begin(path))
    runs.append(_compared(place / "whole", path))
  return {
    "identical": all(one["identical"] for one in runs),
    "blows": [dataclasses.asdict(blow) for blow in blows],
    "runs": runs,
  }


def _strike(
  line: Line, folder: Path, moment: Moment, how: signal.Signals
) -> Blow | None:
  """Begins or goes on with a run, and strikes it; None: it ended before."""
  began = time.perf_counter()
  running = line.begin(folder)
  lines, steps, since = _count(folder), 0, None if moment.at_work else began
  while since is None or time.perf_counter() - since < moment.seconds:
    if running.poll() is not None:
      _check(running)
      return None
    time.sleep(_LOOK_S)
    before, lines = lines, _count(folder)
    # Going on, a run first forgets the lines of steps that it takes again.
    steps += max(0, lines - before)
    if since is None and steps:
      since = time.perf_counter()
  struck = time.perf_counter()
  # All that belongs to it, as where a machine fails or is wanted back.
  os.killpg(running.pid, how)
  _, said = running.communicate()
  left = time.perf_counter() - struck
  if how == signal.SIGTERM and running.returncode not in (0, -signal.SIGTERM):
    raise ValueError(f"a run that was told to end failed: {said[-2000:]}")
  return Blow(
    after_s=round(struck - began, 2),
    lines=lines,
    steps=steps,
    left_s=round(left, 2),
    code=running.returncode,
  )


def _check(running: subprocess.Popen[str]) -> None:
  """Waits for a run, which has to end well."""
  _, said = running.communicate()
  if running.returncode:
    raise ValueError(
      f"a run ended with code {running.returncode}: {said[-2000:]}"
    )


def _compared(whole: Path, folder: Path) -> dict[str, Any]:
  """Holds the lines and the last checkpoint of a run against the whole one."""
  wanted, found = _lines(whole), _lines(folder)
  differs = next(
    (step for step, (a, b) in enumerate(zip(wanted, found, strict=False))
     if a != b),
    None,
  )  # fmt: skip
  if differs is None and len(wanted) != len(found):
    differs = min(len(wanted), len(found))
  same = _bits(whole) == _bits(folder)
  return {
    "identical": differs is None and same,
    "lines": len(found),
    "first_difference": differs,
    "same_checkpoint": same,
  }


def _lines(folder: Path) -> list[dict[str, Any]]:
  """What every step came to, without what the clock says of it."""
  text = (folder / metrics.NAME).read_text()
  return [
    {name: x for name, x in json.loads(line).items() if name not in CLOCKS}
    for line in text.splitlines()
  ]


def _bits(folder: Path) -> list[bytes]:
  loaded = checkpoint.load(keep.steps(folder)[-1])
  return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(loaded.params)]


def _count(folder: Path) -> int:
  file = folder / metrics.NAME
  return file.read_bytes().count(b"\n") if file.exists() else 0
