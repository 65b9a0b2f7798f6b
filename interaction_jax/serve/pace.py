"""When an engine ticks: what a late turn, a lost one and a crowd mean.

    alice    ....full                          full
    bob           ....full                         full
    tick             |== both ==|                  |== both ==|
                 gather

Each session is full at a moment of its own. Where a tick costs the same for one
session as for all, the first that is full waits for others, as long at most as
a tick takes: had its tick begun at once, they would have had to wait as long.
Where each has a call of its own (`serve/slots.py`) nobody waits: a tick begins
at once, for as many as there are cores. The policy of an engine, all of it
counted in its `Meter`:

- Turns are never skipped. Each is run, in order, however late it is.
- Who is live comes first, and of those who is full longest. Who is behind has a
  turn where there is a place left. Where all are one call, ticks for them alone
  begin only if they are over before anybody else is full.
- What has not come `patience_ms` after it should have come is lost: silence is
  heard in its place, the model is told, and the clock goes on. That is only so
  where chunks say where they belong; those that do not cannot be missed, and
  the session waits for them.
- Of a session from which nothing comes for `pause_ms` no more turns are run
  until something does; then what is missing is made up for.
"""

import collections
import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Final

from interaction_jax.turns import clock

_WINDOW_S: Final = 5.0
"""How soon a connection that became slower is believed to stay so."""

_LIVE: Final = 5
"""Turns that one who is live may be behind; more are a backlog."""


@dataclasses.dataclass(frozen=True)
class PaceConfig:
  """How an engine keeps time.

  Attributes:
    deadline_ms: from a turn being full to its sound leaving; later is missed.
    gather: how long a full turn waits for others, in what a tick takes, where
      all are one call; 0: nobody waits, and those who are behind neither.
    patience_ms: how long sound may be later than the fastest of late.
    pause_ms: silence of a connection after which its session stands still.
    idle_s: and after which it is closed.
    backlog: turns that may wait; then `push` does.
    unread: turns that nobody fetched; then the session is closed.
  """

  deadline_ms: float = float(clock.TURN_MS)
  gather: float = 1.0
  patience_ms: float = 80.0
  pause_ms: float = 2000.0
  idle_s: float = 120.0
  backlog: int = 50
  unread: int = 100

  def __post_init__(self):
    for name in ("deadline_ms", "pause_ms", "idle_s", "backlog", "unread"):
      value = getattr(self, name)
      if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"pace.{name}={value} must be more than 0.")
    for name in ("gather", "patience_ms"):
      value = getattr(self, name)
      if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"pace.{name}={value} must be 0 or more.")


@dataclasses.dataclass(frozen=True)
class Waiting:
  """A session as the pace sees it; all times in seconds of one clock.

  Attributes:
    num_full: turns that wait to be run.
    since: when the first of them was full; None: there is none.
    next_at: when the next one should be full; infinite: nobody knows.
  """

  num_full: int
  since: float | None
  next_at: float


def begin_at(
  sessions: Collection[Waiting], now: float, *, tick_s: float, cfg: PaceConfig
) -> float:
  """When the next tick begins: now or earlier means at once.

  Args:
    tick_s: what one takes, about.
  """
  live = [one for one in sessions if 0 < one.num_full <= _LIVE]
  coming = [one.next_at for one in sessions if not one.num_full]
  since = [one.since for one in live if one.since is not None]
  if since:
    latest = min(since) + cfg.gather * tick_s
    awaited = [at for at in coming if now - tick_s < at <= latest]
    return latest if awaited else now
  if any(one.num_full for one in sessions):
    # Only backlogs: they must not make others late.
    soon = min(coming, default=math.inf)
    if not cfg.gather or not now < soon < now + tick_s:
      return now
    return soon + cfg.gather * tick_s
  return math.inf


def chosen(sessions: Mapping[int, Waiting], at_once: int) -> list[int]:
  """Who has a turn in a tick, of sessions by their rows.

  Args:
    at_once: how many there can be.
  """
  full = {row: one for row, one in sessions.items() if one.num_full}
  order = sorted(
    full, key=lambda row: (full[row].num_full > _LIVE, full[row].since)
  )
  return order[:at_once]


class Arrivals:
  """When sound that says where it belongs should have come.

  A network adds a delay to every chunk, never less than its least one. The
  least of the last seconds is what the clock of a session follows, so it
  neither runs away from a clock that goes wrong nor stays with a delay that is
  over.
  """

  def __init__(self):
    self._least: collections.deque[tuple[float, float]] = collections.deque()

  def see(self, end: float, arrived: float) -> None:
    """A chunk came.

    Args:
      end: of the chunk, in seconds of the session.
      arrived: when it came.
    """
    delay = arrived - end
    # Rising delays: each is the least from its time on.
    while self._least and self._least[-1][1] >= delay:
      self._least.pop()
    self._least.append((arrived, delay))
    while self._least[0][0] < arrived - _WINDOW_S:
      self._least.popleft()

  def expected(self, end: float) -> float:
    """When a chunk with this end comes, if nothing keeps it back."""
    return self._least[0][1] + end if self._least else math.inf


class Cost:
  """What a tick takes: what it took lately."""

  def __init__(self, seconds: float):
    self.seconds = seconds

  def see(self, seconds: float) -> None:
    """A tick took so long."""
    self.seconds += 0.1 * (seconds - self.seconds)
