"""What a system is asked, and what it would do if it did everything right.

item      what is played, shown and typed, and when        a `Record`
wanted    what an oracle says and does, and when            `Act`s
truth     what the scorer knows, of no interest to a system
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from interaction_jax.data.record import Channel, Record
from interaction_jax.evals.harness.output import Word
from interaction_jax.turns import clock

Canvas = tuple[int, int]
"""Rows and columns of the pictures a system sees; (0, 0): it sees nothing."""


@dataclasses.dataclass(frozen=True)
class Act:
  """Something a system says, or writes on another channel.

  Attributes:
    at: when it begins, in seconds.
    until: when it is broken off, if it is not over by then.
  """

  at: float
  text: str
  channel: Channel = "say"
  until: float = math.inf


@runtime_checkable
class Partner(Protocol):
  """Somebody who listens and reacts, as an examiner does."""

  def speak(
    self, heard: Float[np.ndarray, " W"]
  ) -> Float[np.ndarray, " W"] | None:
    """The sound of the next turn; None: the conversation is over.

    Args:
      heard: what is audible of the system in this very turn; what is said in
        reply begins with the turn after it.
    """
    ...

  def wants(self) -> str | None:
    """What an oracle should begin to say now; told once each time."""
    ...

  def said(self) -> Sequence[Word]:
    """Its words so far, from when to when."""
    ...


@runtime_checkable
class Tools(Protocol):
  """What answers the calls that a system writes."""

  def write(self, at: float, text: str) -> Sequence[tuple[float, str]]:
    """Takes a piece of what is written on `call`, at a time in seconds.

    Returns:
      What the system is to read of it, and from when on.
    """
    ...


@dataclasses.dataclass(frozen=True, eq=False)
class Item:
  """One thing that is asked.

  Attributes:
    name: the folder of its outputs, as the official layout names it.
    part: of the suite, which rows of the report are made of.
    seconds: how long it is.
    open: makes what is played; given the canvas, which audio ignores.
    wanted: what an oracle does.
    truth: what the scorer knows.
    take: stands before the names of its files, where one folder holds several
      recordings: "clean_".
    partner: makes the other side, where it reacts; what `open` makes is then
      silent, and as long as the conversation may become.
    tools: makes what answers its calls, where they are answered.
  """

  name: str
  part: str
  seconds: float
  open: Callable[[Canvas], Record]
  wanted: tuple[Act, ...] = ()
  truth: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  take: str = ""
  partner: Callable[[], Partner] | None = None
  tools: Callable[[], Tools] | None = None

  @property
  def key(self) -> str:
    """Tells it from all others of its suite."""
    return f"{self.name}/{self.take}" if self.take else self.name


class Recorded:
  """A partner who does not react: a sound, turn by turn."""

  def __init__(self, sound: Float[np.ndarray, " _"]):
    num = clock.num_turns(len(sound))
    padded = np.zeros(num * clock.SAMPLES, np.float32)
    padded[: len(sound)] = sound
    self._turns = iter(padded.reshape(num, clock.SAMPLES))

  def speak(
    self, heard: Float[np.ndarray, " W"]
  ) -> Float[np.ndarray, " W"] | None:
    """The next turn, whatever is heard."""
    del heard
    return next(self._turns, None)

  def wants(self) -> str | None:
    """Nothing."""
    return None

  def said(self) -> Sequence[Word]:
    """Nobody wrote them down."""
    return ()


def listening(sound: Float[np.ndarray, " _"], **more: Any) -> Record:
  """A record of sound alone, or of what else is given."""
  sound = np.asarray(sound, np.float32)
  return Record(heard=sound, voice=np.zeros_like(sound), **more)
