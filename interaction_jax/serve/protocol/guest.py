"""A session of an engine as its client may use it, whatever the protocol.

hear    sound, as it came over the wire
read    text, as long as it may be
see     a picture, unpacked beside everything else
voice   what the model says, as it goes over the wire
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Iterator

import numpy as np

from interaction_jax.serve.driver import Said
from interaction_jax.serve.engine import LiveSession
from interaction_jax.serve.protocol import picture
from interaction_jax.serve.protocol.limit import Bucket, LimitConfig
from interaction_jax.serve.protocol.message import Refusal
from interaction_jax.serve.protocol.sound import Sound
from interaction_jax.serve.protocol.tape import Tape
from interaction_jax.turns.vocabulary import Vocabulary

_AT_ONCE = 48_000
"""Bytes of sound that are looked at without leaving the loop: a second."""

_UNHEARD = 20
"""Pictures that may come without any sound; no turn runs meanwhile."""


class Guest:
  """A client's session.

  Attributes:
    live: in the engine.
    owner: whose it is: a token, by a name that does not tell it.
    sound: on the wire.
    store: whether it is kept when it is over.
    began: by the wall clock.
    muted: whether silence is heard in place of what comes.
    heard_s: seconds of sound that came, those before a fork included.
    level_db: of the last that came, in dB of full scale.
  """

  def __init__(
    self,
    live: LiveSession,
    *,
    owner: str,
    rate: int,
    words: Vocabulary,
    cfg: LimitConfig,
    store: bool = False,
    tape: Tape | None = None,
  ):
    self.live, self.owner, self.store = live, owner, store
    self.sound = Sound(rate)
    self.began = time.time()
    self.muted = False
    self.heard_s, self.level_db = live.heard_s, -math.inf
    self._words, self._cfg, self._tape = words, cfg, tape
    self._tokens = Bucket(cfg.tokens, cfg.tokens_per_s)
    self._pictures = Bucket(cfg.pictures_per_s, cfg.pictures_per_s)
    self._unheard = 0
    self._hearing = asyncio.Lock()

  @property
  def id(self) -> str:
    """By which clients know it."""
    return self.live.name

  async def hear(self, content: bytes) -> None:
    """PCM16 at the rate of the wire.

    Raises:
      Refusal: it is not that.
      ClosedError: the session is over.
    """
    async with self._hearing:
      await self._hear(content)

  async def hear_nothing(self, ms: int) -> None:
    """Silence, in place of sound that did not come."""
    await self.hear(bytes(2 * self.sound.rate * ms // 1000))

  async def read(
    self, text: str, *, param: str = "text", typed: bool = False
  ) -> None:
    """A text, in the model's budget of a turn; what is left over waits.

    Args:
      typed: by the user; others are the application's.

    Raises:
      Refusal: it is too long, or too much came before it.
      ClosedError: the session is over.
    """
    most = self._cfg.text_tokens
    # No token is shorter than nothing: most of what is too long is seen to be
    # without a tokenizer.
    num = len(text) if len(text) > 64 * most else len(self._words.encode(text))
    if num > most:
      raise Refusal(
        "string_above_max_length",
        f"{param} has {num} tokens or more; {most} are the most.",
        param,
      )
    if not self._tokens.try_take(num):
      raise Refusal(
        "rate_limit_exceeded",
        f"{param} comes too soon: more text waits than is read in "
        f"{self._cfg.tokens / self._cfg.tokens_per_s:.0f} s.",
        param,
      )
    if not text:
      return
    with refusing(param):
      if typed:
        await self.live.push(text=text)
      else:
        await self.live.inform(text)

  async def see(
    self, image: str, *, param: str = "image", at_s: float | None = None
  ) -> None:
    """A picture; one that comes too soon after others is not looked at.

    Args:
      at_s: when it was taken, in seconds of the session; None: now.

    Raises:
      Refusal: it is none, or no sound came between too many.
      ClosedError: the session is over.
    """
    if not self._pictures.try_take():
      return
    if self._unheard >= _UNHEARD:
      raise Refusal(
        "invalid_request",
        f"{param} is the {_UNHEARD + 1}th without any sound; turns advance by "
        "sound, and nobody sees it before.",
        param,
      )
    pixels = await asyncio.to_thread(
      picture.decode, image, most_bytes=self._cfg.picture_bytes, param=param
    )
    self._unheard += 1
    with refusing(param):
      await self.live.push(frames=[pixels if at_s is None else (at_s, pixels)])

  def voice(self, said: Said) -> bytes:
    """What the model says in a turn, as PCM16 at the rate of the wire."""
    if self._tape is not None:
      self._tape.tell(said)
    return self.sound.say(said.turn.voice)

  def close(self) -> None:
    """Completes what was recorded."""
    if self._tape is not None:
      self._tape.close()
      self._tape = None

  async def _hear(self, content: bytes) -> None:
    if len(content) > _AT_ONCE:
      samples = await asyncio.to_thread(self.sound.hear, content)
    else:
      samples = self.sound.hear(content)
    if self.muted:
      samples = np.zeros_like(samples)
    if self._tape is not None:
      self._tape.hear(samples)
    self.heard_s += len(content) / 2 / self.sound.rate
    if len(samples):
      power = float(np.square(samples).mean())
      self.level_db = 10 * math.log10(power + 1e-12)
      self._unheard = 0
      await self.live.push(samples)


@contextlib.contextmanager
def refusing(param: str | None) -> Iterator[None]:
  """Makes an answer of what an engine says about a wrong value."""
  try:
    yield
  except ValueError as error:
    raise Refusal("invalid_value", str(error), param) from error
