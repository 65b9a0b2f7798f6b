"""A server that is killed while people talk: they go on as they were.

    talk     each with a seed of his own, turn by turn, faster than real time
    kill     the server (SIGKILL) at a random moment, and begin it again
    go on    from the last snapshot, as a fork of one's own session by its id

In the end everybody says the same once more, undisturbed, in new sessions:
every turn that was heard on the way must have had those bits, before and after
each kill, and every snapshot in the folder must be whole.
"""

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from interaction_jax.serve.snapshot import Snapshot
from interaction_jax.turns import clock

_PATH: Final = "/v1/live/sessions"

_READY_S: Final = 900.0
"""Until a server has compiled what it needs, on the slowest machine."""

_PACE_S: Final = 0.1
"""From one turn to the next, half of what it lasts."""

_TRIES: Final = 120
"""How often somebody comes again, each half a second, where there is no room:
late turns are a reason to let nobody in, and soon over."""

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class Line:
  """The command of a server, but for its port and the folder of its snapshots.

  Attributes:
    arguments: of `program`.
    program: what serves.
  """

  arguments: tuple[str, ...]
  program: tuple[str, ...] = (sys.executable, "-m", "interaction_jax", "serve")

  def begin(self, folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    """Starts it in a process group of its own; it logs to a file."""
    with log.open("wb") as file:
      return subprocess.Popen(
        [*self.program, *self.arguments, "--port=0", f"--snapshots={folder}"],
        stdout=subprocess.DEVNULL,
        stderr=file,
        start_new_session=True,
      )


@dataclasses.dataclass(frozen=True)
class Back:
  """Somebody came back after a kill.

  Attributes:
    turn: that he went on with; 0: nothing of him was kept.
    said: turns that he had said before.
  """

  turn: int
  said: int


class Client:
  """Somebody who talks through it all.

  Attributes:
    seed: of his session, and of what he says.
    ids: of his session, and of those in which it went on.
    heard: the bits of each turn.
    torn: turns that were heard again, and had other bits.
    said: turns that he has said.
    num_heard: how often he heard one.
  """

  def __init__(self, seed: int):
    self.seed = seed
    self.ids: list[str] = []
    self.heard: dict[int, str] = {}
    self.torn: set[int] = set()
    self.said = self.num_heard = 0

  def say(self, turn: int) -> str:
    """What he says in a turn, as base64 of PCM16 at 16 kHz."""
    self.said = max(self.said, turn + 1)
    rng = np.random.default_rng((self.seed, turn))
    # Loud for two seconds, then quiet for two.
    sound = rng.normal(0, 3000 if turn % 20 < 10 else 3, clock.SAMPLES)
    return base64.b64encode(sound.astype("<i2").tobytes()).decode()

  def hear(self, turn: int, delta: str) -> None:
    """What a turn sounded like."""
    self.num_heard += 1
    bits = hashlib.sha256(delta.encode()).hexdigest()
    if self.heard.setdefault(turn, bits) != bits:
      self.torn.add(turn)

  def differs_from(self, other: "Client") -> set[int]:
    """Turns that did not sound as the other heard them."""
    return self.torn | {
      turn for turn, bits in self.heard.items() if other.heard[turn] != bits
    }


def run(
  line: Line,
  *,
  num_kills: int,
  num_clients: int = 3,
  most_s: float = 25.0,
  least_turns: int = 0,
  seed: int = 0,
  progress: Progress | None = None,
) -> dict[str, Any]:
  """Kills a server so many times; what `bench outlive` reports.

  Args:
    most_s: that a server lives at most once it is ready.
    least_turns: that everybody hears of it before that time begins.
    progress: is told how many kills are over, and how many there are.

  Raises:
    ValueError: nothing is to be killed.
    RuntimeError: a server does not come up, or does not let somebody go on.
  """
  if num_kills < 1:
    raise ValueError(f"kills={num_kills} must be 1 or more.")
  return asyncio.run(
    _run(
      line,
      num_kills,
      num_clients,
      most_s,
      least_turns,
      random.Random(seed),
      progress,
    )
  )


async def _run(
  line: Line,
  num_kills: int,
  num_clients: int,
  most_s: float,
  least_turns: int,
  rng: random.Random,
  progress: Progress | None,
) -> dict[str, Any]:
  clients = [Client(seed) for seed in range(num_clients)]
  backs: list[Back] = []
  with tempfile.TemporaryDirectory(prefix="outlive-") as place:
    folder, log = Path(place) / "kept", Path(place) / "log"
    for kill in range(num_kills):
      async with _served(line, folder, log) as at:
        talks = _gathered(at, clients, asyncio.Event())
        await _underway(talks, clients, least_turns)
        await asyncio.wait([talks], timeout=rng.uniform(0.2, most_s))
      came = await asyncio.wait_for(talks, 60)
      backs += came if kill else []
      if progress is not None:
        progress(kill + 1, num_kills)
    async with _served(line, folder, log) as at:
      over = asyncio.Event()
      talks = _gathered(at, clients, over)
      await _underway(talks, clients, least_turns)
      await asyncio.wait([talks], timeout=min(most_s, 5.0))
      over.set()
      backs += await talks
      others = [Client(one.seed) for one in clients]
      last = [max(one.heard, default=0) for one in clients]
      await asyncio.gather(
        *(
          _talk(at, other, asyncio.Event(), last=turn, pace_s=0.0)
          for other, turn in zip(others, last, strict=True)
        )
      )
    broken = [path.name for path in folder.glob("*") if not _is_whole(path)]
    kept = len(list(folder.glob("*.snapshot")))
  again = [back.said - back.turn for back in backs]
  return {
    "kills": num_kills,
    "clients": num_clients,
    "turns": sum(len(one.heard) for one in clients),
    "different": sum(
      len(one.differs_from(other))
      for one, other in zip(clients, others, strict=True)
    ),
    "went_on": sum(back.turn > 0 for back in backs),
    "from_start": sum(back.turn == 0 for back in backs),
    "said_again": sum(again),
    "said_again_most": max(again),
    "snapshots": kept,
    "broken": broken,
  }


def _gathered(
  at: str, clients: Sequence[Client], over: asyncio.Event
) -> "asyncio.Future[list[Back]]":
  """All of them talk at once."""
  return asyncio.gather(*(_talk(at, one, over) for one in clients))


async def _underway(
  talks: "asyncio.Future[list[Back]]", clients: Sequence[Client], least: int
) -> None:
  """Until everybody has heard so many turns."""
  wanted = [one.num_heard + least for one in clients]
  while not talks.done() and any(
    one.num_heard < num for one, num in zip(clients, wanted, strict=True)
  ):
    await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def _served(line: Line, folder: Path, log: Path) -> AsyncIterator[str]:
  """A server that is killed in the end; where it listens, once it is ready."""
  process = line.begin(folder, log)
  try:
    until = time.monotonic() + _READY_S
    while "ready" not in (told := _logged(log)):
      if process.poll() is not None or time.monotonic() > until:
        raise RuntimeError(
          f"the server did not come up: {log.read_text()[-2000:]}"
        )
      await asyncio.sleep(0.05)
    yield told["listening"]["at"].replace("http", "ws", 1)
  finally:
    # All that belongs to it, as where a machine fails.
    with contextlib.suppress(ProcessLookupError):
      os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _logged(log: Path) -> dict[str, dict[str, Any]]:
  """The latest of each event that a server logged."""
  lines = log.read_text().splitlines()
  told = [json.loads(line) for line in lines if line.endswith("}")]
  return {one["event"]: one for one in told}


async def _talk(
  at: str,
  client: Client,
  over: asyncio.Event,
  *,
  last: float = float("inf"),
  pace_s: float = _PACE_S,
) -> Back:
  """Talks from the last snapshot on, until it is over or the server is gone."""
  from websockets.exceptions import ConnectionClosed

  said = client.said
  async with contextlib.AsyncExitStack() as stack:
    socket, first = await _enter(stack, at, client)
    turn = first
    with contextlib.suppress(ConnectionClosed):
      while turn <= last and not over.is_set():
        audio = client.say(turn)
        event = {"type": "session.input_audio.append", "audio": audio}
        await socket.send(json.dumps(event))
        await _hear(socket, client, turn)
        turn += 1
        await asyncio.sleep(pace_s)
  return Back(first, said)


async def _hear(socket: Any, client: Client, last: int) -> None:
  """Hears all turns up to one."""
  index, delta = -1, ""
  while index < last:
    told = json.loads(await socket.recv())
    if told["type"] == "session.output_audio.delta":
      delta = told["delta"]
    elif told["type"] == "session.microturn":
      index = told["index"]
      client.hear(index, delta)
    elif told["type"] == "error":
      raise RuntimeError(f"the server refuses: {told['error']}")


async def _enter(
  stack: contextlib.AsyncExitStack, at: str, client: Client
) -> tuple[Any, int]:
  """Goes on with the latest session that was kept, or begins one.

  Returns:
    The socket, and the first turn that was not said yet.
  """
  from websockets.asyncio.client import connect

  session = {"extensions": ["microturn"], "audio": {"format": {"rate": 16_000}}}
  paths = [f"{_PATH}/{name}/fork" for name in reversed(client.ids)] + [_PATH]
  told: dict[str, Any] = {}
  for path in paths:
    given = session if path != _PATH else session | {"seed": client.seed}
    for _ in range(_TRIES):
      socket = await stack.enter_async_context(connect(at + path))
      event = {"type": "session.start", "session": given}
      await socket.send(json.dumps(event))
      told = json.loads(await socket.recv())
      if told["type"] == "session.started":
        client.ids.append(told["session"]["id"])
        return socket, told["session"]["t_ms"] // clock.TURN_MS
      await socket.close()
      if told["error"]["code"] != "server_full":
        break
      await asyncio.sleep(0.5)
    if told["error"]["code"] != "session_not_found":
      break
  raise RuntimeError(f"the server lets nobody go on: {told['error']}")


def _is_whole(path: Path) -> bool:
  """Whether a file is a snapshot; the draft of one was never called one."""
  if path.suffix != ".snapshot":
    return True
  try:
    Snapshot.load(path)
  except ValueError:
    return False
  return True


def summary(report: Mapping[str, Any]) -> str:
  """The report as a person reads it."""
  same = "all with the bits of an undisturbed session"
  if report["different"]:
    same = f"{report['different']} of them DIFFERENT"
  return (
    f"killed {report['kills']} times while {report['clients']} clients talked: "
    f"{report['turns']} turns heard, {same}\n"
    f"{report['went_on']} times somebody went on where a snapshot was, "
    f"{report['from_start']} times from the start, since there was none yet; "
    f"{report['said_again']} turns were said again, at most "
    f"{report['said_again_most']} at once; of {report['snapshots']} snapshots "
    f"{len(report['broken'])} broken"
  )
