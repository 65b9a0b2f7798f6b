"""How much a client may ask for, and how fast."""

import dataclasses
import math
import time
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class LimitConfig:
  """What a server grants.

  Attributes:
    message_bytes: of a message.
    messages: that may come at once; `messages_per_s` in the long run. Who is
      faster is read more slowly, and loses nothing.
    text_tokens: of one text.
    tokens: of text that may come at once, `tokens_per_s` in the long run; a
      model reads some 40 in a second, and what waits is kept.
    picture_bytes: of a picture as it is sent.
    pictures_per_s: that are looked at; those in between are dropped.
    sessions: of one token, at once.
    connections: of one token, at once, with a session or without.
    start_s: until a session must have begun.
    session_s: that a session lasts at most.
    send_s: that a client may keep a message waiting.
    stored: sessions that are kept after their end, because somebody asked.
  """

  message_bytes: int = 4 << 20
  messages: int = 400
  messages_per_s: float = 200.0
  text_tokens: int = 500
  tokens: int = 8192
  tokens_per_s: float = 50.0
  picture_bytes: int = 1 << 20
  pictures_per_s: float = 20.0
  sessions: int = 64
  connections: int = 256
  start_s: float = 60.0
  session_s: float = 86_400.0
  send_s: float = 10.0
  stored: int = 64

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"limit.{field.name}={value} must be more than 0.")


class Bucket:
  """Fills at a rate up to its size; who takes too much has to wait."""

  def __init__(
    self,
    size: float | int,
    per_s: float | int,
    clock: Callable[[], float] = time.monotonic,
  ):
    self._size, self._per_s, self._clock = size, per_s, clock
    self._level, self._at = size, clock()

  def take(self, number: float | int = 1) -> float:
    """Takes, whatever is there; returns the seconds until it is paid for."""
    self._fill()
    self._level -= number
    return max(0.0, -self._level / self._per_s)

  def try_take(self, number: float | int = 1) -> bool:
    """Takes what is there; False, and nothing, where it is not enough."""
    self._fill()
    if self._level < number:
      return False
    self._level -= number
    return True

  def _fill(self) -> None:
    now = self._clock()
    grown = self._level + (now - self._at) * self._per_s
    self._level, self._at = min(self._size, grown), now
