"""What a system is asked, and what it would do if it did everything right.

item      what is played, shown and typed, and when        a `Record`
wanted    what an oracle says and does, and when            `Act`s
truth     what the scorer knows, of no interest to a system
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from interaction_jax.data.record import Channel, Record

Canvas = tuple[int, int]
"""Rows and columns of the pictures a system sees; (0, 0): it sees nothing."""


@dataclasses.dataclass(frozen=True)
class Act:
  """Something a system says, or writes on another channel.

  Attributes:
    at: when it begins, in seconds.
  """

  at: float
  text: str
  channel: Channel = "say"


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
  """

  name: str
  part: str
  seconds: float
  open: Callable[[Canvas], Record]
  wanted: tuple[Act, ...] = ()
  truth: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  take: str = ""
  partner: Callable[[], Partner] | None = None

  @property
  def key(self) -> str:
    """Tells it from all others of its suite."""
    return f"{self.name}/{self.take}" if self.take else self.name


def listening(sound: Float[np.ndarray, " _"], **more: Any) -> Record:
  """A record of sound alone, or of what else is given."""
  sound = np.asarray(sound, np.float32)
  return Record(heard=sound, voice=np.zeros_like(sound), **more)
