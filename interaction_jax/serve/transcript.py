"""Words as they come, put together into utterances."""

import dataclasses
import math
from collections.abc import Iterable
from typing import Final

from interaction_jax.serve.events import Event

PAUSE: Final = 1.0
"""Seconds of silence that end an utterance."""

_TURN: Final = 0.2
"""Seconds between two pieces of one breath."""

_WIDE: Final = 40
"""Letters from which on an utterance goes on in another one."""

_LONGEST: Final = 60
"""Letters of an utterance that are shown."""

_NAMES: Final = {"show": "screen", "say": "voice"}
"""What a transcript has, and how it is called there."""


@dataclasses.dataclass(frozen=True)
class Label:
  """Words, and when they begin, in seconds."""

  t: float
  text: str


class Utterances:
  """One channel's pieces of text, put together.

  Args:
    pause: seconds that end an utterance; 0: words are not put together.
  """

  def __init__(self, pause: float = PAUSE):
    self._pause = pause
    self._open: Label | None = None
    self._last = -math.inf

  def add(self, t: float, text: str, *, typed: bool = False) -> list[Label]:
    """Takes a piece; returns what ended with it.

    Args:
      t: when, in seconds, never before the piece that came last.
      text: begins with a space where a word begins.
      typed: whether it is all that was typed, which stands alone.
    """
    ended = self.until(t)
    fresh = typed or text[:1].isspace()
    one = self._open
    short = one is not None and len(one.text) < _WIDE
    if one is not None and not typed and (not fresh or (self._pause and short)):
      self._open = Label(one.t, one.text + text)
    elif text.strip():
      ended += self.end()
      self._open = Label(t, text)
    self._last = t
    return ended

  def until(self, t: float) -> list[Label]:
    """What has ended by a time, in seconds."""
    return [] if t - self._last <= self._pause + _TURN else self.end()

  def end(self) -> list[Label]:
    """What is left, when nothing more will come."""
    one, self._open = self._open, None
    return [] if one is None else [Label(one.t, _legible(one.text))]


class Transcript:
  """What a model says and shows, line by line, as soon as it has ended."""

  def __init__(self):
    self._channels = {kind: Utterances() for kind in _NAMES}

  def turn(self, t: float, events: Iterable[Event]) -> list[str]:
    """Lines of what ended in a turn.

    Args:
      t: when the turn is, in seconds.
    """
    found = []
    for event in events:
      if event.kind in self._channels:
        text = str(event.payload["text"])
        ended = self._channels[event.kind].add(event.t, text)
        found += [_line(event.kind, one) for one in ended]
    for kind, channel in self._channels.items():
      found += [_line(kind, one) for one in channel.until(t)]
    return found

  def end(self) -> list[str]:
    """Lines of what is left."""
    return [
      _line(kind, one)
      for kind, channel in self._channels.items()
      for one in channel.end()
    ]


def _line(kind: str, one: Label) -> str:
  return f"{one.t:8.1f} s  {_NAMES[kind]:<8}{one.text}"


def _legible(text: str) -> str:
  """The text in one line, not too long, without signs that print nothing."""
  line = " ".join(text.split())
  shown = "".join(sign if sign.isprintable() else "\ufffd" for sign in line)
  if len(shown) <= _LONGEST:
    return shown
  return f"{shown[: _LONGEST - 3]}..."
