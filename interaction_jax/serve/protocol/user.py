"""The user of a Realtime session, as its client is told of him.

captions        an item of the user's, told word by word, done after a
                second without any
the floor       speech_started when the model stops because he speaks,
                speech_stopped when he is quiet
"""

from typing import Any, Final

from interaction_jax.serve.protocol.event import event, new_id

_LOUD_DB: Final = -45.0
"""From here on sound is speech, near enough: that is for clients to see, and
nothing depends on it."""

_WORDLESS: Final = 5
"""Turns without a caption that end what was said."""

_QUIET: Final = 2
"""Quiet turns after which the floor is free."""


class User:
  """What was told of the user so far."""

  def __init__(self):
    self._id: str | None = None
    self._announced = False
    self._text = ""
    self._wordless = self._quiet = 0
    self._has_floor = False

  def turn(
    self, text: str, *, level_db: float, now_ms: int, yielded: bool
  ) -> list[dict[str, Any]]:
    """What is due after a turn.

    Args:
      text: captions that the model wrote in it.
      level_db: of what was heard.
      now_ms: how much was heard.
      yielded: whether the model stopped speaking.
    """
    loud = level_db > _LOUD_DB
    events: list[dict[str, Any]] = []
    if yielded and loud and not self._has_floor:
      self._has_floor, self._quiet = True, 0
      events += self._open(announce=False)
      kind = "input_audio_buffer.speech_started"
      events.append(event(kind, item_id=self._id, audio_start_ms=now_ms))
    elif self._has_floor:
      self._quiet = 0 if loud else self._quiet + 1
      if self._quiet >= _QUIET:
        self._has_floor = False
        kind = "input_audio_buffer.speech_stopped"
        events.append(event(kind, item_id=self._id, audio_end_ms=now_ms))
        events += self.commit(None)
    if text:
      self._wordless = 0
      events += self._open(announce=True)
      self._text += text
      events.append(self._transcription("delta", delta=text))
    elif self._text:
      self._wordless += 1
      if self._wordless >= _WORDLESS and not self._has_floor:
        events += self._close()
    return events

  def commit(self, last: str | None) -> list[dict[str, Any]]:
    """What is due when what came is called an item.

    Args:
      last: the item before it.
    """
    announced = self._id is not None and self._announced
    events = self._open(announce=False)
    events.append(
      event(
        "input_audio_buffer.committed",
        item_id=self._id,
        previous_item_id=last if last != self._id else None,
      )
    )
    if not announced:
      events += self._open(announce=True)
    return events if self._text else [*events, *self._close()]

  def _open(self, *, announce: bool) -> list[dict[str, Any]]:
    """Gives what is being said a name, and tells it."""
    if self._id is None:
      self._id, self._announced = new_id("item"), False
    if not announce or self._announced:
      return []
    self._announced = True
    return [
      event(
        "conversation.item.added",
        previous_item_id=None,
        item=self._item("in_progress"),
      )
    ]

  def _close(self) -> list[dict[str, Any]]:
    events = []
    if self._text:
      events.append(
        self._transcription(
          "completed",
          transcript=self._text.strip(),
          usage={"type": "duration", "seconds": 0},
        )
      )
    item = self._item("completed")
    self._id, self._text, self._wordless = None, "", 0
    done = event("conversation.item.done", previous_item_id=None, item=item)
    return [done, *events]

  def _item(self, status: str) -> dict[str, Any]:
    transcript = self._text.strip() or None
    return {
      "id": self._id,
      "object": "realtime.item",
      "type": "message",
      "status": status,
      "role": "user",
      "content": [{"type": "input_audio", "transcript": transcript}],
    }

  def _transcription(self, what: str, **fields: Any) -> dict[str, Any]:
    return event(
      f"conversation.item.input_audio_transcription.{what}",
      item_id=self._id,
      content_index=0,
      **fields,
    )
