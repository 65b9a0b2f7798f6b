"""What an engine counts: latency, deadlines, losses, who came and went."""

import collections
import dataclasses
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

_KEPT: Final = 20_000
"""Latencies that quantiles are taken of: the latest ones."""

_TICKS: Final = 2_000
"""Rounds whose cost is kept, of each number of sessions: the latest ones."""

_RECENT: Final = 200
"""Turns by which it is judged whether an engine keeps up."""


@dataclasses.dataclass(frozen=True)
class Latency:
  """From turns being full to their sound leaving.

  Attributes:
    num: turns.
    p50, p95, p99: of the latest ones, in ms.
    missed: the share of all that left after the deadline.
    recently_missed: that of the last few hundred.
  """

  num: int
  p50: float
  p95: float
  p99: float
  missed: float
  recently_missed: float


class Meter:
  """Counters of an engine; any thread may read them."""

  def __init__(self, deadline_ms: float):
    self.deadline_ms = deadline_ms
    self._lock = threading.Lock()
    self._counts: Counter[str] = Counter()
    self._latency = np.zeros(_KEPT)
    self._tick_s = 0.0
    self._costs: dict[int, collections.deque[float]] = {}

  def count(self, name: str, number: int = 1) -> None:
    """Something happened."""
    with self._lock:
      self._counts[name] += number

  def turn(self, latency_ms: float) -> None:
    """A turn's sound left."""
    with self._lock:
      self._latency[self._counts["turns"] % _KEPT] = latency_ms
      self._counts["turns"] += 1
      self._counts["missed"] += latency_ms > self.deadline_ms

  def tick(self, seconds: float, sessions: int) -> None:
    """The device worked so long, for so many sessions."""
    with self._lock:
      self._counts["ticks"] += 1
      self._counts["ticked_sessions"] += sessions
      self._tick_s += seconds

  def round(self, seconds: float, sessions: int) -> None:
    """A tick took so long with all that belongs to it, for so many sessions.

    That is what came before it, and what is told of it after.
    """
    with self._lock:
      kept = self._costs.setdefault(sessions, collections.deque(maxlen=_TICKS))
      kept.append(seconds)

  def costs(self) -> dict[int, list[float]]:
    """Seconds of the latest rounds, by how many sessions had a turn in them."""
    with self._lock:
      return {num: list(kept) for num, kept in sorted(self._costs.items())}

  def latency(self) -> Latency:
    """What it has been so far."""
    with self._lock:
      num, missed = self._counts["turns"], self._counts["missed"]
      kept = self._latency[: min(num, _KEPT)].copy()
      last = self._latency[np.arange(max(num - _RECENT, 0), num) % _KEPT]
    if not num:
      return Latency(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    p50, p95, p99 = (float(at) for at in np.percentile(kept, (50, 95, 99)))
    recently = float((last > self.deadline_ms).mean())
    return Latency(num, p50, p95, p99, missed / num, recently)

  def report(self) -> dict[str, Any]:
    """Everything, as JSON holds it."""
    latency = self.latency()
    with self._lock:
      counts, busy = dict(self._counts), self._tick_s
    return {
      **counts,
      "tick_s": round(busy, 6),
      **{
        f"latency_{name}": round(value, 6)
        for name, value in dataclasses.asdict(latency).items()
      },
    }

  def text(self) -> str:
    """The same, as Prometheus reads it."""
    return text(self.report())


def text(report: Mapping[str, float | int]) -> str:
  """Numbers by their names, as Prometheus reads them."""
  return "".join(
    f"interaction_jax_{name} {value}\n"
    for name, value in sorted(report.items())
  )
