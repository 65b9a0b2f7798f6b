"""How many sessions an engine holds: its pace, run on a clock of its own.

    cost of a tick (measured, by slots)  +  sessions of random phase
    -> latency of every turn, share on time -> the most sessions that hold

What is simulated is the policy itself, `pace.begin_at`, so the plan is wrong
only where the costs are: on a machine with other work they vary.
"""

import dataclasses
import heapq
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from interaction_jax.serve import pace
from interaction_jax.serve.pace import PaceConfig, Waiting
from interaction_jax.turns import clock

Costs = Mapping[int, Sequence[float]]
"""Seconds that ticks took, by the number of slots."""


@dataclasses.dataclass(frozen=True)
class Forecast:
  """What an engine with as many sessions as slots would do.

  Attributes:
    sessions: all live, each of a phase of its own.
    tick_ms: median cost of a tick.
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
  num_turns: int = 2000,
  seed: int = 0,
) -> Forecast:
  """Simulates an engine.

  Args:
    costs: of slots fewer and more than `sessions`, or just as many.
    num_turns: of each session.

  Raises:
    ValueError: there are no sessions, or no costs of so many.
  """
  if sessions < 1:
    raise ValueError(f"sessions={sessions} must be 1 or more.")
  rng = np.random.default_rng(seed)
  ticks = _at(sessions, costs)
  latency, busy = _simulate(
    rng.uniform(0, clock.TURN_MS / 1000, sessions),
    lambda: float(rng.choice(ticks)),
    num_turns,
    cfg,
  )
  late = 1000 * latency
  p50, p95, p99 = (float(at) for at in np.percentile(late, (50, 95, 99)))
  return Forecast(
    sessions=sessions,
    tick_ms=1000 * float(np.median(ticks)),
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
  num_turns: int = 2000,
) -> int:
  """The most sessions of which a share of turns is on time; 0: not even one.

  Args:
    on_time: that share.
  """
  low, high = 0, max(costs) + 1
  while high - low > 1:
    middle = (low + high) // 2
    found = forecast(middle, costs, cfg=cfg, num_turns=num_turns)
    if found.missed <= 1 - on_time:
      low = middle
    else:
      high = middle
  return low


def _at(sessions: int, costs: Costs) -> Float[np.ndarray, " _"]:
  """Costs of this many slots, between those of fewer and of more."""
  below = [slots for slots in costs if slots <= sessions]
  above = [slots for slots in costs if slots >= sessions]
  if not above:
    raise ValueError(
      f"sessions={sessions}, but costs were measured up to {max(costs)} slots."
    )
  last = min(above)
  first = max(below) if below else last
  share = 0.0 if first == last else (sessions - first) / (last - first)
  # By quantiles: the rare slow ticks of both are what decides.
  at = np.linspace(0, 1, 200)
  low, high = (np.quantile(np.asarray(costs[one]), at) for one in (first, last))
  return (1 - share) * low + share * high


def _simulate(
  phases: Float[np.ndarray, " _"],
  cost: Callable[[], float],
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
  seen = pace.Cost(cost())
  while full or any(queues):
    while full and full[0][0] <= now:
      at, row = heapq.heappop(full)
      queues[row].append(at)
      latest[row] = at
      left[row] -= 1
      if left[row]:
        heapq.heappush(full, (at + length, row))
    waiting = [
      Waiting(
        len(queue),
        queue[0] if queue else None,
        latest[row] + length if left[row] else math.inf,
      )
      for row, queue in enumerate(queues)
    ]
    begin = pace.begin_at(waiting, now, tick_s=seen.seconds, cfg=cfg)
    if begin > now:
      now = min(begin, full[0][0] if full else math.inf)
      continue
    took = cost()
    seen.see(took)
    now, busy = now + took, busy + took
    latency += [now - queue.pop(0) for queue in queues if queue]
  return np.asarray(latency), busy / now
