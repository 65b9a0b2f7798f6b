"""What servers are told and tell, protocol by protocol.

    live       /v1/live/sessions    OpenAI Live: sound goes both ways always
    realtime   /v1/realtime         OpenAI Realtime: speech comes as responses
    moshi      /api/chat            Moshi: Opus, no text to be read

Messages are made and read here; sockets and clocks are `remote.py`'s. Nothing
is asked for that is not part of a protocol, but for text and pictures on Live,
which has none, and in step, which only servers of this library can do.
"""

import abc
import base64
import dataclasses
import io
import json
from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Float, UInt8

from interaction_jax.data.record import Channel, Speaker
from interaction_jax.serve.protocol import sound
from interaction_jax.serve.protocol.message import Refusal
from interaction_jax.turns import clock

Message = str | bytes

_HARMLESS: Final = frozenset(
  (
    "conversation_already_has_active_response",
    "input_audio_buffer_commit_empty",
    "item_truncate_invalid_item_id",
    "response_cancel_not_active",
  )
)
"""Errors of Realtime after which all goes on."""

_EXTENSIONS: Final = ("channels", "microturn")


class FullError(ConnectionError):
  """The server has no room: there is no session, and later there may be."""


@dataclasses.dataclass(frozen=True)
class Opening:
  """What a session begins with.

  Attributes:
    seed: of all that is drawn, where a server takes one.
    in_step: whether the server is to say when a turn is over.
  """

  model: str | None = None
  instructions: str = ""
  seed: int = 0
  in_step: bool = False


@dataclasses.dataclass(frozen=True)
class Told:
  """Something that a server tells.

  Attributes:
    kind: "ready": it hears; "sound" and "text": of what it does; "stop": what
      has not been played is to be dropped; "turn": one is over.
    samples: of a sound, at the rate of the wire.
    run: what sound and text belong to, where that is told.
    channel: of a text.
    span: from when to when a text is said, in seconds, where that is told.
    ms: what a turn took.
  """

  kind: Literal["ready", "sound", "text", "stop", "turn"]
  samples: Float[np.ndarray, " _"] | None = None
  text: str = ""
  channel: Channel = "say"
  span: tuple[float, float] | None = None
  run: str = ""
  ms: float = 0.0


class Wire(abc.ABC):
  """One protocol, in one session.

  Attributes:
    protocol: its name.
    rate: of its sound, in Hz.
    reads: whether text can be typed.
    steps: whether a server may be asked to say when a turn is over.
    calls: whether calls can be answered.
  """

  protocol: str
  rate: int
  reads = True
  steps = True
  calls = False

  def __init__(self, *, in_step: bool = False):
    """Begins.

    Args:
      in_step: whether turns are waited for.
    """
    del in_step

  @abc.abstractmethod
  def begin(self, opening: Opening) -> list[Message]:
    """What is said first."""

  @abc.abstractmethod
  def hear(self, samples: Float[np.ndarray, " _"]) -> list[Message]:
    """Sound of the user, at the rate of the wire."""

  @abc.abstractmethod
  def take(self, received: Message) -> list[Told]:
    """What a message tells.

    Raises:
      ConnectionError: that it will not go on.
      FullError: that it has not begun, for want of room.
    """

  def read(self, speaker: Speaker, text: str) -> list[Message]:
    """Text that is typed, by the user or by the application."""
    raise ConnectionError(f"{self.protocol} reads no text: {text[:60]!r}")

  def see(self, picture: UInt8[np.ndarray, "_ _ 3"]) -> list[Message]:
    """A picture, taken now; a protocol without any is blind."""
    return []

  def cut(self, run: str, heard_ms: int) -> list[Message]:
    """That playing was stopped, and what had been heard by then."""
    return []

  def end(self) -> list[Message]:
    """What is said last."""
    return []


class Live(Wire):
  """OpenAI Live."""

  protocol = "live"
  rate = 16_000
  calls = True

  def begin(self, opening: Opening) -> list[Message]:
    """Starts a session."""
    session: dict[str, Any] = {
      "audio": {"format": {"type": "audio/pcm", "rate": self.rate}}
    }
    if opening.model is not None:
      session["model"] = opening.model
    if opening.instructions:
      session["instructions"] = opening.instructions
    if opening.in_step:
      session |= {"extensions": list(_EXTENSIONS), "seed": opening.seed}
    return [_event("session.start", session=session)]

  def hear(self, samples: Float[np.ndarray, " _"]) -> list[Message]:
    """Appends sound."""
    return [_event("session.input_audio.append", audio=_packed(samples))]

  def read(self, speaker: Speaker, text: str) -> list[Message]:
    """Types it, or says it as the application."""
    if speaker == "user":
      return [_event("session.input_text.append", text=text)]
    return [
      _event("session.commentary.append", content=text, delegation_id=None)
    ]

  def see(self, picture: UInt8[np.ndarray, "_ _ 3"]) -> list[Message]:
    """Appends a picture."""
    return [_event("session.input_image.append", image=_jpeg(picture))]

  def end(self) -> list[Message]:
    """Closes the session."""
    return [_event("session.close")]

  def take(self, received: Message) -> list[Told]:
    """Reads an event."""
    fields = _fields(received)
    kind = fields["type"]
    if kind == "session.started":
      return [Told("ready")]
    if kind == "session.output_audio.delta":
      return [Told("sound", _unpacked(fields["delta"]))]
    if kind == "session.output_transcript.delta":
      return [Told("text", text=fields["delta"], span=_span(fields))]
    if kind == "session.channel.delta" and fields["channel"] != "say":
      return [
        Told(
          "text",
          text=fields["delta"],
          channel=fields["channel"],
          span=_span(fields),
        )
      ]
    if kind == "session.microturn":
      return [Told("turn", ms=float(fields["compute_ms"]))]
    if kind == "session.closed":
      raise ConnectionError(f"the session was closed: {fields.get('reason')}")
    if kind == "error":
      raise _error(fields)
    return []


class Realtime(Wire):
  """OpenAI Realtime, as of its general availability."""

  protocol = "realtime"
  rate = 24_000

  def __init__(self, *, in_step: bool = False):
    super().__init__(in_step=in_step)
    if in_step:
      # No sample of a turn may wait in a filter for the next one.
      self.rate = clock.SAMPLE_RATE

  def begin(self, opening: Opening) -> list[Message]:
    """Sets the session."""
    pcm = {"format": {"type": "audio/pcm", "rate": self.rate}}
    session: dict[str, Any] = {
      "type": "realtime",
      "output_modalities": ["audio"],
      "audio": {"input": pcm, "output": pcm},
    }
    if opening.instructions:
      session["instructions"] = opening.instructions
    if opening.in_step:
      session["extensions"] = list(_EXTENSIONS)
    return [_event("session.update", session=session)]

  def hear(self, samples: Float[np.ndarray, " _"]) -> list[Message]:
    """Appends sound."""
    return [_event("input_audio_buffer.append", audio=_packed(samples))]

  def read(self, speaker: Speaker, text: str) -> list[Message]:
    """An item; what the user types asks for a response."""
    role = "user" if speaker == "user" else "system"
    made: list[Message] = [_item(role, {"type": "input_text", "text": text})]
    return [*made, _event("response.create")] if role == "user" else made

  def see(self, picture: UInt8[np.ndarray, "_ _ 3"]) -> list[Message]:
    """An item with a picture."""
    address = f"data:image/jpeg;base64,{_jpeg(picture)}"
    return [_item("user", {"type": "input_image", "image_url": address})]

  def cut(self, run: str, heard_ms: int) -> list[Message]:
    """Tells how much of an item was heard."""
    return [
      _event(
        "conversation.item.truncate",
        item_id=run,
        content_index=0,
        audio_end_ms=heard_ms,
      )
    ]

  def take(self, received: Message) -> list[Told]:
    """Reads an event."""
    fields = _fields(received)
    kind, run = fields["type"], fields.get("item_id", "")
    if kind == "session.updated":
      return [Told("ready")]
    if kind == "response.output_audio.delta":
      return [Told("sound", _unpacked(fields["delta"]), run=run)]
    if kind == "response.output_audio_transcript.delta":
      return [Told("text", text=fields["delta"], run=run)]
    if kind == "input_audio_buffer.speech_started":
      return [Told("stop")]
    if kind == "response.function_call_arguments.done":
      return [Told("text", text=_call(fields), channel="call")]
    if kind == "session.channel.delta" and fields["channel"] == "show":
      return [Told("text", text=fields["delta"], channel="show")]
    if kind == "session.microturn":
      return [Told("turn", ms=float(fields["compute_ms"]))]
    if kind == "error" and fields["error"].get("code") not in _HARMLESS:
      raise _error(fields)
    return []


class Moshi(Wire):
  """Moshi's socket.

  Raises:
    ModuleNotFoundError: sphn is not installed.
  """

  protocol = "moshi"
  rate = 24_000
  reads = False
  steps = False

  _FRAME: Final = 1920
  """Samples of a frame of Opus, 80 ms; sound waits until there is one."""

  def __init__(self, *, in_step: bool = False):
    import sphn

    super().__init__(in_step=in_step)
    self._reader: Any = sphn.OpusStreamReader(self.rate)
    self._writer: Any = sphn.OpusStreamWriter(self.rate)
    self._waiting = np.zeros(0, np.float32)
    self._answers = False

  def begin(self, opening: Opening) -> list[Message]:
    """Nothing: the server says hello."""
    if opening.instructions:
      return self.read("instruction", opening.instructions)
    return []

  def hear(self, samples: Float[np.ndarray, " _"]) -> list[Message]:
    """Frames of Opus."""
    self._waiting = np.concatenate([self._waiting, samples])
    messages: list[Message] = []
    while len(self._waiting) >= self._FRAME:
      frame = np.ascontiguousarray(self._waiting[: self._FRAME], np.float32)
      self._waiting = self._waiting[self._FRAME :]
      packed = self._writer.append_pcm(frame)
      if packed:
        messages.append(b"\x01" + packed)
    return messages

  def take(self, received: Message) -> list[Told]:
    """Reads a message: a byte that says what, and the thing itself."""
    if isinstance(received, str) or not received:
      raise ConnectionError(f"the server speaks no Moshi: {received[:60]!r}")
    kind, content = received[0], received[1:]
    if kind == 0:
      return [Told("ready")]
    if kind in (1, 2):
      self._answers = True
    if kind == 1:
      made = self._reader.append_bytes(content)
      if made is None or not len(made):
        return []
      return [Told("sound", np.asarray(made, np.float32))]
    if kind == 2:
      return [Told("text", text=content.decode("utf-8", "replace"))]
    if kind == 5:
      said = content.decode("utf-8", "replace")
      # There are no codes of errors; before any sound it is mostly this one.
      refused = ConnectionError if self._answers else FullError
      raise refused(f"the server says {said}")
    return []


WIRES: Final[Mapping[str, type[Wire]]] = {
  "/live/sessions": Live,
  "/realtime": Realtime,
  "/api/chat": Moshi,
}
"""By how the path of an address ends."""


def _event(kind: str, **fields: Any) -> str:
  return json.dumps({"type": kind, **fields})


def _item(role: str, part: Mapping[str, Any]) -> str:
  item = {"type": "message", "role": role, "content": [part]}
  return _event("conversation.item.create", item=item)


def _fields(received: Message) -> dict[str, Any]:
  try:
    fields = json.loads(received)
    fields["type"]
  except (ValueError, TypeError, KeyError) as error:
    raise ConnectionError(
      f"the server sent what is no event: {received[:60]!r}"
    ) from error
  return fields


def _packed(samples: Float[np.ndarray, " _"]) -> str:
  return base64.b64encode(sound.pcm(samples)).decode()


def _unpacked(delta: str) -> Float[np.ndarray, " _"]:
  try:
    return sound.samples(base64.b64decode(delta))
  except (ValueError, Refusal) as error:
    raise ConnectionError(f"the server's sound is damaged: {error}") from error


def _jpeg(picture: UInt8[np.ndarray, "_ _ 3"]) -> str:
  from PIL import Image

  file = io.BytesIO()
  Image.fromarray(picture).save(file, "JPEG", quality=90)
  return base64.b64encode(file.getvalue()).decode()


def _span(fields: Mapping[str, Any]) -> tuple[float, float] | None:
  if "start_ms" not in fields or "end_ms" not in fields:
    return None
  return fields["start_ms"] / 1000, fields["end_ms"] / 1000


def _call(fields: Mapping[str, Any]) -> str:
  """A call of a function as models of this library write it."""
  try:
    arguments = dict(json.loads(fields.get("arguments") or "{}"))
  except (ValueError, TypeError):
    arguments = {"arguments": fields["arguments"]}
  return json.dumps({"tool": fields.get("name"), **arguments})


def _error(fields: Mapping[str, Any]) -> ConnectionError:
  error = fields.get("error") or {}
  kind = FullError if error.get("code") == "server_full" else ConnectionError
  return kind(f"the server says {error.get('message') or error}")
