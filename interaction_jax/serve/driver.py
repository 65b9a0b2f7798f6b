"""The one thread that talks to the device: it ticks, and does what it is told.

    told     joins, leaves and snapshots, one between two ticks
    seats    settled whenever something came, or should have come
    tick     seats with a full turn; their turns are handed out at once

No other thread touches the slots, or what a seat has taken in.
"""

import collections
import dataclasses
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from interaction_jax.serve import pace
from interaction_jax.serve.conversation import Ready, Turn
from interaction_jax.serve.events import Event
from interaction_jax.serve.meter import Meter
from interaction_jax.serve.pace import PaceConfig
from interaction_jax.serve.seat import Seat
from interaction_jax.serve.slots import Slots

_FIRST_TICK_S: Final = 0.02
"""What a tick is thought to take before there was one."""


@dataclasses.dataclass(frozen=True, eq=False)
class Said:
  """What a session did in a turn.

  Attributes:
    turn: with its sound, which is to be played from now on.
    events: what happened, in order.
    full_at: when the turn was full, by the watch of the engine.
  """

  turn: Turn
  events: tuple[Event, ...]
  full_at: float


Deliver = Callable[[list[tuple[Seat, Said]]], None]


class Driver:
  """Runs an engine's slots.

  Attributes:
    failure: what ended it, if it did not end as it was told to.
  """

  def __init__(
    self,
    slots: Slots,
    *,
    cfg: PaceConfig,
    meter: Meter,
    deliver: Deliver,
    on_failure: Callable[[], None],
    watch: Callable[[], float] = time.monotonic,
  ):
    """Begins with nobody.

    Args:
      deliver: is given what a tick made, by the thread.
      on_failure: is called, by it too, when it ends as it should not.
      watch: tells the time by which sound is late.
    """
    self.failure: BaseException | None = None
    if not slots.together:
      cfg = dataclasses.replace(cfg, gather=0.0)
    self._slots, self._cfg, self._meter = slots, cfg, meter
    self._deliver, self._on_failure = deliver, on_failure
    self._watch = watch
    self._seats: dict[int, Seat] = {}
    self._told: collections.deque[tuple[Callable[[], Any], Future[Any]]]
    self._told = collections.deque()
    self._wake = threading.Event()
    self._going, self._ended = True, False
    self._cost = pace.Cost(_FIRST_TICK_S)
    self._thread = threading.Thread(
      target=self._run, name="interaction-jax-device", daemon=True
    )

  def start(self) -> None:
    """Starts the thread."""
    self._thread.start()

  def stop(self) -> None:
    """Ends the thread once it has done what it was told before."""
    self.tell(self._end).exception()
    self._thread.join()

  def tell(self, do: Callable[[], Any]) -> "Future[Any]":
    """Has something done between two ticks; from any thread."""
    future: Future[Any] = Future()
    self._told.append((do, future))
    self._wake.set()
    if self._ended:
      self._refuse()
    return future

  def poke(self) -> None:
    """Something came for a seat; from any thread."""
    self._wake.set()

  def sit(self, seat: Seat, begin: Callable[[Slots], None]) -> None:
    """Begins a session; for `tell`."""
    begin(self._slots)
    self._seats[seat.row] = seat

  def leave(self, seat: Seat) -> None:
    """Ends a session; its row is free then. For `tell`."""
    if self._seats.get(seat.row) is seat:
      del self._seats[seat.row]

  def _end(self) -> None:
    self._going = False

  def _run(self) -> None:
    try:
      while self._going:
        self._wake.clear()
        self._obey()
        wait = self._advance()
        if wait > 0 and self._going and not self._told:
          self._wake.wait(None if wait == math.inf else wait)
    except BaseException as error:
      # Nothing else can be done about it here: the engine closes its sessions
      # and says why.
      self.failure = error
      self._on_failure()
    finally:
      self._ended = True
      self._refuse()

  def _obey(self) -> None:
    """Does one thing of what was told, so that no tick waits for more."""
    if not self._told:
      return
    do, future = self._told.popleft()
    if not future.set_running_or_notify_cancel():
      return
    try:
      future.set_result(do())
    except (ValueError, KeyError) as error:
      # What was told cannot be done; that is for who told it to hear.
      future.set_exception(error)

  def _refuse(self) -> None:
    """Nothing more will be done."""
    while self._told:
      _, future = self._told.popleft()
      if future.set_running_or_notify_cancel():
        future.set_exception(RuntimeError("the engine has ended"))

  def _advance(self) -> float:
    """Ticks if it is time to; returns for how long there is nothing to do."""
    began, now = time.monotonic(), self._watch()
    for seat in self._seats.values():
      seat.settle(now)
    waiting = {row: seat.waiting(now) for row, seat in self._seats.items()}
    at = pace.begin_at(
      waiting.values(), now, tick_s=self._cost.seconds, cfg=self._cfg
    )
    if at <= now:
      rows = pace.chosen(waiting, self._slots.at_once)
      self._tick(rows)
      self._meter.round(time.monotonic() - began, len(rows))
      return 0.0
    late = [seat.look_at(now) for seat in self._seats.values()]
    return min([at, *late]) - now

  def _tick(self, rows: Sequence[int]) -> None:
    turns: dict[int, tuple[Ready, float]] = {}
    for row in rows:
      full = self._seats[row].next()
      assert full is not None, "a seat was chosen that has no turn"
      turns[row] = full
    began = time.monotonic()
    made = self._slots.tick({row: ready for row, (ready, _) in turns.items()})
    took = time.monotonic() - began
    self._cost.see(took)
    self._meter.tick(took, len(turns))
    said = []
    for row, (ready, full_at) in turns.items():
      seat = self._seats[row]
      turn, events = seat.talk.tell(ready, made[row], compute_ms=1000 * took)
      self._meter.count("lost_turns", any(ready.lost))
      said.append((seat, Said(turn, events, full_at)))
    self._deliver(said)
