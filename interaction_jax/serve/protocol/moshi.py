"""Moshi's socket, `/api/chat`: a byte that says what, then the thing itself.

    0   hello, from the server, once
    1   sound, Ogg with Opus in one channel at 24 kHz
    2   text, in UTF-8: what is said
    3   control, 4 metadata, 5 error, 6 ping

The session begins with the first sound. What the query of the address says of
sampling is the server's own choice here. Frames of Opus are 80 ms long, so
turns of 200 ms go out in twos and threes.
"""

from typing import Any, Final

import numpy as np

from interaction_jax.serve.driver import Said
from interaction_jax.serve.protocol import sound
from interaction_jax.serve.protocol.guest import Guest
from interaction_jax.serve.protocol.line import Line
from interaction_jax.serve.protocol.lobby import Lobby
from interaction_jax.serve.protocol.message import Refusal
from interaction_jax.serve.protocol.talk import Talk

_RATE: Final = 24_000

_FRAME: Final = 1920
"""Samples of a frame of Opus."""

_HELLO, _SOUND, _TEXT, _CONTROL, _METADATA, _ERROR, _PING = range(7)


class MoshiTalk(Talk):
  """A connection.

  Raises:
    ModuleNotFoundError: sphn is not installed.
  """

  protocol = "moshi"

  def __init__(self, lobby: Lobby, line: Line, owner: str):
    import sphn

    super().__init__(lobby, line, owner)
    self._reader: Any = sphn.OpusStreamReader(_RATE)
    self._writer: Any = sphn.OpusStreamWriter(_RATE)
    self._said = np.zeros(0, np.float32)

  async def welcome(self) -> None:
    """Sends a hello: everything is compiled."""
    await self.line.send_raw(bytes([_HELLO]))

  async def hear(self, received: str | bytes) -> None:
    """Hears sound; what else a client may say changes nothing."""
    if isinstance(received, str):
      raise Refusal("invalid_message", "Messages are bytes.")
    if not received:
      raise Refusal("invalid_message", "The message is empty.")
    if received[0] == _SOUND:
      content = self._unpack(received[1:])
      guest = self.guest or await self._begin()
      await guest.hear(content)
    elif received[0] not in (_HELLO, _TEXT, _CONTROL, _METADATA, _PING):
      raise Refusal("invalid_message", f"There is no kind {received[0]}.")

  async def tell(self, guest: Guest, said: Said) -> None:
    """Sends what a turn made."""
    for told in said.events:
      if told.kind == "say":
        text = told.payload["text"].encode()
        await self.line.send_raw(bytes([_TEXT]) + text)
    voice = sound.samples(guest.voice(said))
    self._said = np.concatenate([self._said, voice])
    while len(self._said) >= _FRAME:
      frame, self._said = self._said[:_FRAME], self._said[_FRAME:]
      packed = self._writer.append_pcm(frame)
      if packed:
        await self.line.send_raw(bytes([_SOUND]) + packed)

  async def refuse(self, refusal: Refusal, received: str | bytes) -> None:
    """Sends an error."""
    await self.line.send_raw(bytes([_ERROR]) + refusal.message.encode())

  async def _begin(self) -> Guest:
    guest = await self.lobby.open(
      self.owner,
      rate=_RATE,
      protocol=self.protocol,
      on_report=lambda report: None,
    )
    self.begin(guest)
    return guest

  def _unpack(self, content: bytes) -> bytes:
    try:
      heard = self._reader.append_bytes(content)
    except ValueError as error:
      raise Refusal("invalid_value", f"The sound is no Opus: {error}") from None
    return b"" if heard is None else sound.pcm(np.asarray(heard, np.float32))
