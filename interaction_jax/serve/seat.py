"""A session on its way through an engine, without the device.

inbox      parcels that came, with the moment at which they did
settle     which turns are full: whole, or nobody waits for the rest
next       the oldest of them, and since when it is full
"""

import collections
import math
import threading

import numpy as np

from interaction_jax.serve.conversation import Conversation, Parcel, Ready
from interaction_jax.serve.pace import Arrivals, PaceConfig, Waiting
from interaction_jax.turns import clock


class Seat:
  """What an engine knows of a session.

  Others put parcels in; all else is for the thread of the device.

  Attributes:
    row: in which it sits.
    talk: what it received and tells.
    num_lost: turns in which something was missing.
  """

  def __init__(self, row: int, talk: Conversation, cfg: PaceConfig, now: float):
    self.row, self.talk = row, talk
    self.num_lost = 0
    self._cfg = cfg
    self._lock = threading.Lock()
    self._inbox: collections.deque[tuple[Parcel, float]] = collections.deque()
    self._came = now
    self._end = talk.time
    self._full: collections.deque[float] = collections.deque()
    self._arrivals: Arrivals | None = None
    self._next_at = math.inf

  def put(self, parcel: Parcel, now: float) -> None:
    """Takes in what came, from any thread."""
    with self._lock:
      self._inbox.append((parcel, now))
      self._came = now
      rate, added = clock.SAMPLE_RATE, len(parcel.samples)
      if parcel.place is None:
        self._end += added / rate
      else:
        self._end = max(self._end, (parcel.place + added) / rate)

  @property
  def end(self) -> float:
    """Seconds of the session that came."""
    return self._end

  @property
  def came_at(self) -> float:
    """When something came last."""
    return self._came

  def num_waiting(self) -> int:
    """Turns, about, that came and were not yet run."""
    return int(self._end * 1000 / clock.TURN_MS) - self.talk.turn

  def settle(self, now: float) -> None:
    """Empties the inbox and sees which turns are full."""
    while self._inbox:
      with self._lock:
        parcel, came = self._inbox.popleft()
      self.talk.take(parcel)
      if parcel.place is not None and len(parcel.samples):
        end = (parcel.place + len(parcel.samples)) / clock.SAMPLE_RATE
        self._arrivals = self._arrivals or Arrivals()
        self._arrivals.see(end, came)
      self._fill(came)
    self._fill(now)

  def waiting(self, now: float) -> Waiting:
    """The session as the pace sees it."""
    paused = now - self._came > self._cfg.pause_ms / 1000
    return Waiting(
      num_full=len(self._full),
      since=self._full[0] if self._full else None,
      next_at=math.inf if paused else self._next_at,
    )

  def look_at(self, now: float) -> float:
    """When `settle` may find something lost; infinite: never."""
    at = self._last_call(self.talk.turn + len(self._full))
    return (
      at if now < at <= self._came + self._cfg.pause_ms / 1000 else math.inf
    )

  def next(self) -> tuple[Ready, float] | None:
    """The next turn that is full, and since when it is."""
    if not self._full:
      return None
    ready = self.talk.next()
    assert ready is not None, "a turn was called full that is not"
    self.num_lost += any(ready.lost)
    return ready, self._full.popleft()

  def _fill(self, now: float) -> None:
    """Finds the turns that are full now."""
    while True:
      number = len(self._full)
      turn, begin = self.talk.turn + number, number * clock.SAMPLES
      sound = self.talk.sound
      part = slice(begin, begin + clock.SAMPLES)
      missing = clock.SAMPLES - len(sound.samples[part])
      late = now >= self._last_call(turn)
      if missing or sound.lost[part].any():
        paused = now - self._came > self._cfg.pause_ms / 1000
        if not late or (missing and paused):
          return
      if missing:
        place = (turn + 1) * clock.SAMPLES
        self.talk.take(Parcel(np.zeros(0, np.float32), place))
      self._full.append(now)
      self._next_at = now + clock.TURN_MS / 1000

  def _last_call(self, turn: int) -> float:
    """When nobody waits any longer for the rest of a turn."""
    if self._arrivals is None:
      return math.inf
    end = clock.seconds(turn + 1)
    return self._arrivals.expected(end) + self._cfg.patience_ms / 1000
