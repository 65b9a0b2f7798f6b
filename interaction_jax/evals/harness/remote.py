"""A server that is put to the test: everything goes over a socket, in time.

    real   a piece of sound when it would have been spoken; what comes back is
           heard when it is there, as by anybody who calls: the network counts
    step   a turn of sound, and the next one once the server says that it is
           over: faster than time, and the same again; for servers of this
           library, over Live and Realtime

Items with pictures show them, those with typed text type it, where a protocol
has a way.
"""

import asyncio
import dataclasses
import time
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import numpy as np
from jaxtyping import Float

from interaction_jax.data import resample
from interaction_jax.data.record import Record, Speaker
from interaction_jax.evals.harness import system, wire
from interaction_jax.evals.harness.item import Item, Partner, Recorded, Tools
from interaction_jax.evals.harness.output import Output, Word
from interaction_jax.evals.harness.playback import Playback
from interaction_jax.evals.harness.wire import (
  FullError,
  Opening,
  Told,
  Wire,
)
from interaction_jax.serve.events import Event, Kind
from interaction_jax.turns import clock

_PACES: Final = ("real", "step")

_PIECE_MS: Final = 40
"""Sound of a message in real time; a partner who reacts speaks in turns."""

_PATIENCE_S: Final = 60.0
"""For a server to begin, and to say that a turn is over."""

_PAUSES_S: Final = (0.3, 0.6, 1.2, 2.4, 4.8, 9.6)
"""Before a server that would not begin is asked again."""

_FAREWELL_S: Final = 5.0
"""For a server to close a session that is over."""

_PICTURE_S: Final = {"live": 0.0, "realtime": 1.0}
"""From one picture to the next, at least; others see none."""

_CANVAS: Final = (240, 320)


class Remote:
  """A server at an address."""

  def __init__(
    self,
    address: str,
    *,
    pace: str = "real",
    model: str | None = None,
    token: str | None = None,
  ):
    """Names a server; nothing is sent.

    Args:
      address: of a socket; its path says the protocol.
      model: there, where a server has several.
      token: that lets one in.

    Raises:
      ValueError: it is no address of a protocol, or cannot be kept in step.
    """
    if pace not in _PACES:
      raise ValueError(
        f"pace={pace!r} is not known; there is {', '.join(_PACES)}."
      )
    parts = urlsplit(address)
    path = parts.path.rstrip("/")
    ends = [end for end in wire.WIRES if path.endswith(end)]
    if parts.scheme not in ("ws", "wss") or not parts.netloc or not ends:
      raise ValueError(
        f"server={address!r} is no address of a protocol that is spoken here; "
        "wanted is ws://HOST or wss://HOST with /v1/live/sessions, "
        "/v1/realtime or /api/chat."
      )
    self._make = wire.WIRES[ends[0]]
    known = self._make
    if pace == "step" and not known.steps:
      raise ValueError(
        f"pace='step': nobody is told over {known.protocol} when a turn is "
        "over; pace='real' is for all."
      )
    self._parts, self._pace, self._model = parts, pace, model
    self._headers = {"Authorization": f"Bearer {token}"} if token else {}

  def describe(self) -> dict[str, Any]:
    """Where it is, and how it is spoken to; no token."""
    known = self._make
    place = f"{self._parts.netloc}{self._parts.path}"
    told = f"{place} {self._model} {self._pace}"
    return {
      "name": self._model or self._parts.netloc,
      "digest": f"{zlib.crc32(told.encode()):08x}",
      "address": f"{self._parts.scheme}://{place}",
      "protocol": known.protocol,
      "pace": self._pace,
    }

  def problems(self, items: Sequence[Item]) -> list[str]:
    """Items with text or calls, where the protocol has none."""
    known, found = self._make, []
    for item in items:
      if item.tools is not None and not known.calls:
        found.append(f"{item.key}: {known.protocol} answers no calls")
      elif not known.reads and _has_text(item):
        found.append(f"{item.key}: {known.protocol} reads no text")
    return found

  def perform(
    self, items: Sequence[Item], *, seed: int, batch: int
  ) -> Iterator[tuple[Item, Output]]:
    """Those of like length at once, each in a session of its own.

    Raises:
      ConnectionError: the server is not there, or ended a session; what is
        done by then comes first.
    """
    ordered = sorted(items, key=lambda item: (item.seconds, item.key))
    for first in range(0, len(ordered), batch):
      part = ordered[first : first + batch]
      # What takes long is done before any clock runs.
      given = [_given(item) for item in part]
      made = asyncio.run(self._together(part, given, seed))
      for item, one in zip(part, made, strict=True):
        if isinstance(one, Output):
          yield item, one
      for item, one in zip(part, made, strict=True):
        if isinstance(one, OSError):
          raise ConnectionError(f"{item.key}: {one}") from one
        if isinstance(one, BaseException):
          raise one

  async def _together(
    self, items: Sequence[Item], given: Sequence["_Given"], seed: int
  ) -> list[Output | BaseException]:
    return await asyncio.gather(
      *(
        self._one(item, one, system.seed_of(item, seed))
        for item, one in zip(items, given, strict=True)
      ),
      return_exceptions=True,
    )

  async def _one(self, item: Item, given: "_Given", seed: int) -> Output:
    """A session; a server that has no room yet is asked again a few times."""
    opening = Opening(
      self._model, given.instructions, seed, self._pace == "step"
    )
    for pause in (*_PAUSES_S, None):
      call = _Call(self._make(in_step=opening.in_step), given, opening)
      try:
        return await self._connected(call)
      except ConnectionRefusedError:
        raise
      except FullError:
        # Some begin, and say so, before they look for room.
        if pause is None:
          raise
        await asyncio.sleep(pause)
        # Something may have been said to it, and all of that is said again.
        given = await asyncio.to_thread(_given, item)
      except ConnectionError:
        if call.has_begun or pause is None:
          raise
        await asyncio.sleep(pause)
    raise AssertionError("the last failure is raised")

  async def _connected(self, call: "_Call") -> Output:
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    try:
      async with connect(
        self._url(call.wire),
        additional_headers=self._headers,
        open_timeout=_PATIENCE_S,
        max_size=None,
        compression=None,
      ) as socket:
        return await call.run(socket)
    except WebSocketException as error:
      raise ConnectionError(f"the connection failed: {error}") from error

  def _url(self, spoken: Wire) -> str:
    query = dict(parse_qsl(self._parts.query))
    if spoken.protocol == "realtime" and self._model is not None:
      query.setdefault("model", self._model)
    return urlunsplit(self._parts._replace(query=urlencode(query)))


@dataclasses.dataclass(frozen=True, eq=False)
class _Given:
  """What is done to a server in an item.

  Attributes:
    texts: what is typed, and when, in samples, in order.
    pictures: what is shown, likewise.
  """

  partner: Partner
  num_samples: int
  reacts: bool
  instructions: str
  texts: tuple[tuple[int, Speaker, str], ...]
  pictures: tuple[tuple[int, np.ndarray], ...]
  tools: Tools | None


def _has_text(item: Item) -> bool:
  return item.partner is None and bool(item.open((0, 0)).text_in)


def _given(item: Item) -> _Given:
  num = round(item.seconds * clock.SAMPLE_RATE)
  tools = None if item.tools is None else item.tools()
  if item.partner is not None:
    return _Given(item.partner(), num, True, "", (), (), tools)
  record = item.open(_CANVAS)
  texts: list[tuple[int, Speaker, str]] = []
  told = []
  for one in record.text_in:
    if one.speaker == "instruction":
      told.append(one.text)
    else:
      texts.append((one.at, one.speaker, one.text))
  return _Given(
    Recorded(record.heard),
    min(num, len(record.heard)),
    False,
    " ".join(told),
    tuple(texts),
    _pictures(record),
    tools,
  )


def _pictures(record: Record) -> tuple[tuple[int, np.ndarray], ...]:
  times = record.frame_times.tolist()
  return tuple(zip(times, record.frames, strict=True))


class _Call:
  """One session, from its beginning to the end of an item.

  Attributes:
    wire: how its server is spoken to.
  """

  def __init__(self, spoken: Wire, given: _Given, opening: Opening):
    self.wire, self._given, self._opening = spoken, given, opening
    self._in_step = opening.in_step
    self._socket: Any = None
    self._play = Playback(spoken.rate)
    self._texts, self._pictures = list(given.texts), list(given.pictures)
    self._events: list[Event] = []
    self._turn_ms: list[float] = []
    self._heard: list[np.ndarray] = []
    self._ready = asyncio.Event()
    self._turned: asyncio.Queue[None] = asyncio.Queue()
    self._began, self._sent, self._shown = 0.0, 0, -float("inf")
    self._resampler = resample.Resampler(clock.SAMPLE_RATE, spoken.rate)

  @property
  def has_begun(self) -> bool:
    """Whether the server hears."""
    return self._ready.is_set()

  async def run(self, socket: Any) -> Output:
    """Says all there is to say; returns what came of it.

    Raises:
      ConnectionError: the server ended it, or said nothing for long.
    """
    self._socket = socket
    await self._send(self.wire.begin(self._opening))
    listening = asyncio.create_task(self._listen())
    try:
      await self._until(self._ready.wait(), listening, "did not begin")
      self._began = time.monotonic()
      async for turn in self._turns(listening):
        await self._send(self._due(self._sent))
        await self._send(self.wire.hear(self._resampled(turn)))
        if self._in_step:
          await self._until(
            self._turned.get(), listening, "said of no turn that it is over"
          )
      made = self._output()
      farewell = self.wire.end()
      await self._send(farewell)
      if farewell:
        # Then there is room for the next one.
        await asyncio.wait({listening}, timeout=_FAREWELL_S)
      return made
    finally:
      listening.cancel()
      await asyncio.gather(listening, return_exceptions=True)

  async def _turns(
    self, listening: asyncio.Task[None]
  ) -> AsyncIterator[Float[np.ndarray, " _"]]:
    """Pieces of what the user says, each when it has been said."""
    given, begin = self._given, 0
    whole = given.reacts or self._in_step
    num = clock.num_turns(given.num_samples)
    for turn in range(num):
      if whole:
        await self._wait(begin + clock.SAMPLES, listening)
      heard = self._play.between(*_seconds(begin, begin + clock.SAMPLES))
      sound = given.partner.speak(self._for_partner(heard))
      given.partner.wants()
      if sound is None:
        return
      self._heard.append(sound)
      size = len(sound) if whole else _PIECE_MS * clock.SAMPLE_RATE // 1000
      for first in range(0, len(sound), size):
        piece = sound[first : first + size]
        self._sent = begin + first + len(piece)
        if not whole:
          await self._wait(self._sent, listening)
        yield piece
      begin = (turn + 1) * clock.SAMPLES

  def _for_partner(
    self, heard: Float[np.ndarray, " _"]
  ) -> Float[np.ndarray, " _"]:
    """A turn that was heard, at 16 kHz; silence for one who does not react."""
    if not self._given.reacts:
      return np.zeros(clock.SAMPLES, np.float32)
    return _resampled(heard, self.wire.rate, clock.SAMPLES)

  async def _wait(self, sample: int, listening: asyncio.Task[None]) -> None:
    """Until a sample would have been spoken."""
    if not self._in_step:
      late = sample / clock.SAMPLE_RATE - (time.monotonic() - self._began)
      await asyncio.sleep(max(late, 0))
    if listening.done():
      listening.result()
      raise ConnectionError("the server has gone")

  async def _until(
    self, waited: Any, listening: asyncio.Task[None], what: str
  ) -> None:
    """Until something happens, or the server has gone."""
    task = asyncio.ensure_future(waited)
    done, _ = await asyncio.wait(
      {task, listening},
      timeout=_PATIENCE_S,
      return_when=asyncio.FIRST_COMPLETED,
    )
    if task in done:
      return
    task.cancel()
    if listening in done:
      listening.result()
      raise ConnectionError("the server has gone")
    raise ConnectionError(f"the server {what} within {_PATIENCE_S:.0f} s")

  async def _send(self, messages: Sequence[wire.Message]) -> None:
    for message in messages:
      await self._socket.send(message)

  async def _listen(self) -> None:
    async for received in self._socket:
      for told in self.wire.take(received):
        await self._note(told)

  @property
  def _now(self) -> float:
    if self._in_step:
      return self._sent / clock.SAMPLE_RATE
    return time.monotonic() - self._began if self._began else 0.0

  async def _note(self, told: Told) -> None:
    if told.kind == "ready":
      self._ready.set()
    elif told.kind == "sound" and told.samples is not None:
      self._play.play(told.samples, self._now, run=told.run)
    elif told.kind == "stop":
      stopped = self._play.stop(self._now)
      if stopped is not None:
        await self._send(self.wire.cut(stopped.run, stopped.ms))
    elif told.kind == "turn":
      self._turn_ms.append(told.ms)
      self._turned.put_nowait(None)
    elif told.kind == "text":
      self._note_text(told)

  def _note_text(self, told: Told) -> None:
    begin, end = told.span or (self._now, self._now + clock.seconds(1))
    if begin >= self._given.num_samples / clock.SAMPLE_RATE:
      # Nobody hears it any more.
      return
    if told.channel != "say":
      self._events.append(_event(begin, told.channel, told.text))
    elif told.run:
      self._play.tell_of(told.run, told.text)
    else:
      self._play.tell(told.text, begin, end)
    if told.channel == "call" and self._given.tools is not None:
      for at, text in self._given.tools.write(begin, told.text):
        sample = round(at * clock.SAMPLE_RATE)
        self._texts.append((sample, "background", text))
      self._texts.sort(key=lambda one: one[0])

  def _due(self, sample: int) -> list[wire.Message]:
    """What is typed and shown before a sample."""
    messages: list[wire.Message] = []
    while self._texts and self._texts[0][0] < sample:
      _, speaker, text = self._texts.pop(0)
      messages += self.wire.read(speaker, text)
    pause = _PICTURE_S.get(self.wire.protocol, float("inf"))
    while self._pictures and self._pictures[0][0] < sample:
      at, picture = self._pictures.pop(0)
      if at / clock.SAMPLE_RATE >= self._shown + pause - 1e-6:
        self._shown = at / clock.SAMPLE_RATE
        messages += self.wire.see(picture)
    return messages

  def _resampled(
    self, piece: Float[np.ndarray, " _"]
  ) -> Float[np.ndarray, " _"]:
    if self.wire.rate == clock.SAMPLE_RATE:
      return piece
    return self._resampler.push(piece)

  def _output(self) -> Output:
    num = self._given.num_samples
    none = [np.zeros(0, np.float32)]
    other = None
    if self._given.reacts:
      other = np.concatenate(self._heard or none)
      num = min(num, len(other))
    seconds = num / clock.SAMPLE_RATE
    voice = self._play.between(0.0, seconds)
    voice = _resampled(voice, self.wire.rate, num)
    words = [
      Word(one.text, one.start, min(one.end, seconds))
      for one in self._play.words()
      if one.start < seconds
    ]
    said = [_event(one.start, "say", f" {one.text}") for one in words]
    events = sorted([*said, *self._events], key=lambda event: event.t)
    return Output(
      voice,
      tuple(words),
      tuple(event for event in events if event.t < seconds),
      tuple(self._turn_ms),
      other,
      tuple(self._given.partner.said()),
    )


def _seconds(first: int, last: int) -> tuple[float, float]:
  return first / clock.SAMPLE_RATE, last / clock.SAMPLE_RATE


def _resampled(
  sound: Float[np.ndarray, " _"], rate: int, num: int
) -> Float[np.ndarray, " _"]:
  """All of a sound at 16 kHz, in so many samples."""
  if rate != clock.SAMPLE_RATE:
    sound = resample.convert(sound, rate)
  made = np.zeros(num, np.float32)
  made[: min(num, len(sound))] = sound[:num]
  return made


def _event(t: float, kind: Kind, text: str) -> Event:
  turn = max(clock.turn_at(max(t, 0.0)) - 1, 0)
  return Event(round(t, 3), turn, kind, {"text": text})
