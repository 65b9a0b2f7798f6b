"""OpenAI Realtime, `/v1/realtime`: a model that takes no turns, told in turns.

    the model speaks          a response with one item, while sound goes on
    it yields to the user     input_audio_buffer.speech_started
    it is silent              nothing
    input_audio_buffer.commit a mark: what came was heard as it came
    response.create           a response that waits for the model to speak
    response.cancel           the rest of what it is saying is not sent
    conversation.item.create  text and pictures for the next turns; a picture
                              alone asks for no answer
    call, delegate            function_call items, where the client has tools

Events are those of the general availability and no others, and there are few
errors, since some clients give up at the first. Turns advance by sound. While
a response is due and none comes, silence is heard, so that clients which only
type are answered too; but not in place of sound from who is told when each
turn is over, and so keeps the time himself, however slow the machine is.

`extensions` in the session, or `?duplex=1` for `microturn` alone, ask for the
events that `protocol/live.py` lists. Pictures also come as
`input_image_buffer.append {image, t_ms?}` and as
`input_audio_buffer.append_video_frame {video_frame}`.
"""

import asyncio
import collections
import json
import time
from typing import Any, Final

from interaction_jax.serve.background.job import Report
from interaction_jax.serve.driver import Said
from interaction_jax.serve.protocol import extension, message, setting
from interaction_jax.serve.protocol.caption import Captions
from interaction_jax.serve.protocol.event import error, event, new_id
from interaction_jax.serve.protocol.guest import Guest
from interaction_jax.serve.protocol.line import Line
from interaction_jax.serve.protocol.lobby import Lobby
from interaction_jax.serve.protocol.message import Fields, Refusal
from interaction_jax.serve.protocol.reply import Reply, Status
from interaction_jax.serve.protocol.talk import Talk
from interaction_jax.serve.protocol.user import User
from interaction_jax.turns import clock

_PAUSE: Final = 2
"""Silent turns that end a response; a shorter pause is part of it."""

_PATIENCE: Final = 30
"""Turns after which a response that was asked for ends without a word."""

_MISSING_S: Final = 0.4
"""Without sound for so long, silence is heard where a response is due."""

_ITEMS: Final = 1000
"""That are remembered, to be asked for."""

_ROLES: Final = ("assistant", "developer", "system", "user")


class RealtimeTalk(Talk):
  """A connection."""

  protocol = "realtime"

  def __init__(self, lobby: Lobby, line: Line, owner: str):
    super().__init__(lobby, line, owner)
    self._session = setting.usual(
      new_id("sess"),
      lobby.check_ready().model.name,
      lasts_s=lobby.cfg.session_s,
    )
    if line.query.get("duplex") == "1":
      self._session["extensions"] = ["microturn"]
    self._conversation = new_id("conv")
    self._items: collections.OrderedDict[str, dict[str, Any]]
    self._items = collections.OrderedDict()
    self._last: str | None = None
    self._reply: Reply | None = None
    self._user = User()
    self._captions = Captions()
    self._ahead, self._call, self._task = "", "", ""
    self._quiet = self._waited = 0
    self._silenced = False
    self._came, self._has_sound = time.monotonic(), False

  async def welcome(self) -> None:
    """Sends `session.created`."""
    await self._emit(event("session.created", session=self._session))

  async def hear(self, received: str | bytes) -> None:
    """Does what an event asks for."""
    fields = message.parse(received)
    kind = fields.get("type", str)
    do = _COMMANDS.get(kind)
    if do is None:
      raise Refusal(
        "invalid_value", f"{kind[:60]!r} is no event of this server.", "type"
      )
    await do(self, fields)

  async def refuse(self, refusal: Refusal, received: str | bytes) -> None:
    """Sends an `error`."""
    await self.line.send(error(refusal, received, cause="event_id"))

  async def tell(self, guest: Guest, said: Said) -> None:
    """Sends what a turn made."""
    turn = said.turn
    voice = guest.voice(said)
    texts = {"say": "", "show": "", "call": "", "delegate": ""}
    for one in said.events:
      if one.kind in texts:
        texts[one.kind] += one.payload["text"]
    self._ahead += texts["say"]
    spoke = self._reply is not None and self._reply.spoken is not None
    await self._speak(voice, speaks=turn.speaks, num_tokens=len(turn.text))
    over = spoke and self._reply is None
    await self._work(texts["call"], texts["delegate"])
    await self._hear_of_user(guest, self._captions.take(texts["show"]), over)
    asked = self._session.get("extensions", ())
    deadline_ms = self.lobby.check_ready().pace.deadline_ms
    for told in extension.events(said, asked, deadline_ms=deadline_ms):
      await self._emit(told)

  async def part(self, guest: Guest | None, reason: str) -> None:
    """Says no more than why, and only where the client did not ask."""
    if self._reply is not None:
      await self._end("incomplete")
    if reason == "expired":
      await self.refuse(
        Refusal("session_expired", "The session has reached its limit."), ""
      )

  async def _need(self) -> Guest:
    """The session, which begins when it is needed first."""
    if self.guest is None:
      audio = self._session["audio"]["input"]["format"]
      self.guest = await self.lobby.open(
        self.owner,
        rate=audio["rate"],
        instructions=self._session["instructions"],
        protocol=self.protocol,
        # Whose tools there are calls them.
        on_report=None if self._session["tools"] else self._hear_of_work,
      )
      self.begin(self.guest)
      self.spawn(self._keep_going(self.guest))
    return self.guest

  def _hear_of_work(self, report: Report) -> None:
    """Passes on what a job has come to, to who asked for that."""
    if "background" in self._session.get("extensions", ()):
      at_ms = 0 if self.guest is None else round(1000 * self.guest.heard_s)
      self.spawn(self._emit(extension.report(report, at_ms)))

  async def _keep_going(self, guest: Guest) -> None:
    """Hears silence where a client that waits for an answer sends nothing."""
    while True:
      await asyncio.sleep(clock.TURN_MS / 1000)
      missing = time.monotonic() - self._came > _MISSING_S
      keeps_time = "microturn" in self._session.get("extensions", ())
      if self._has_sound and keeps_time:
        continue
      if missing and self._reply is not None:
        await guest.hear_nothing(clock.TURN_MS)

  async def _emit(self, told: dict[str, Any]) -> None:
    """Sends an event; items find their place behind the last."""
    if told["type"] == "conversation.item.added":
      told["previous_item_id"] = told["previous_item_id"] or self._last
      name = told["item"]["id"]
      self._last, self._items[name] = name, told
      while len(self._items) > _ITEMS:
        self._items.popitem(last=False)
    elif told["type"] == "conversation.item.done":
      added = self._items.get(told["item"]["id"])
      if added is not None:
        told["previous_item_id"] = added["previous_item_id"]
        added["item"] = told["item"]
    await self.line.send(told)

  async def _emit_all(self, events: list[dict[str, Any]]) -> None:
    for told in events:
      await self._emit(told)

  # What the model does.

  async def _speak(
    self, voice: bytes, *, speaks: bool, num_tokens: int
  ) -> None:
    if not speaks:
      self._silenced = False
    if speaks and not self._silenced:
      if self._reply is None:
        await self._begin()
      assert self._reply is not None, "a response has just begun"
      self._quiet = 0
      await self._say(voice, num_tokens)
    elif self._reply is not None and self._reply.spoken is not None:
      self._quiet += 1
      await self._say(voice, num_tokens)
      if self._quiet >= _PAUSE:
        await self._end("completed")
    elif self._reply is not None:
      self._waited += 1
      if self._waited >= _PATIENCE:
        await self._end("completed")

  async def _begin(self, metadata: Any = None) -> None:
    modality = self._session["output_modalities"][0]
    voice = self._session["audio"]["output"]
    self._reply = Reply(
      modality=modality,
      conversation=self._conversation,
      voice={name: voice[name] for name in ("format", "voice")},
      metadata=metadata,
    )
    self._quiet = self._waited = 0
    await self._emit_all(self._reply.begin())

  async def _say(self, voice: bytes, num_tokens: int) -> None:
    assert self._reply is not None, "nothing is being said"
    text, self._ahead = self._ahead, ""
    ms = clock.TURN_MS
    await self._emit_all(
      self._reply.speak(text, voice, num_tokens=num_tokens, ms=ms)
    )

  async def _end(self, status: Status) -> None:
    assert self._reply is not None, "nothing is being said"
    reply, self._reply = self._reply, None
    await self._emit_all(reply.end(status))

  async def _work(self, call: str, task: str) -> None:
    """Passes on what the model wants to have done, once it is complete."""
    self._call, self._task = self._call + call, self._task + task
    if self._call and not call:
      text, self._call = self._call, ""
      await self._ask_client(*_function(text))
    if self._task and not task:
      text, self._task = self._task.strip(), ""
      await self._ask_client("background", json.dumps({"task": text}))

  async def _ask_client(self, name: str, arguments: str) -> None:
    if name not in [tool["name"] for tool in self._session["tools"]]:
      return
    if self._reply is not None:
      # One response at a time: it is part of the one that is going on.
      await self._emit_all(self._reply.call(name, arguments))
      return
    await self._begin()
    assert self._reply is not None, "a response has just begun"
    await self._emit_all(self._reply.call(name, arguments))
    await self._end("completed")

  async def _hear_of_user(self, guest: Guest, text: str, over: bool) -> None:
    """Tells of the user: what was understood, and that he has the floor."""
    given = self._session["audio"]["input"]
    await self._emit_all(
      self._user.turn(
        text if given["transcription"] is not None else "",
        level_db=guest.level_db,
        now_ms=round(1000 * guest.heard_s),
        yielded=over and given["turn_detection"] is not None,
      )
    )

  # What the client asks for.

  async def _update(self, fields: Fields) -> None:
    given = fields.object("session", needed=True)
    before = self._session["instructions"]
    begun = self.guest is not None
    self._session = setting.changed(self._session, given, begun=begun)
    now = self._session["instructions"]
    if self.guest is not None and now != before:
      await self.guest.read(now, param="session.instructions")
    await self._emit(event("session.updated", session=self._session))

  async def _append(self, fields: Fields) -> None:
    content = fields.content("audio")
    guest = await self._need()
    self._came, self._has_sound = time.monotonic(), True
    await guest.hear(content)

  async def _commit(self, fields: Fields) -> None:
    await self._emit_all(self._user.commit(self._last))

  async def _clear(self, fields: Fields) -> None:
    await self._emit(event("input_audio_buffer.cleared"))

  async def _see(self, fields: Fields) -> None:
    at_ms = fields.maybe("t_ms", float)
    guest = await self._need()
    if at_ms is not None and not 0 <= at_ms < 1000 * (guest.heard_s + 60):
      fields.refuse("t_ms", "is no time of the session")
    at_s = None if at_ms is None else at_ms / 1000
    await guest.see(fields.get("image", str), at_s=at_s)

  async def _see_frame(self, fields: Fields) -> None:
    image = fields.get("video_frame", str)
    await (await self._need()).see(image, param="video_frame")

  async def _create_item(self, fields: Fields) -> None:
    given = fields.object("item", needed=True)
    item = await self._read(given)
    place = fields.maybe("previous_item_id", str)
    place = place if place in self._items else None
    for kind in ("conversation.item.added", "conversation.item.done"):
      await self._emit(event(kind, previous_item_id=place, item=item))

  async def _read(self, given: Fields) -> dict[str, Any]:
    """Hands an item to the model; returns it as it is told again."""
    kind = given.choice(
      "type", ("message", "function_call", "function_call_output"), "message"
    )
    item: dict[str, Any] = {
      "id": given.get("id", str, "")[:128] or new_id("item"),
      "object": "realtime.item",
      "type": kind,
      "status": "completed",
    }
    if kind == "function_call_output":
      output = given.get("output", str)
      guest = await self._need()
      await guest.read(output, param=given.at("output"))
      return item | {"call_id": given.get("call_id", str), "output": output}
    if kind == "function_call":
      # A part of the past, told by a client that remembers it.
      names = ("call_id", "name", "arguments")
      return item | {name: given.get(name, str, "") for name in names}
    item["role"] = role = given.choice("role", _ROLES)
    item["content"] = []
    for part in given.objects("content", most=64):
      item["content"] += await self._read_part(role, part)
    return item

  async def _read_part(self, role: str, part: Fields) -> list[dict[str, Any]]:
    kind = part.choice(
      "type",
      ("input_text", "input_audio", "input_image", "output_text",
       "output_audio", "text"),
    )  # fmt: skip
    if kind == "input_image":
      guest = await self._need()
      await guest.see(part.get("image_url", str), param=part.at("image_url"))
      # Pictures are not sent back: clients do not know them as content.
      return []
    if kind == "input_audio" and part.has("audio"):
      content = part.content("audio")
      self._came = time.monotonic()
      await (await self._need()).hear(content)
    name = "transcript" if kind.endswith("audio") else "text"
    text = part.get(name, str, "")
    if text and not kind.endswith("audio"):
      # A model has no way to read its own words but as those of another.
      told = f"assistant: {text}" if role == "assistant" else text
      guest = await self._need()
      await guest.read(told, param=part.at(name), typed=role == "user")
    return [{"type": kind, name: text}]

  async def _delete_item(self, fields: Fields) -> None:
    name = self._known(fields, "delete")
    del self._items[name]
    await self._emit(event("conversation.item.deleted", item_id=name))

  async def _retrieve_item(self, fields: Fields) -> None:
    item = self._items[self._known(fields, "retrieve")]["item"]
    await self._emit(event("conversation.item.retrieved", item=item))

  async def _truncate_item(self, fields: Fields) -> None:
    name = self._known(fields, "truncate")
    await self._emit(
      event(
        "conversation.item.truncated",
        item_id=name,
        content_index=fields.get("content_index", int, 0),
        audio_end_ms=fields.get("audio_end_ms", int, 0),
      )
    )

  def _known(self, fields: Fields, what: str) -> str:
    name = fields.get("item_id", str)
    if name not in self._items:
      raise Refusal(
        f"item_{what}_invalid_item_id",
        f"There is no item {name[:60]!r}.",
        "item_id",
      )
    return name

  async def _create_response(self, fields: Fields) -> None:
    if self._reply is not None:
      raise Refusal(
        "conversation_already_has_active_response",
        f"The response {self._reply.id} goes on.",
      )
    given = fields.object("response")
    if given.get("conversation", str, "auto") == "none":
      given.refuse("conversation", "cannot be had: there is one conversation")
    guest = await self._need()
    for item in given.objects("input", most=64):
      await self._read(item)
    instructions = given.get("instructions", str, "")
    await guest.read(instructions, param=given.at("instructions"))
    self._silenced = False
    await self._begin(given.maybe("metadata", dict))

  async def _cancel_response(self, fields: Fields) -> None:
    name = fields.maybe("response_id", str)
    if self._reply is None or (name is not None and name != self._reply.id):
      raise Refusal("response_cancel_not_active", "No response goes on.")
    self._silenced, self._ahead = True, ""
    await self._end("cancelled")


_COMMANDS: Final = {
  "session.update": RealtimeTalk._update,
  "input_audio_buffer.append": RealtimeTalk._append,
  "input_audio_buffer.append_video_frame": RealtimeTalk._see_frame,
  "input_audio_buffer.clear": RealtimeTalk._clear,
  "input_audio_buffer.commit": RealtimeTalk._commit,
  "input_image_buffer.append": RealtimeTalk._see,
  "conversation.item.create": RealtimeTalk._create_item,
  "conversation.item.delete": RealtimeTalk._delete_item,
  "conversation.item.retrieve": RealtimeTalk._retrieve_item,
  "conversation.item.truncate": RealtimeTalk._truncate_item,
  "response.cancel": RealtimeTalk._cancel_response,
  "response.create": RealtimeTalk._create_response,
}


def _function(text: str) -> tuple[str, str]:
  """The name and the arguments of a call, {"tool": NAME, ...}."""
  try:
    call = message.parse(text)
    name = call.get("tool", str)
  except Refusal:
    return "", ""
  given = {key: value for key, value in call.values.items() if key != "tool"}
  return name, json.dumps(given)
