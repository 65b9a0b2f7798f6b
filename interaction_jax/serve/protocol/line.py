"""A socket as protocols see it: messages in at a pace, events out in order."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from interaction_jax.serve.protocol import message
from interaction_jax.serve.protocol.limit import Bucket, LimitConfig


class GoneError(Exception):
  """The client is not there any more."""


class Line:
  """One socket.

  Attributes:
    num_received, num_sent: messages.
    throttled: how often the client was faster than it may be.
    path, query: what its address says.
  """

  def __init__(self, socket: WebSocket, cfg: LimitConfig):
    self.num_received = self.num_sent = self.throttled = 0
    self.path: Mapping[str, str] = socket.path_params
    self.query: Mapping[str, str] = socket.query_params
    self._socket, self._cfg = socket, cfg
    # By the clock that it sleeps by.
    clock = asyncio.get_running_loop().time
    self._pace = Bucket(cfg.messages, cfg.messages_per_s, clock)
    self._sending = asyncio.Lock()
    self._open = True

  async def receive(self) -> str | bytes:
    """The next message; waits where the client is too fast.

    Raises:
      GoneError: there is none any more.
    """
    wait = self._pace.take()
    if wait > 0:
      self.throttled += 1
      await asyncio.sleep(wait)
    try:
      got = await self._socket.receive()
    except (RuntimeError, WebSocketDisconnect) as error:
      raise GoneError from error
    if got["type"] != "websocket.receive":
      self._open = False
      raise GoneError
    self.num_received += 1
    text = got.get("text")
    return text if text is not None else got["bytes"]

  async def send(self, event: Mapping[str, Any]) -> None:
    """Sends an event.

    Raises:
      GoneError: the client is gone, or does not read.
    """
    await self.send_raw(message.write(event))

  async def send_raw(self, content: str | bytes) -> None:
    """Sends text or bytes as they are; otherwise as `send`."""
    try:
      async with asyncio.timeout(self._cfg.send_s), self._sending:
        if not self._open:
          raise GoneError
        if isinstance(content, str):
          await self._socket.send_text(content)
        else:
          await self._socket.send_bytes(content)
        self.num_sent += 1
    except (OSError, RuntimeError, TimeoutError, WebSocketDisconnect) as error:
      self._open = False
      raise GoneError from error

  async def close(self, code: int = 1000, reason: str = "") -> None:
    """Closes the socket, if it is open."""
    if not self._open:
      return
    self._open = False
    with contextlib.suppress(
      OSError, RuntimeError, TimeoutError, WebSocketDisconnect
    ):
      async with asyncio.timeout(self._cfg.send_s):
        await self._socket.close(code, reason[:120])
