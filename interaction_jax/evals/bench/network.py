"""A server among clients who send nonsense, or come and go.

    fuzz     messages of every wrong kind, on all protocols; meanwhile somebody
             talks, and what he hears has the bits it has without them
    churn    sessions that come and go over sockets, a fifth of them cut off

Both run in the process of the server, over real sockets on loopback.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from interaction_jax.evals.bench import machine
from interaction_jax.model.config import SamplingConfig
from interaction_jax.serve import models, server
from interaction_jax.serve.access import Access
from interaction_jax.serve.engine import Engine
from interaction_jax.serve.models import Model
from interaction_jax.serve.pace import PaceConfig
from interaction_jax.serve.protocol.limit import LimitConfig
from interaction_jax.serve.protocol.lobby import Lobby
from interaction_jax.turns import clock

Progress = Callable[[int, int], None]

_LIVE: Final = "/v1/live/sessions"
_PATHS: Final = (_LIVE, "/v1/realtime", "/api/chat")

_PACE_S: Final = 0.02
"""From what a bystander hears to what he says, a tenth of a turn."""

_AT_ONCE: Final = 50
"""Messages of one connection; then another one goes on."""

_KINDS: Final = (
  "session.start", "session.update", "session.close", "session.snapshot.create",
  "session.input_audio.append", "session.input_audio.mute",
  "session.input_image.append", "session.input_text.append",
  "session.instructions.append", "session.thinking.append",
  "input_audio_buffer.append", "input_audio_buffer.commit",
  "input_image_buffer.append", "conversation.item.create",
  "conversation.item.truncate", "conversation.item.retrieve",
  "conversation.item.delete", "response.create", "response.cancel", "", "error",
)  # fmt: skip

_NAMES: Final = (
  "session", "audio", "format", "rate", "type", "item", "content", "role",
  "text", "image", "t_ms", "delegation_id", "event_id", "input", "output",
  "instructions", "extensions", "seed", "store", "item_id", "response", "tools",
  "delegation", "output_modalities", "turn_detection", "image_url", "output",
)  # fmt: skip


def run(
  model: Model,
  *,
  num_messages: int,
  num_clients: int,
  seed: int = 0,
  sampling: SamplingConfig = models.GREEDY,
  progress: Progress | None = None,
) -> dict[str, Any]:
  """Sends so many messages, then lets so many clients come and go.

  Raises:
    ValueError: there is nothing to do.
  """
  if num_messages < 1 or num_clients < 1:
    raise ValueError(
      f"messages={num_messages} and clients={num_clients} must be 1 or more."
    )
  return asyncio.run(
    _run(model, num_messages, num_clients, seed, sampling, progress)
  )


def fuzzed(rng: random.Random) -> str | bytes:
  """A message that no client would send, or hardly any."""
  kind = rng.randrange(10)
  if kind == 0:
    return rng.randbytes(rng.randrange(200))
  if kind == 1:
    return bytes([rng.randrange(9)]) + rng.randbytes(rng.randrange(200))
  if kind == 2:
    return rng.choice(("[", '{"a":', "[[{}")) * rng.randrange(1, 20_000)
  if kind == 3:
    return "".join(chr(rng.randrange(1, 0xD800)) for _ in range(50))
  message = {"type": rng.choice(_KINDS), **_object(rng, 3)}
  text = json.dumps(message)
  if kind == 4:
    return text[: rng.randrange(len(text))]
  if kind == 5:
    return text.replace("null", "NaN").replace('"x"', r'"\ud800"')
  return text


def _object(rng: random.Random, depth: int) -> dict[str, Any]:
  names = rng.sample(_NAMES, rng.randrange(5))
  return {name: _value(rng, depth) for name in names}


def _value(rng: random.Random, depth: int) -> Any:
  kind = rng.randrange(12 if depth else 9)
  if kind < 9:
    return (
      None, True, -1, 10 ** rng.randrange(40), 1e308, "",
      "x" * rng.randrange(9000),
      base64.b64encode(rng.randbytes(rng.randrange(400))).decode(),
      rng.choice(("client", "audio/pcm", "user", "message", "input_text")),
    )[kind]  # fmt: skip
  if kind == 9:
    return [_value(rng, depth - 1) for _ in range(rng.randrange(4))]
  return _object(rng, depth - 1)


async def _run(
  model: Model,
  num_messages: int,
  num_clients: int,
  seed: int,
  sampling: SamplingConfig,
  progress: Progress | None,
) -> dict[str, Any]:
  # As fast as it goes: pace is for clients that mean well, and nobody is
  # turned away because the machine is busy.
  lobby = Lobby(LimitConfig(messages=10**6, messages_per_s=1e6))
  application = server.app(
    lobby,
    Access("127.0.0.1"),
    lambda: Engine(
      model,
      sessions=4,
      sampling=sampling,
      pace=PaceConfig(deadline_ms=60_000.0),
    ),
  )
  serving = server.Server(lobby, application, server.Place(port=0))
  task = asyncio.create_task(serving.serve())
  try:
    while lobby.engine is None:
      if task.done():
        await task
      await asyncio.sleep(0.01)
    port = serving.servers[0].sockets[0].getsockname()[1]
    at = f"ws://127.0.0.1:{port}"
    over = asyncio.Event()
    beside = asyncio.create_task(_bystander(at, over))
    began = time.monotonic()
    told = await _fuzz(at, num_messages, random.Random(seed), progress)
    took = time.monotonic() - began
    over.set()
    crowd = await beside
    # As long once more, with nobody else there.
    alone = await _bystander(at, over, least=len(crowd), pace_s=0.0)
    row = {
      "messages": num_messages,
      **told,
      "messages_per_s": round(num_messages / took, 1),
      "failed": lobby.counts["connections_failed"],
      "bystander_turns": len(crowd),
      "bystander_same": crowd == alone,
    }
    row |= await _churn(at, lobby, num_clients, random.Random(seed))
    return row
  finally:
    serving.should_exit = True
    await task


async def _bystander(
  at: str, over: asyncio.Event, *, least: int = 20, pace_s: float = _PACE_S
) -> list[str]:
  """Talks, the same each time, until it is over; returns the bits of turns."""
  from websockets.asyncio.client import connect

  sound = np.random.default_rng(1).normal(0, 3000, clock.SAMPLES)
  audio = base64.b64encode(sound.astype("<i2").tobytes()).decode()
  session = {"seed": 7, "audio": {"format": {"rate": 16_000}}}
  heard = []
  async with connect(at + _LIVE) as socket:
    await socket.send(json.dumps({"type": "session.start", "session": session}))
    while len(heard) < least or not over.is_set():
      event = {"type": "session.input_audio.append", "audio": audio}
      await socket.send(json.dumps(event))
      told = {"type": ""}
      while told["type"] != "session.output_audio.delta":
        told = json.loads(await socket.recv())
      heard.append(hashlib.sha256(told["delta"].encode()).hexdigest())
      await asyncio.sleep(pace_s)
  return heard


async def _fuzz(
  at: str, num: int, rng: random.Random, progress: Progress | None
) -> dict[str, int]:
  """Sends messages; returns how many were answered, and how many refused."""
  from websockets.asyncio.client import connect
  from websockets.exceptions import ConnectionClosed

  answers, errors, sent, connections = 0, 0, 0, 0
  while sent < num:
    path = rng.choice(_PATHS)
    connections += 1
    async with connect(at + path, max_size=None) as socket:

      async def listen(socket: Any = socket) -> None:
        nonlocal answers, errors
        async for told in socket:
          answers += 1
          error = b"\x05" if isinstance(told, bytes) else '"type":"error"'
          errors += (
            told[:1] == error if isinstance(told, bytes) else error in told
          )

      listening = asyncio.create_task(listen())
      with contextlib.suppress(ConnectionClosed):
        if path == _LIVE and rng.random() < 0.7:
          await socket.send('{"type": "session.start", "session": {}}')
        for _ in range(min(_AT_ONCE, num - sent)):
          await socket.send(fuzzed(rng))
          sent += 1
        # Answered in order: the last answer says that all were heard.
        await asyncio.wait_for(await socket.ping(), 60)
        await asyncio.sleep(0.005)
      listening.cancel()
      await asyncio.gather(listening, return_exceptions=True)
    if progress is not None:
      progress(sent, num)
  return {"answers": answers, "errors": errors, "connections": connections}


async def _churn(
  at: str, lobby: Lobby, num: int, rng: random.Random
) -> dict[str, Any]:
  """Clients that come and go; returns what they left behind."""
  from websockets.asyncio.client import connect

  audio = base64.b64encode(bytes(2 * 4800)).decode()
  first, before = [], 0
  for index in range(num):
    if index == min(50, num // 2):
      before = machine.resident_bytes()
    began = time.monotonic()
    async with connect(at + _LIVE) as socket:
      await socket.send('{"type": "session.start", "session": {}}')
      await socket.recv()
      event = {"type": "session.input_audio.append", "audio": audio}
      for _ in range(2):
        await socket.send(json.dumps(event))
      if rng.random() < 0.2:
        # Gone without a word.
        socket.transport.abort()
        continue
      await socket.recv()
      first.append(time.monotonic() - began)
  await _settle(lobby)
  assert lobby.engine is not None, "the server has ended"
  return {
    "clients": num,
    "growth_mib": round((machine.resident_bytes() - before) / 2**20, 1),
    "first_audio_ms": round(1000 * float(np.percentile(first, 99)), 1),
    "guests_left": len(lobby.guests),
    "talks_left": len(lobby.talks),
    "sessions_left": lobby.engine.num_sessions,
  }


async def _settle(lobby: Lobby) -> None:
  for _ in range(500):
    if not lobby.talks:
      return
    await asyncio.sleep(0.02)


def summary(report: Mapping[str, Any]) -> str:
  """The report as a person reads it."""
  same = "the same bits" if report["bystander_same"] else "OTHER BITS"
  return (
    f"{report['messages']} messages over {report['connections']} connections: "
    f"{report['answers']} answers, {report['errors']} of them errors, "
    f"{report['failed']} connections failed by our mistake; who talked "
    f"meanwhile heard {same} in {report['bystander_turns']} turns\n"
    f"{report['clients']} clients came and went: "
    f"{report['growth_mib']:+.1f} MiB, first sound within "
    f"{report['first_audio_ms']:.0f} ms (p99); left over: "
    f"{report['guests_left']} guests, {report['talks_left']} connections, "
    f"{report['sessions_left']} sessions"
  )
