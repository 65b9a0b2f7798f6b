"""A clerk with a thread of its own, for sessions that know no asyncio.

    session   turn    turn    turn            whoever pushes
    office      see .. see .. see             a thread; nobody waits for it
    notes             "22 degrees"            taken before the next turn

Its clock is that of the session: a timer of a minute rings after 300 turns,
however fast they are run, and stands still while they do.
"""

import asyncio
import collections
import contextlib
import dataclasses
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, Final

from interaction_jax.serve.background.clerk import Clerk
from interaction_jax.serve.background.desk import DeskConfig
from interaction_jax.serve.background.job import BackgroundModel
from interaction_jax.serve.events import Event
from interaction_jax.turns import clock

_PATIENCE_S: Final = 5.0
"""For a background model that blocks the loop, which it must not do."""


@dataclasses.dataclass(frozen=True)
class Note:
  """What a background model found, on its way to the interaction model.

  Attributes:
    turn: that read it.
    about: what its event tells besides the text.
  """

  turn: int
  text: str
  about: Mapping[str, Any]


class Office:
  """Does the jobs of a session while its turns are run elsewhere."""

  def __init__(
    self,
    model: BackgroundModel,
    *,
    instructions: str | None = None,
    cfg: DeskConfig = DeskConfig(),  # noqa: B008 - frozen
  ):
    self._loop = _Loop()
    self._found: collections.deque[tuple[str, Mapping[str, Any]]]
    self._found = collections.deque()
    self._events: collections.deque[Event] = collections.deque()
    found = self._found
    # Nothing that the thread holds holds the office: it can be forgotten.
    self._clerk = Clerk(
      model,
      lambda text, about: found.append((text, about)),
      instructions=instructions,
      cfg=cfg,
    )
    thread = threading.Thread(
      target=self._loop.run_forever, name="background", daemon=True
    )
    thread.start()
    self._end = weakref.finalize(self, _end, self._loop, thread, self._clerk)

  def see(self, turn: int, events: Iterable[Event], *, speaks: bool) -> None:
    """A turn is over; called for every one, in order."""
    loop, clerk, told = self._loop, self._clerk, self._events

    def see(events: tuple[Event, ...]) -> None:
      loop.now = clock.audible(turn)
      told.extend(clerk.see(turn, events, speaks=speaks))

    loop.call_soon_threadsafe(see, tuple(events))

  def notes(self, turn: int) -> list[Note]:
    """What was found since it was asked last, for a turn to read."""
    found = []
    while self._found:
      found.append(Note(turn, *self._found.popleft()))
    return found

  def events(self) -> list[Event]:
    """What happened to jobs since it was asked last."""
    told = []
    while self._events:
      told.append(self._events.popleft())
    return told

  def settle(self, seconds: float) -> None:
    """Waits for jobs that are neither over nor asleep, at most so long."""
    self._ask(self._clerk.desk.settle(), seconds)

  def cancel(self, job: int | None = None) -> None:
    """Ends a job; None: the newest."""
    self._loop.call_soon_threadsafe(self._clerk.desk.cancel, job)

  def state(self) -> dict[str, Any]:
    """All that it remembers, as JSON holds it.

    Raises:
      TimeoutError: a background model blocks its loop.
    """

    async def state() -> dict[str, Any]:
      return self._clerk.state()

    kept = self._ask(state(), _PATIENCE_S)
    if kept is None:
      raise TimeoutError("the background model blocks the loop it runs in.")
    return kept

  def restore(self, state: Mapping[str, Any]) -> None:
    """Goes on from a `state`; what was being done begins anew."""

    async def restore() -> None:
      self._loop.now = clock.audible(state["turn"])
      self._clerk.restore(state)

    self._ask(restore(), _PATIENCE_S)

  def close(self) -> None:
    """Cancels all jobs, and ends the thread."""
    self._end()

  def _ask(self, work: Any, seconds: float) -> Any:
    """What a coroutine returns; None: it takes longer."""
    future = asyncio.run_coroutine_threadsafe(work, self._loop)
    try:
      return future.result(seconds)
    except TimeoutError:
      future.cancel()
      return None


class _Loop(asyncio.SelectorEventLoop):
  """A loop with the clock of a session.

  Attributes:
    now: seconds of the session.
    ends_at: since when its clock is that of the machine; None: it is not.
  """

  def __init__(self):
    self.now = 0.0
    self.ends_at: float | None = None
    super().__init__()

  def time(self) -> float:
    if self.ends_at is None:
      return self.now
    return self.now + time.monotonic() - self.ends_at


def _end(loop: _Loop, thread: threading.Thread, clerk: Clerk) -> None:
  async def end() -> None:
    # The session has ended, so its clock would not advance any more.
    loop.ends_at = time.monotonic()
    await clerk.desk.close()
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
      task.cancel()
    if rest:
      await asyncio.wait(rest, timeout=1.0)
    await loop.shutdown_asyncgens()
    loop.call_soon(loop.stop)

  with contextlib.suppress(TimeoutError):
    asyncio.run_coroutine_threadsafe(end(), loop).result(_PATIENCE_S)
  thread.join(_PATIENCE_S)
  # A model that blocks it keeps its thread until the process ends.
  if not thread.is_alive():
    loop.close()
