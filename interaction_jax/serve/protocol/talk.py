"""One client on one socket: what every protocol does alike.

    hear      message by message; what is wrong with one is told, and no more
    tell      turn by turn, as the engine makes them
    finish    whoever had enough: client, engine, clock or server

A protocol says what messages and turns mean.
"""

import abc
import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Mapping
from typing import Any, Final

from interaction_jax.serve.driver import Said
from interaction_jax.serve.engine import ClosedError
from interaction_jax.serve.protocol.guest import Guest
from interaction_jax.serve.protocol.line import GoneError, Line
from interaction_jax.serve.protocol.lobby import Lobby
from interaction_jax.serve.protocol.message import Refusal

log = logging.getLogger("interaction_jax.serve")

_CODES: Final[Mapping[str, int]] = {
  "asked": 1000,
  "idle": 1000,
  "expired": 1000,
  "slow": 1008,
  "full": 1013,
  "unread": 1008,
  "shutdown": 1012,
}
"""Of closing a socket, by the reason; others are 1011."""


class Talk(abc.ABC):
  """A connection.

  Attributes:
    lobby: of the server.
    owner: who the client is.
    line: its socket.
    guest: its session, once there is one.
  """

  protocol: str
  """By which it is counted."""

  def __init__(self, lobby: Lobby, line: Line, owner: str):
    self.lobby, self.line, self.owner = lobby, line, owner
    self.guest: Guest | None = None
    self._over: asyncio.Future[str]
    self._over = asyncio.get_running_loop().create_future()
    self._tasks: set[asyncio.Task[None]] = set()
    self._sits = False

  @abc.abstractmethod
  async def hear(self, received: str | bytes) -> None:
    """Does what a message asks for.

    Raises:
      Refusal: it will not.
    """

  @abc.abstractmethod
  async def tell(self, guest: Guest, said: Said) -> None:
    """Tells what happened in a turn."""

  @abc.abstractmethod
  async def refuse(self, refusal: Refusal, received: str | bytes) -> None:
    """Tells that something will not be done."""

  # Most have nothing to say before they are asked, and some nothing at the end.

  async def welcome(self) -> None:  # noqa: B027
    """Tells what is to be told before anything is asked."""

  async def part(self, guest: Guest | None, reason: str) -> None:  # noqa: B027
    """Tells that it is over, if there is somebody to be told."""

  def told(self) -> dict[str, Any]:
    """What is kept with a session, to be known when it goes on."""
    return {}

  async def run(self) -> None:
    """Talks until somebody has had enough."""
    self.lobby.talks[self] = self.owner
    loop = asyncio.get_running_loop()
    timers = [
      loop.call_later(self.lobby.cfg.start_s, self._check_begun),
      loop.call_later(self.lobby.cfg.session_s, self.finish, "expired"),
    ]
    reason = "failed"
    try:
      self.spawn(self._hear_all())
      reason = await self._over
    finally:
      for timer in timers:
        timer.cancel()
      try:
        await self._leave(reason)
      finally:
        del self.lobby.talks[self]

  @property
  def leaving(self) -> bool:
    """Whether it has a session that is over, and whose place is soon free."""
    return self._sits and self._over.done()

  def finish(self, reason: str) -> None:
    """Ends it soon; the first reason is the one."""
    if not self._over.done():
      self._over.set_result(reason)

  def begin(self, guest: Guest) -> None:
    """There is a session now."""
    self.guest, self._sits = guest, True
    self.spawn(self._tell_all(guest))

  def spawn(self, work: Awaitable[None]) -> None:
    """Does something beside; if it fails, so does the connection."""

    async def watched() -> None:
      try:
        await work
      except GoneError:
        self.finish("gone")

    task = asyncio.create_task(watched())
    self._tasks.add(task)
    task.add_done_callback(self._see_done)

  def _see_done(self, task: asyncio.Task[None]) -> None:
    self._tasks.discard(task)
    if task.cancelled() or task.exception() is None:
      return
    error = task.exception()
    if not self._over.done() and error is not None:
      self._over.set_exception(error)

  def _check_begun(self) -> None:
    if self.guest is None:
      self.finish("slow")

  async def _hear_all(self) -> None:
    await self.welcome()
    while not self._over.done():
      received = await self.line.receive()
      self.lobby.counts["messages"] += 1
      try:
        await self.hear(received)
      except Refusal as refusal:
        self.lobby.counts["messages_refused"] += 1
        await self.refuse(refusal, received)
        if refusal.code in ("server_full", "server_not_ready"):
          self.finish("full")
      except ClosedError:
        # The session tells by itself why it is over.
        await asyncio.sleep(0)
        if self.guest is None:
          self.finish("failed")

  async def _tell_all(self, guest: Guest) -> None:
    async for said in guest.live:
      await self.tell(guest, said)
    self.finish(guest.live.reason or "failed")

  async def _leave(self, reason: str) -> None:
    tasks = list(self._tasks)
    for task in tasks:
      task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    guest, self.guest = self.guest, None
    try:
      if guest is not None:
        await self.lobby.leave(guest, reason, self.told())
    except ClosedError:
      log.warning("session not kept", extra={"reason": reason})
    finally:
      self._sits = False
      if reason != "gone":
        with contextlib.suppress(GoneError):
          await self.part(guest, reason)
      await self.line.close(_CODES.get(reason, 1011), reason)
      self.lobby.counts["throttled"] += self.line.throttled
