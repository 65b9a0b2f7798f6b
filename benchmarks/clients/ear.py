"""What a client sends and gets, counted alike for all of them.

Every script here takes PROTOCOL HOST:PORT SOUND.pcm (PCM16 in one channel at
24 kHz), plays the sound to the server as fast as it is spoken, and ends with a
line of JSON: what came back, and whether the connection ended as it should.
"""

import array
import asyncio
import json
import time
from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path

RATE = 24_000
"""Samples a second, both ways."""

CHUNK = 2 * RATE // 50
"""Bytes of 20 ms."""

TAIL_S = 4.0
"""Of silence after the sound, in which the last answer is heard."""

_LOUD = 330
"""An amplitude of 1 in 100: what is below is no voice."""


class Ear:
  """Hears what a server says.

  Attributes:
    ended: whether both sides agreed that it was over.
  """

  def __init__(self, package: str, protocol: str):
    self.ended = False
    self._told = {
      "client": package,
      "version": metadata.version(package),
      "protocol": protocol,
    }
    self._began = time.monotonic()
    self._sent_at = self._heard_at = None
    self._sent = self._heard = self._loud = 0
    self._text, self._understood, self._errors = "", "", []

  def sent(self, content: bytes) -> None:
    """So much sound was sent, as PCM16."""
    self._sent_at = self._sent_at or time.monotonic()
    self._sent += len(content) // 2

  def hear(self, content: bytes) -> None:
    """Sound came, as PCM16."""
    self._heard_at = self._heard_at or time.monotonic()
    self._heard += len(content) // 2
    samples = array.array("h", content)
    for at in range(0, len(samples), RATE // 50):
      part = samples[at : at + RATE // 50]
      self._loud += len(part) if max(map(abs, part)) > _LOUD else 0

  def read(self, text: str) -> None:
    """The model said so."""
    self._text += text

  def understand(self, text: str) -> None:
    """The user was understood so."""
    self._understood += text

  def fail(self, error: object) -> None:
    """The client complained."""
    self._errors.append(str(error)[:300])

  def report(self) -> int:
    """Prints what there was; returns the exit code."""
    ok = self.ended and self._loud > 0 and bool(self._text.strip())
    ok = ok and not self._errors
    first = None
    if self._sent_at and self._heard_at:
      first = round(1000 * (self._heard_at - self._sent_at))
    told = {
      **self._told,
      "ok": ok,
      "sent_s": round(self._sent / RATE, 1),
      "heard_s": round(self._heard / RATE, 1),
      "voice_s": round(self._loud / RATE, 1),
      "first_sound_ms": first,
      "said": " ".join(self._text.split()),
      "understood": " ".join(self._understood.split()),
      "errors": self._errors,
      "ended": self.ended,
      "seconds": round(time.monotonic() - self._began, 1),
    }
    print(json.dumps(told), flush=True)
    return 0 if ok else 1


async def spoken(path: str, ear: Ear) -> AsyncIterator[bytes]:
  """The sound of a file and silence after it, as fast as it is spoken."""
  pcm = Path(path).read_bytes() + bytes(int(2 * RATE * TAIL_S))
  start = time.monotonic()
  for at in range(0, len(pcm), CHUNK):
    part = pcm[at : at + CHUNK]
    # A chunk leaves when its last sample was spoken.
    due = start + (at + len(part)) / (2 * RATE)
    await asyncio.sleep(max(0.0, due - time.monotonic()))
    ear.sent(part)
    yield part
