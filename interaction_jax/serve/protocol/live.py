"""OpenAI Live, `/v1/live/sessions`: sound goes both ways all the time.

    session.start                ->  session.started
    session.input_audio.append   ->  (nothing)
                                     session.output_audio.delta, each 200 ms
                                     session.output_transcript.delta  (`say`)
                                     session.input_transcript.delta (captions)
                                     session.delegation.created  (`delegate`)
    session.close                ->  session.closed

Text is JSON, one event a message; sound is base64 of PCM16 in one channel, at
24 kHz unless `session.audio.format.rate` says 16000. `.../{id}/fork` begins
with the past of a session that goes on or was kept (`store`), and
`.../{id}/attach` listens in to one that goes on. What the client delegated
work to itself comes back as `session.commentary.append`.

A model that writes down what it hears, as `nano` does on its `show` channel,
gives the captions; what begins with "{" there is for a screen, and none.

Extensions: whoever does not ask for them never sees one. A page asks in
`session.start`, in which `session` may also hold

    extensions   a list of the names below; `session.started` repeats them
    seed         of all that is drawn; else it is random
    record       true: written down on the server, if it does such a thing

and is then told, beside all the above, in `session.started` how much of the
session was heard already, `session.t_ms`: more than 0 behind a fork; and

    microturn    session.microturn {index, t_ms, state: listen|speak, gate,
                   saw, lost: [sound, pictures], compute_ms, latency_ms,
                   deadline_ms}: one for each turn, the last that is told of
                   it; t_ms is when it is audible, saw whether there was a
                   pair of pictures
    channels     session.channel.delta {channel: say|show|call|delegate,
                   delta, start_ms, end_ms}: all that the model writes;
                 session.channel.read {channel: user_text|background|
                   call_result, text, about, t_ms}: what it was given to read;
                   about tells of which job it came
    background   session.background.report {job, state, task, text, delivery,
                   shown, t_ms}: the server's background model works on what
                   is delegated, and `session.delegation.created` is not sent;
                   `shown` may hold a chart, and `state` is one of
                   `serve/background/job.py`

Times are of the session: what is said in turn j is audible from 200 (j + 1) ms.
These may be sent by everybody:

    session.input_image.append {image, t_ms?}   JPEG, PNG or WebP, base64 or
                                                data URI; t_ms: when it was
                                                taken, else now
    session.input_text.append {text}            typed by the user
    session.snapshot.create {}   ->  session.snapshot.created {session_id,
                                     t_ms}: something to fork from, later

`session.close` may hold `store: false`: the session is not kept after all,
as a page wants it that asked for `store` to survive a connection that is lost.

A browser, which cannot send a header, gives its token as the subprotocol
`openai-insecure-api-key.TOKEN` beside `realtime`. Nor is it told why a socket
was refused: a plain GET of `/v1/live/sessions`, with the token as its bearer,
answers {status, why}, or status 200 and what there is (`offer`).
"""

import base64
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from interaction_jax.serve.background.job import Report
from interaction_jax.serve.driver import Said
from interaction_jax.serve.events import Event
from interaction_jax.serve.protocol import event, extension, message, work
from interaction_jax.serve.protocol.caption import Captions
from interaction_jax.serve.protocol.guest import Guest
from interaction_jax.serve.protocol.line import Line
from interaction_jax.serve.protocol.lobby import Lobby
from interaction_jax.serve.protocol.message import Fields, Refusal
from interaction_jax.serve.protocol.side import SideTalk
from interaction_jax.serve.protocol.sound import RATES
from interaction_jax.serve.protocol.talk import Talk
from interaction_jax.turns import clock

_PATHS: Final = (
  "session.instructions",
  "session.thinking",
  "session.commentary",
)

_REASONS: Final[Mapping[str, str]] = {
  "asked": "close_requested",
  "closed": "close_requested",
  "idle": "expired",
  "expired": "expired",
  "ended": "expired",
  "shutdown": "expired",
}
"""Of `session.closed`; others are `connection_lost`."""

_USAGE_S: Final = 10
"""Seconds of a session from one `session.usage.updated` to the next."""

_HISTORY: Final = 128


class LiveTalk(Talk):
  """A connection that has the session."""

  protocol = "live"

  def __init__(self, lobby: Lobby, line: Line, owner: str):
    super().__init__(lobby, line, owner)
    self._session: dict[str, Any] = {}
    self._extensions: frozenset[str] = frozenset()
    self._sides: set[SideTalk] = set()
    self._delegated = ""
    self._delegations: set[str] = set()
    self._captions = Captions()
    self._closing: str | None = None

  async def hear(self, received: str | bytes) -> None:
    """Does what an event asks for."""
    fields = message.parse(received)
    kind = fields.get("type", str)
    if self.guest is None:
      if kind != "session.start":
        raise Refusal(
          "session_not_started",
          "The first event must be session.start.",
          "type",
        )
      await self._start(fields)
    elif kind == "session.start":
      raise Refusal("session_already_started", "The session has begun.", "type")
    elif kind == "session.input_audio.append":
      content = fields.content("audio")
      self._reflect(content)
      await self.guest.hear(content)
    else:
      await self.command(self.guest, kind, fields)

  async def command(self, guest: Guest, kind: str, fields: Fields) -> None:
    """Does what an event asks for that a sideband may send as well."""
    appended = kind.removesuffix(".append")
    if kind.endswith(".append") and appended in _PATHS:
      await self._append(guest, appended, fields)
      return
    do = _COMMANDS.get(kind)
    if do is None:
      raise Refusal(
        "unknown_event_type",
        f"{kind[:60]!r} is no event that this server knows.",
        "type",
      )
    await do(self, guest, fields)

  async def refuse(self, refusal: Refusal, received: str | bytes) -> None:
    """Sends an `error`."""
    await self.line.send(
      event.error(refusal, received, cause="client_event_id")
    )

  async def tell(self, guest: Guest, said: Said) -> None:
    """Sends what a turn made."""
    turn = said.turn
    span = extension.span(turn.index)
    voice = guest.voice(said)
    delta = base64.b64encode(voice).decode()
    await self.line.send({"type": "session.output_audio.delta", "delta": delta})
    self._tell_sides(guest, said, span)
    delegates = False
    for told in said.events:
      delegates |= told.kind in ("delegate", "call")
      await self._tell_event(told, span)
    if not delegates and self._delegated and guest.live.clerk is None:
      await self._delegate(span["start_ms"])
    deadline_ms = self.lobby.check_ready().pace.deadline_ms
    for one in extension.events(
      said, self._extensions, deadline_ms=deadline_ms
    ):
      await self._send(one)
    if (turn.index + 1) % (1000 * _USAGE_S // clock.TURN_MS) == 0:
      await self.emit("session.usage.updated", usage=_usage(turn.index))

  async def part(self, guest: Guest | None, reason: str) -> None:
    """Sends `session.closed`."""
    if guest is not None:
      await self.emit(
        "session.closed",
        client_event_id=self._closing,
        reason=_REASONS.get(reason, "connection_lost"),
        session=self._session,
        usage={"seconds": math.ceil(guest.heard_s)},
      )
    for side in list(self._sides):
      side.finish("asked")

  def told(self) -> dict[str, Any]:
    """What a fork inherits."""
    return {
      "rate": self._session.get("audio", {}).get("format", {}).get("rate"),
      "store": self._session.get("store"),
      "instructions": self._session.get("instructions"),
    }

  async def emit(
    self, kind: str, *, client_event_id: str | None = None, **fields: Any
  ) -> None:
    """Sends an event to the client and to all who listen in."""
    told = event.event(kind, **fields)
    if client_event_id is not None:
      told["client_event_id"] = client_event_id
    await self._send(told)

  def attach(self, guest: Guest, line: Line) -> SideTalk:
    """Somebody listens in from now on."""
    side = SideTalk(self.lobby, line, self.owner, heard=guest, do=self.command)
    self._sides.add(side)
    return side

  def detach(self, side: SideTalk) -> None:
    """And does not any more."""
    self._sides.discard(side)

  async def _send(self, told: Mapping[str, Any]) -> None:
    for side in self._sides:
      side.put(told)
    await self.line.send(told)

  def _wants_help(self, session: Mapping[str, Any]) -> bool:
    """Whether the server's background model does what is delegated."""
    asked = "background" in self._extensions
    return asked or session["delegation"]["type"] == "responses"

  def _hear_of_work(self, report: Report) -> None:
    """Passes on what a job has come to, soon and in order."""
    at_ms = 0 if self.guest is None else round(1000 * self.guest.heard_s)
    told = []
    if self._session["delegation"]["type"] == "responses":
      told += work.events(report, at_ms)
    if "background" in self._extensions:
      told.append(extension.report(report, at_ms))
    for one in told:
      self.spawn(self._send(one))

  async def _start(self, fields: Fields) -> None:
    given = fields.object("session", needed=True)
    snapshot, told = None, {}
    if "origin" in self.line.path:
      origin = self.line.path["origin"]
      snapshot, told = await self.lobby.past(origin, self.owner)
    session = self._resolve(given, told)
    history = list(_history(given))
    guest = await self.lobby.open(
      self.owner,
      rate=session["audio"]["format"]["rate"],
      instructions=None if snapshot else session.get("instructions"),
      seed=given.maybe("seed", int),
      snapshot=snapshot,
      store=session["store"],
      record=given.get("record", bool, False),
      protocol=self.protocol,
      on_report=self._hear_of_work if self._wants_help(session) else None,
    )
    # It is left from now on, whatever happens before it begins.
    self.guest = guest
    began = int(guest.began)
    self._session = {
      "id": guest.id,
      "object": "live.session",
      "status": "active",
      "expires_at": began + int(self.lobby.cfg.session_s),
      **session,
    }
    if self._extensions:
      self._session["t_ms"] = round(1000 * guest.heard_s)
    await self.emit(
      "session.started",
      client_event_id=fields.maybe("event_id", str),
      session=self._session,
    )
    if self._wants_help(session) and guest.live.clerk is None:
      await self.emit(
        "info",
        code="no_background_model",
        message="This server has no background model; nothing is delegated.",
      )
    self.begin(guest)
    for who, text in history:
      await guest.read(text, param="session.input", typed=who == "user")

  def _resolve(self, given: Fields, told: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a session, from what was asked and is inherited."""
    rate = given.object("audio").object("format")
    if rate.get("type", str, "audio/pcm") != "audio/pcm":
      rate.refuse("type", "is not spoken here; 'audio/pcm' is")
    hertz = rate.get("rate", int, told.get("rate") or RATES[-1])
    if hertz not in RATES:
      rate.refuse("rate", "must be 16000 or 24000")
    delegation = given.object("delegation")
    target = delegation.get("type", str, "client")
    if target not in ("client", "responses"):
      delegation.refuse(
        "type", "is not done here; 'client' and 'responses' are"
      )
    extensions = []
    for name in given.get("extensions", list, []):
      if name not in extension.NAMES:
        given.refuse("extensions", f"may hold {', '.join(extension.NAMES)}")
      extensions.append(name)
    self._extensions = frozenset(extensions)
    given.maybe("model", str)
    instructions = given.get("instructions", str, "")
    session = {
      "model": self.lobby.check_ready().model.name,
      "audio": {
        "format": {"type": "audio/pcm", "rate": hertz},
        "output": {"voice": "own"},
      },
      "delegation": {"type": target},
      "instructions": instructions or told.get("instructions"),
      "store": given.get("store", bool, bool(told.get("store"))),
    }
    if extensions:
      session["extensions"] = sorted(self._extensions)
    return session

  async def _append(self, guest: Guest, path: str, fields: Fields) -> None:
    """Context from the application, or the result of what was delegated."""
    delegation = fields.maybe("delegation_id", str)
    if delegation is not None and delegation not in self._delegations:
      raise Refusal(
        "delegation_not_found",
        f"There is no delegation {delegation[:60]!r}.",
        "delegation_id",
      )
    await guest.read(fields.get("content", str), param="content")
    now = round(1000 * guest.heard_s)
    await self.emit(
      f"{path}.appended",
      client_event_id=fields.maybe("event_id", str),
      start_ms=now,
      end_ms=now,
    )

  async def _mute(self, guest: Guest, fields: Fields) -> None:
    await self._set_muted(guest, fields, muted=True)

  async def _unmute(self, guest: Guest, fields: Fields) -> None:
    await self._set_muted(guest, fields, muted=False)

  async def _set_muted(
    self, guest: Guest, fields: Fields, *, muted: bool
  ) -> None:
    guest.muted = muted
    await self.emit(
      f"session.input_audio.{'muted' if muted else 'unmuted'}",
      client_event_id=fields.maybe("event_id", str),
    )

  async def _update(self, guest: Guest, fields: Fields) -> None:
    given = fields.object("session", needed=True)
    for name in given.values:
      if name != "delegation":
        given.refuse(name, "does not change after the start")
    delegation = given.object("delegation")
    target = self._session["delegation"]["type"]
    if delegation.get("type", str, target) != target:
      delegation.refuse("type", f"does not change; it is {target!r}")
    await self.emit(
      "session.updated",
      client_event_id=fields.maybe("event_id", str),
      session=self._session,
    )

  async def _see(self, guest: Guest, fields: Fields) -> None:
    at_ms = fields.maybe("t_ms", float)
    if at_ms is not None and not 0 <= at_ms < 1000 * (guest.heard_s + 60):
      fields.refuse("t_ms", "is no time of the session")
    await guest.see(
      fields.get("image", str), at_s=None if at_ms is None else at_ms / 1000
    )

  async def _read(self, guest: Guest, fields: Fields) -> None:
    await guest.read(fields.get("text", str), typed=True)

  async def _keep(self, guest: Guest, fields: Fields) -> None:
    name = await self.lobby.keep(guest, self.told())
    await self.emit(
      "session.snapshot.created",
      client_event_id=fields.maybe("event_id", str),
      session_id=name,
      t_ms=round(1000 * guest.heard_s),
    )

  async def _close(self, guest: Guest, fields: Fields) -> None:
    self._closing = fields.maybe("event_id", str)
    guest.store = fields.get("store", bool, guest.store)
    self.finish("asked")

  async def _tell_event(self, told: Event, span: Mapping[str, Any]) -> None:
    text = told.payload.get("text", "")
    if told.kind == "say":
      await self.emit("session.output_transcript.delta", delta=text, **span)
    elif told.kind == "show" and (heard := self._captions.take(text)):
      await self.emit("session.input_transcript.delta", delta=heard, **span)
    elif told.kind in ("delegate", "call"):
      self._delegated += text

  async def _delegate(self, offset_ms: int) -> None:
    """What was delegated is complete: the turn added nothing to it."""
    task, self._delegated = self._delegated.strip(), ""
    if not task:
      return
    name = event.new_id("dlg")
    self._delegations.add(name)
    await self.emit(
      "session.delegation.created",
      offset_ms=offset_ms,
      delegation={"id": name, "type": "delegation", "target": "client"},
    )

  def _reflect(self, content: bytes) -> None:
    for side in self._sides:
      side.hear_along(content)

  def _tell_sides(
    self, guest: Guest, said: Said, span: Mapping[str, Any]
  ) -> None:
    for side in self._sides:
      side.tell_along(said, span)


_COMMANDS: Final = {
  "session.close": LiveTalk._close,
  "session.input_audio.mute": LiveTalk._mute,
  "session.input_audio.unmute": LiveTalk._unmute,
  "session.input_image.append": LiveTalk._see,
  "session.input_text.append": LiveTalk._read,
  "session.snapshot.create": LiveTalk._keep,
  "session.update": LiveTalk._update,
}


def find(lobby: Lobby, name: str, owner: str) -> tuple[LiveTalk, Guest]:
  """The connection that has a session.

  Raises:
    Refusal: there is none, or it is somebody else's.
  """
  guest = lobby.find(name, owner)
  for talk in lobby.talks:
    if isinstance(talk, LiveTalk) and talk.guest is guest:
      return talk, guest
  raise Refusal("session_not_found", "It is no Live session.", "session_id")


def offer(lobby: Lobby) -> dict[str, Any]:
  """What a server has, for a client that has not begun.

  Raises:
    Refusal: it is not ready.
  """
  engine = lobby.check_ready()
  video = engine.model.cfg.video
  return {
    "model": engine.model.name,
    "sessions": engine.num_sessions,
    "slots": engine.num,
    "rates": list(RATES),
    "extensions": list(extension.NAMES),
    "background": lobby.background is not None,
    "video": {
      "width": video.columns * video.patch,
      "height": video.rows * video.patch,
    },
  }


def _history(given: Fields) -> Iterator[tuple[str, str]]:
  """Who said what before the session, as it is read in its first turns."""
  for item in given.objects("input", most=_HISTORY):
    role = item.choice("role", ("assistant", "developer", "user"))
    parts = list(item.objects("content", most=1))
    if not parts:
      item.refuse("content", "must hold one text")
    text = parts[0].get("text", str)
    # A model has no way to read its own words but as those of another.
    yield role, f"assistant: {text}" if role == "assistant" else text


def _usage(turn: int) -> dict[str, int]:
  return {"seconds": (turn + 1) * clock.TURN_MS // 1000}
