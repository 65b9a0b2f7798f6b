"""How many sessions an engine holds: its pace, run on a clock of its own.

    cost of a tick (measured, by rows)  +  sessions of random phase
    -> latency of every turn, share on time -> the most sessions that hold

What is simulated is the policy itself, `pace.begin_at`, so the plan is wrong
only where the costs are: on a machine with other work they vary. Sockets are
such work, so ticks of an engine in service, with all that belongs to them
(`Meter.costs`), tell more than ticks that nobody else disturbs.
"""

import dataclasses
import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

from interaction_jax.serve import pace
from interaction_jax.serve.pace import PaceConfig, Waiting
from interaction_jax.turns import clock

_OFTEN: Final = 50
"""Ticks by which it is known what one takes."""

_TURNS: Final = 16_000
"""Turns of all sessions that are simulated."""


@dataclasses.dataclass(frozen=True)
class Costs:
  """What ticks took.

  Attributes:
    seconds: of many of them, by the number of rows that had a turn.
    together: whether a tick costs the same whoever has a turn, so that these
      are costs by slots; else rows are called for themselves, no more at a time
      than these are costs of.
  """

  seconds: Mapping[int, Sequence[float]]
  together: bool = True

  def after(self, seen: Mapping[int, Sequence[float]]) -> "Costs":
    """The same, but what has been seen often enough is as it was seen."""
    often = {num: took for num, took in seen.items() if len(took) >= _OFTEN}
    return dataclasses.replace(self, seconds={**self.seconds, **often})

  def at_once(self, sessions: int) -> int:
    """How many have their turns at a time."""
    return sessions if self.together else min(sessions, max(self.seconds))


@dataclasses.dataclass(frozen=True)
class Forecast:
  """What an engine with as many sessions as slots would do.

  Attributes:
    sessions: all live, each of a phase of its own.
    tick_ms: median cost of a full tick.
    p50_ms, p95_ms, p99_ms: from a turn being full to its sound leaving.
    missed: share of turns that leave after the deadline.
    busy: share of the time in which the device works.
  """

  sessions: int
  tick_ms: float
  p50_ms: float
  p95_ms: float
  p99_ms: float
  missed: float
  busy: float


def forecast(
  sessions: int,
  costs: Costs,
  *,
  cfg: PaceConfig = PaceConfig(),  # noqa: B008 - frozen
  num_turns: int | None = None,
  seed: int = 0,
) -> Forecast:
  """Simulates an engine.

  Args:
    costs: of rows fewer and more than have a turn at a time, or just as many.
    num_turns: of each session; None: 16,000 of all of them.

  Raises:
    ValueError: there are no sessions, or no costs of so many.
  """
  if sessions < 1:
    raise ValueError(f"sessions={sessions} must be 1 or more.")
  rng = np.random.default_rng(seed)
  most, gather = costs.at_once(sessions), cfg.gather
  ticks = {num: _at(num, costs.seconds) for num in range(1, most + 1)}
  if costs.together:
    ticks = dict.fromkeys(ticks, ticks[sessions])
  else:
    gather = 0.0
  latency, busy = _simulate(
    rng.uniform(0, clock.TURN_MS / 1000, sessions),
    lambda num: float(rng.choice(ticks[num])),
    most,
    num_turns or -(-_TURNS // sessions),
    dataclasses.replace(cfg, gather=gather),
  )
  late = 1000 * latency
  p50, p95, p99 = (float(at) for at in np.percentile(late, (50, 95, 99)))
  return Forecast(
    sessions=sessions,
    tick_ms=1000 * float(np.median(ticks[most])),
    p50_ms=p50,
    p95_ms=p95,
    p99_ms=p99,
    missed=float((late > cfg.deadline_ms).mean()),
    busy=busy,
  )


def most(
  costs: Costs,
  *,
  on_time: float = 0.999,
  cfg: PaceConfig = PaceConfig(),  # noqa: B008 - frozen
  num_turns: int | None = None,
  limit: int = 256,
) -> int:
  """The most sessions of which a share of turns is on time; 0: not even one.

  Args:
    on_time: that share.
    limit: where it stops to seek; that of costs by slots is their most.
  """
  if costs.together:
    limit = min(limit, max(costs.seconds))
  low, high = 0, limit + 1
  while high - low > 1:
    middle = (low + high) // 2
    found = forecast(middle, costs, cfg=cfg, num_turns=num_turns)
    if found.missed <= 1 - on_time:
      low = middle
    else:
      high = middle
  return low


def _at(
  rows: int, costs: Mapping[int, Sequence[float]]
) -> Float[np.ndarray, " _"]:
  """Costs of this many rows, between those of fewer and of more."""
  below = [num for num in costs if num <= rows]
  above = [num for num in costs if num >= rows]
  if not above:
    raise ValueError(
      f"sessions={rows}, but costs were measured up to {max(costs)} slots."
    )
  last = min(above)
  first = max(below) if below else last
  share = 0.0 if first == last else (rows - first) / (last - first)
  # By quantiles: the rare slow ticks of both are what decides.
  at = np.linspace(0, 1, 200)
  low, high = (np.quantile(np.asarray(costs[one]), at) for one in (first, last))
  return (1 - share) * low + share * high


def _simulate(
  phases: Float[np.ndarray, " _"],
  cost: Callable[[int], float],
  at_once: int,
  num_turns: int,
  cfg: PaceConfig,
) -> tuple[Float[np.ndarray, " _"], float]:
  """Latencies in seconds, and the share of time that ticks take."""
  length = clock.TURN_MS / 1000
  full = [(float(phase) + length, row) for row, phase in enumerate(phases)]
  heapq.heapify(full)
  left = [num_turns] * len(phases)
  queues: list[list[float]] = [[] for _ in phases]
  latest = [-math.inf] * len(phases)
  latency, now, busy = [], 0.0, 0.0
  seen = pace.Cost(cost(1))
  while full or any(queues):
    while full and full[0][0] <= now:
      at, row = heapq.heappop(full)
      queues[row].append(at)
      latest[row] = at
      left[row] -= 1
      if left[row]:
        heapq.heappush(full, (at + length, row))
    waiting = {
      row: Waiting(
        len(queue),
        queue[0] if queue else None,
        latest[row] + length if left[row] else math.inf,
      )
      for row, queue in enumerate(queues)
    }
    begin = pace.begin_at(waiting.values(), now, tick_s=seen.seconds, cfg=cfg)
    if begin > now:
      now = min(begin, full[0][0] if full else math.inf)
      continue
    rows = pace.chosen(waiting, at_once)
    took = cost(len(rows))
    seen.see(took)
    now, busy = now + took, busy + took
    latency += [now - queues[row].pop(0) for row in rows]
  return np.asarray(latency), busy / now
