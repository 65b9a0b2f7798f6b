"""How long functions take, measured side by side.

    round 0   a a a a   b b b   c c c c c
    round 1   b b b     c c c c c   a a a a      the first one takes turns

What disturbs the machine for a while then disturbs all of them, and ratios of
the medians of one round hold where the medians themselves drift.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from jaxtyping import Float

Row = dict[str, Any]
"""One line of a benchmark, as JSON holds it."""

_WARM_UP: Final = 3
"""Calls that are not counted: they compile, load and draw memory."""

_LONG_MS: Final = 1000.0
"""From here on a call has found its data and its threads by itself."""

_BURST_MS: Final = 10.0
"""How long a task is called before the next one's turn comes."""

_MOST_CALLS: Final = 50


@dataclasses.dataclass(frozen=True)
class Task:
  """A function to be timed.

  Attributes:
    call: is done when it returns; its result is thrown away.
    prepare: makes the argument of each call, outside of the measured time.
  """

  call: Callable[[Any], object]
  prepare: Callable[[], Any] = lambda: None


@dataclasses.dataclass(frozen=True, eq=False)
class Times:
  """What the calls of a task took.

  Attributes:
    ms: one row a round.
  """

  ms: Float[np.ndarray, "_ _"]

  @property
  def median(self) -> float:
    """Of all calls, in ms."""
    return float(np.median(self.ms))

  @property
  def p99(self) -> float:
    """The time that one call in a hundred exceeds, in ms."""
    return float(np.percentile(self.ms, 99))

  @property
  def spread(self) -> float:
    """From the first quartile to the third, in medians."""
    low, high = np.percentile(self.ms, (25, 75))
    return float(high - low) / self.median


def measure(
  tasks: Mapping[str, Task],
  *,
  rounds: int,
  watch: Callable[[], float] = time.perf_counter,
  progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Times]:
  """Times all tasks, round by round.

  A short task is called more often in a round than a long one, and once more
  before, uncounted, to find its data and its threads again; one that takes
  more than a second is called once.

  Args:
    watch: gives seconds.
    progress: is told how often a task has had its turn, the warm-up included,
      and how often it will.

  Raises:
    ValueError: there are no rounds.
  """
  if rounds < 1:
    raise ValueError(f"rounds={rounds} must be 1 or more.")
  done, total = 0, len(tasks) * (rounds + 1)

  def took(task: Task) -> float:
    argument = task.prepare()
    began = watch()
    task.call(argument)
    return 1000 * (watch() - began)

  calls, long = {}, set()
  for name, task in tasks.items():
    shortest = min([took(task) for _ in range(_WARM_UP)])
    if shortest > _LONG_MS:
      long.add(name)
    most = _BURST_MS / max(shortest, _BURST_MS / _MOST_CALLS)
    calls[name] = max(1, round(most))
    done += 1
    progress(done, total)
  kept: dict[str, list[list[float]]] = {name: [] for name in tasks}
  order = list(tasks)
  for _ in range(rounds):
    for name in order:
      if name not in long:
        took(tasks[name])
      kept[name].append([took(tasks[name]) for _ in range(calls[name])])
      done += 1
      progress(done, total)
    order = [*order[1:], *order[:1]]
  return {name: Times(np.asarray(ms)) for name, ms in kept.items()}


def ratio(ours: Times, peer: Times) -> float:
  """Our time over the peer's: the median of the quotients of all rounds."""
  quotients = np.median(ours.ms, axis=1) / np.median(peer.ms, axis=1)
  return float(np.median(quotients))


def row(
  what: str,
  ours: Times,
  *,
  dtype: str,
  batch: int,
  context: int | None = None,
  peer: str | None = None,
  peer_times: Times | None = None,
  **more: Any,
) -> Row:
  """One line of a benchmark.

  Args:
    context: positions remembered; None: of no matter.
    peer: whose times `peer_times` are; None: there is none.
    more: fields that stand behind the usual ones.
  """
  return {
    "what": what,
    "dtype": dtype,
    "batch": batch,
    "context": context,
    "ours_ms": round(ours.median, 5),
    "peer": peer,
    "peer_ms": None if peer_times is None else round(peer_times.median, 5),
    "ratio": None if peer_times is None else round(ratio(ours, peer_times), 4),
    "n": ours.ms.size,
    "spread": round(ours.spread, 4),
    "p99_ms": round(ours.p99, 5),
    **more,
  }


def table(rows: list[Row]) -> str:
  """The rows as a person reads them, in ms."""
  lines: list[tuple[str, ...]] = [
    ("", "batch", "context", "median", "p99", "spread", "peer", "ratio")
  ]
  for one in rows:
    peer = "" if one["peer"] is None else f"{one['peer']} {one['peer_ms']:.3f}"
    lines.append(
      (
        str(one["what"]),
        str(one["batch"]),
        "" if one["context"] is None else str(one["context"]),
        f"{one['ours_ms']:.3f}",
        f"{one['p99_ms']:.3f}",
        f"{100 * one['spread']:.0f}%",
        peer,
        "" if one["ratio"] is None else f"{one['ratio']:.3f}",
      )
    )
  widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
  return "\n".join(
    "  ".join(
      cell.ljust(width) if place in (0, 6) else cell.rjust(width)
      for place, (cell, width) in enumerate(zip(line, widths, strict=True))
    ).rstrip()
    for line in lines
  )
