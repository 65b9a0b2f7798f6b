"""A stretch of speech as Realtime tells it: one response, one item.

    response.created
      response.output_item.added, conversation.item.added
        response.content_part.added
          response.output_audio_transcript.delta, response.output_audio.delta
        response.output_audio.done, ... .done, response.content_part.done
      response.output_item.done, conversation.item.done
      (response.output_item.added ... a call of a function, likewise)
    response.done

Every function returns the events that are due, in order.
"""

import base64
from typing import Any, Literal

from interaction_jax.serve.protocol.event import event, new_id

Event = dict[str, Any]

Status = Literal["completed", "cancelled", "incomplete", "failed"]


class Reply:
  """A response.

  Attributes:
    id: of it.
    items: those that are done.
    spoken: the item that is being spoken; None: there is none.
    spoken_ms: how much of it there is.
  """

  def __init__(
    self,
    *,
    modality: Literal["audio", "text"],
    conversation: str,
    voice: Event,
    metadata: Event | None = None,
  ):
    self.id = new_id("resp")
    self.items: list[Event] = []
    self.spoken: Event | None = None
    self.spoken_ms = 0
    self._modality, self._conversation = modality, conversation
    self._voice, self._metadata = voice, metadata
    self._text = ""
    self._num_tokens = self._num_turns = 0

  def begin(self) -> list[Event]:
    """There is a response, which as yet says nothing."""
    return [event("response.created", response=self._told("in_progress"))]

  def speak(
    self, text: str, voice: bytes, *, num_tokens: int, ms: int
  ) -> list[Event]:
    """What it says in a turn."""
    events = self._open() if self.spoken is None else []
    self._num_tokens += num_tokens
    self._num_turns += 1
    self.spoken_ms += ms
    self._text += text
    audio = self._modality == "audio"
    if text:
      kind = "output_audio_transcript" if audio else "output_text"
      events.append(self._at(f"response.{kind}.delta", delta=text))
    if audio and voice:
      delta = base64.b64encode(voice).decode()
      events.append(self._at("response.output_audio.delta", delta=delta))
    return events

  def call(self, name: str, arguments: str) -> list[Event]:
    """It calls a function."""
    item: Event = {
      "id": new_id("item"),
      "object": "realtime.item",
      "type": "function_call",
      "status": "in_progress",
      "call_id": new_id("call"),
      "name": name,
      "arguments": "",
    }
    place = {
      "response_id": self.id,
      "item_id": item["id"],
      "output_index": self._num_outputs(),
      "call_id": item["call_id"],
    }
    kind = "response.function_call_arguments"
    events = [
      *self._added(item, place["output_index"]),
      event(f"{kind}.delta", **place, delta=arguments),
      event(f"{kind}.done", **place, name=name, arguments=arguments),
    ]
    done = item | {"status": "completed", "arguments": arguments}
    self.items.append(done)
    return [*events, *self._done(done, place["output_index"])]

  def end(self, status: Status = "completed") -> list[Event]:
    """It is over."""
    events = []
    if self.spoken is not None:
      events = self._shut(
        "completed" if status == "completed" else "incomplete"
      )
    return [*events, event("response.done", response=self._told(status))]

  def _open(self) -> list[Event]:
    item: Event = {
      "id": new_id("item"),
      "object": "realtime.item",
      "type": "message",
      "status": "in_progress",
      "role": "assistant",
      "content": [],
    }
    self.spoken, self._index = item, self._num_outputs()
    return [
      *self._added(item, self._index),
      self._at("response.content_part.added", part=self._part("")),
    ]

  def _shut(self, status: str) -> list[Event]:
    assert self.spoken is not None, "nothing is being spoken"
    part = self._part(self._text)
    if self._modality == "audio":
      events = [
        self._at("response.output_audio.done"),
        self._at(
          "response.output_audio_transcript.done", transcript=self._text
        ),
      ]
      content = {"type": "output_audio", "transcript": self._text}
    else:
      events = [self._at("response.output_text.done", text=self._text)]
      content = {"type": "output_text", "text": self._text}
    events.append(self._at("response.content_part.done", part=part))
    item = self.spoken | {"status": status, "content": [content]}
    self.items.append(item)
    self.spoken = None
    return [*events, *self._done(item, self._index)]

  def _added(self, item: Event, index: int) -> list[Event]:
    return [
      event(
        "response.output_item.added",
        response_id=self.id,
        output_index=index,
        item=item,
      ),
      event("conversation.item.added", previous_item_id=None, item=item),
    ]

  def _done(self, item: Event, index: int) -> list[Event]:
    return [
      event(
        "response.output_item.done",
        response_id=self.id,
        output_index=index,
        item=item,
      ),
      event("conversation.item.done", previous_item_id=None, item=item),
    ]

  def _at(self, kind: str, **fields: Any) -> Event:
    """An event about what is being spoken."""
    assert self.spoken is not None, "nothing is being spoken"
    return event(
      kind,
      response_id=self.id,
      item_id=self.spoken["id"],
      output_index=self._index,
      content_index=0,
      **fields,
    )

  def _part(self, text: str) -> Event:
    if self._modality == "audio":
      return {"type": "audio", "transcript": text}
    return {"type": "text", "text": text}

  def _num_outputs(self) -> int:
    return len(self.items) + (self.spoken is not None)

  def _told(self, status: str) -> Event:
    details = None
    if status not in ("in_progress", "completed"):
      reason = (
        "client_cancelled" if status == "cancelled" else "max_output_tokens"
      )
      details = {"type": status, "reason": reason}
    return {
      "object": "realtime.response",
      "id": self.id,
      "conversation_id": self._conversation,
      "status": status,
      "status_details": details,
      "output": list(self.items),
      "output_modalities": [self._modality],
      "max_output_tokens": "inf",
      "audio": {"output": self._voice},
      "metadata": self._metadata,
      "usage": None if status == "in_progress" else self._usage(),
    }

  def _usage(self) -> Event:
    """Tokens written, and turns spoken: a model reads no prompt for a reply."""
    written = {"text_tokens": self._num_tokens, "audio_tokens": self._num_turns}
    read = {"text_tokens": 0, "audio_tokens": 0, "cached_tokens": 0}
    total = sum(written.values())
    return {
      "total_tokens": total,
      "input_tokens": 0,
      "output_tokens": total,
      "input_token_details": read,
      "output_token_details": written,
    }
