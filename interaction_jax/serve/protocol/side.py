"""Listening in to a Live session, `/v1/live/sessions/{id}/attach`.

    the client's sound    session.input_audio.append, as it came
    the model's           session.output_audio.delta, with its times
    everything else       as the client is told it

Sound is at 24 kHz, whatever the session's own rate. A sideband may ask for all
that needs no sound; one that does not keep up is cut off, and nobody waits
for it.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from interaction_jax.data import resample
from interaction_jax.serve.driver import Said
from interaction_jax.serve.protocol import event, message, sound
from interaction_jax.serve.protocol.guest import Guest
from interaction_jax.serve.protocol.line import Line
from interaction_jax.serve.protocol.lobby import Lobby
from interaction_jax.serve.protocol.message import Fields, Refusal
from interaction_jax.serve.protocol.talk import Talk
from interaction_jax.turns import clock

_RATE: Final = sound.RATES[-1]

_WAITING: Final = 500
"""Events that may wait for one who listens in."""

Command = Callable[[Guest, str, Fields], Awaitable[None]]


class SideTalk(Talk):
  """A connection that listens in."""

  protocol = "attach"

  def __init__(
    self, lobby: Lobby, line: Line, owner: str, *, heard: Guest, do: Command
  ):
    """Begins to listen.

    Args:
      heard: whose session it is.
      do: does what a sideband may ask for.
    """
    super().__init__(lobby, line, owner)
    self._heard, self._do = heard, do
    self._in = resample.Resampler(heard.sound.rate, _RATE)
    self._out = resample.Resampler(clock.SAMPLE_RATE, _RATE)
    self._waiting: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue(_WAITING)
    self.spawn(self._pump())

  def put(self, told: Mapping[str, Any]) -> None:
    """Something to be told, soon."""
    try:
      self._waiting.put_nowait(told)
    except asyncio.QueueFull:
      self.finish("unread")

  def hear_along(self, content: bytes) -> None:
    """What the client said."""
    if len(content) % 2 == 0:
      heard = self._in.push(sound.samples(content))
      kind = "session.input_audio.append"
      self.put({"type": kind, "audio": _text(sound.pcm(heard))})

  def tell_along(self, said: Said, span: Mapping[str, int]) -> None:
    """What the model said."""
    voice = sound.pcm(self._out.push(said.turn.voice))
    kind = "session.output_audio.delta"
    self.put({"type": kind, "delta": _text(voice), **span})

  async def hear(self, received: str | bytes) -> None:
    """Does what an event asks for."""
    fields = message.parse(received)
    await self._do(self._heard, fields.get("type", str), fields)

  async def tell(self, guest: Guest, said: Said) -> None:
    """Nothing: the session is another's, who tells."""

  async def refuse(self, refusal: Refusal, received: str | bytes) -> None:
    """Sends an `error`, to nobody else."""
    self.put(event.error(refusal, received, cause="client_event_id"))

  async def part(self, guest: Guest | None, reason: str) -> None:
    """Sends what still waits."""
    while not self._waiting.empty():
      await self.line.send(self._waiting.get_nowait())

  def _check_begun(self) -> None:
    """It has begun: with a session that was there."""

  async def _pump(self) -> None:
    while True:
      await self.line.send(await self._waiting.get())


def _text(content: bytes) -> str:
  return base64.b64encode(content).decode()
