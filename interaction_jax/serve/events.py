"""What happens in a session, as events that people and programs read.

    tokens   SAY hel lo | SHOW { "a" ...
    events   say "hello" | show '{"a"' | speak_start | ...

Every time is audible time: what turn j makes begins to be heard one turn
later.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Literal

from interaction_jax.turns import clock
from interaction_jax.turns.vocabulary import CHANNELS, Control, Vocabulary

Kind = Literal[
  "user_text",
  "say",
  "show",
  "call",
  "call_result",
  "delegate",
  "background",
  "speak_start",
  "speak_stop",
]


@dataclasses.dataclass(frozen=True)
class Event:
  """Something that happened.

  Attributes:
    t: when, in seconds of audible time.
    turn: that read or made it.
    payload: text stands under "text", piece by piece as it is written.
  """

  t: float
  turn: int
  kind: Kind
  payload: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  def to_json(self) -> str:
    """One line of an `events.jsonl`."""
    return json.dumps(dataclasses.asdict(self), ensure_ascii=False)


class Narrator:
  """Tells what a model does, from the tokens it writes and its gate.

  Each channel has text of its own, which goes on where it stopped when the
  model comes back to it; a character is told when its last byte is there.
  """

  def __init__(self, words: Vocabulary):
    self._words = words
    self._channel: Control = Control.SAY
    self._pending: dict[Control, bytes] = {one: b"" for one in CHANNELS}
    self._speaking = False

  def tell(
    self, turn: int, tokens: tuple[int, ...], *, speaks: bool
  ) -> list[Event]:
    """The events of a turn, given what it wrote and whether it speaks."""
    t = clock.audible(turn)
    events = []
    if self._speaking and not speaks:
      events.append(Event(t, turn, "speak_stop"))
    events += [
      Event(t, turn, _kind(channel), {"text": text})
      for channel, text in self._texts(tokens)
      if text
    ]
    if speaks and not self._speaking:
      events.append(Event(t, turn, "speak_start"))
    self._speaking = speaks
    return events

  def state(self) -> dict[str, Any]:
    """All that it remembers, as JSON holds it."""
    return {
      "channel": int(self._channel),
      "pending": {str(int(c)): p.hex() for c, p in self._pending.items()},
      "speaking": self._speaking,
    }

  def restore(self, state: Mapping[str, Any]) -> None:
    """Goes on from a `state`."""
    self._channel = Control(state["channel"])
    self._speaking = state["speaking"]
    self._pending = {
      Control(int(channel)): bytes.fromhex(pending)
      for channel, pending in state["pending"].items()
    }

  def _texts(self, tokens: tuple[int, ...]) -> list[tuple[Control, str]]:
    """What became readable, run by run of one channel."""
    runs: list[tuple[Control, str]] = []
    written: list[int] = []

    def close():
      pending = self._pending[self._channel]
      self._pending[self._channel], text = self._words.decode_next(
        pending, written
      )
      runs.append((self._channel, text))
      written.clear()

    for token in tokens:
      control = self._words.control_of(token)
      if control is not None and control in CHANNELS:
        close()
        self._channel = control
      else:
        written.append(token)
    close()
    return runs


def _kind(channel: Control) -> Kind:
  kinds: dict[Control, Kind] = {
    Control.SAY: "say",
    Control.SHOW: "show",
    Control.CALL: "call",
    Control.DELEGATE: "delegate",
  }
  return kinds[channel]
