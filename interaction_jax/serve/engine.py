"""Many sessions of one model at once: asyncio outside, one thread within.

    async with Engine(model, sessions=8) as engine:
      async with await engine.open(instructions="be brief") as session:
        await session.push(audio)               what the user says, as it comes
        async for said in session:              200 ms of voice, and events
          ...

A session that nobody feeds costs nothing; one that nobody listens to is
closed; neither makes another late. `serve/pace.py` says what happens when
time is short, `serve/slots.py` how the device is shared and how many hosts
would share it.
"""

import asyncio
import dataclasses
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from interaction_jax.model.config import SamplingConfig
from interaction_jax.serve import conversation, models, session
from interaction_jax.serve import snapshot as snapshots
from interaction_jax.serve.background.clerk import Clerk
from interaction_jax.serve.background.desk import DeskConfig
from interaction_jax.serve.background.job import BackgroundModel, Report
from interaction_jax.serve.conversation import Conversation, Timed
from interaction_jax.serve.driver import Driver, Said
from interaction_jax.serve.meter import Meter
from interaction_jax.serve.models import Model
from interaction_jax.serve.pace import PaceConfig
from interaction_jax.serve.seat import Seat
from interaction_jax.serve.slots import Slots
from interaction_jax.serve.snapshot import Snapshot
from interaction_jax.turns.vocabulary import Control

Reason = Literal["closed", "idle", "unread", "ended", "failed"]
"""Why a session is over: it was closed, nothing came, nobody fetched what it
said, the engine was ended, or it failed."""

_AHEAD_S: Final = 60.0
"""How far ahead of all that came a chunk may say it belongs."""

_OVERLOADED: Final = 0.02
"""The share of late turns above which nobody is let in."""


class FullError(RuntimeError):
  """There is no room for another session; later there may be."""


class ClosedError(RuntimeError):
  """The session, or its engine, is over."""


class LiveSession:
  """A session of an engine, for one asyncio loop.

  Attributes:
    name: by which its snapshots are kept.
    seed: of all that it draws.
    reason: why it is over; None: it is not.
    clerk: hands over to its background model; None: it has none.
  """

  def __init__(self, engine: "Engine", seat: Seat, *, name: str, seed: int):
    self.name, self.seed = name, seed
    self.reason: Reason | None = None
    self._engine, self._seat = engine, seat
    self._said: asyncio.Queue[Said | None]
    self._said = asyncio.Queue(engine.pace.unread + 1)
    self._room = asyncio.Event()
    self.clerk: Clerk | None = None

  @property
  def heard_s(self) -> float:
    """Seconds of the session that came, those before a snapshot included."""
    return self._seat.end

  async def __aenter__(self) -> "LiveSession":
    return self

  async def __aexit__(self, *_: object) -> None:
    await self.close()

  def __aiter__(self) -> "LiveSession":
    return self

  async def __anext__(self) -> Said:
    """The next turn; the iteration is over when the session is."""
    said = None
    if self.reason is None or not self._said.empty():
      said = await self._said.get()
    if said is None:
      raise StopAsyncIteration
    return said

  async def push(
    self,
    audio: np.ndarray | None = None,
    frames: Sequence[np.ndarray | Timed] = (),
    text: str | Iterable[Timed] | None = None,
    *,
    at: float | None = None,
  ) -> None:
    """Hands in what came; arguments as those of `Session.push`.

    Chunks that say where they belong (`at`) are waited for no longer than
    `pace.patience_ms`; the others follow each other, and none is ever missing.
    Waits while more turns wait than `pace.backlog`.

    Raises:
      ValueError: it is not what it should be; nothing was taken in.
      ClosedError: the session is over.
    """
    cfg = self._engine.model.cfg
    arrived = self._engine._watch()
    given = (audio, frames, text)
    if len(frames):
      # Fitting large pictures takes longer than others should wait.
      parcel = await asyncio.to_thread(
        conversation.check, *given, at=at, cfg=cfg
      )
    else:
      parcel = conversation.check(*given, at=at, cfg=cfg)
    if at is not None and at > self._seat.end + _AHEAD_S:
      raise ValueError(
        f"at={at} s is {at - self._seat.end:.0f} s ahead of all that came; "
        f"{_AHEAD_S:.0f} s are the most."
      )
    while self.reason is None and (
      self._seat.num_waiting() >= self._engine.pace.backlog
    ):
      self._room.clear()
      await self._room.wait()
      arrived = self._engine._watch()
    self._check_open()
    self._seat.put(parcel, arrived)
    self._engine._driver.poke()

  async def inform(self, text: str) -> None:
    """Hands in what a background model found; it is read from now on."""
    self._check_open()
    self._inform(text, {})

  async def snapshot(self) -> Snapshot:
    """All of the session as it is between two turns, and what waits."""
    self._check_open()
    engine, seat = self._engine, self._seat

    def save() -> Snapshot:
      seat.settle(engine._watch())
      head = snapshots.head(engine.model, self.seed, engine.sampling)
      return Snapshot(
        fields=head | seat.talk.fields(),
        state=engine._slots.save(seat.row),
        audio=seat.talk.audio,
        frames=seat.talk.frames,
      )

    kept = await engine._told(save)
    # The clerk has seen those turns by now; what it sees twice it ignores.
    clerk = None if self.clerk is None else self.clerk.state()
    return dataclasses.replace(kept, fields={**kept.fields, "clerk": clerk})

  async def fork(self) -> "LiveSession":
    """A second session with the same past; each goes its own way.

    Raises:
      FullError: there is no slot for it.
    """
    background = None if self.clerk is None else self.clerk.model
    return await self._engine.open(
      snapshot=await self.snapshot(), background=background
    )

  async def close(self) -> None:
    """Ends the session; its slot is free then."""
    await self._engine._close(self, "closed")

  def _check_open(self) -> None:
    if self.reason is not None:
      raise ClosedError(f"the session is over: {self.reason}.")

  def _inform(self, text: str, about: Mapping[str, Any]) -> None:
    if self.reason is None:
      parcel = conversation.check(
        text=text,
        speaker=Control.BACKGROUND,
        about=about,
        cfg=self._engine.model.cfg,
      )
      self._seat.put(parcel, self._engine._watch())
      self._engine._driver.poke()

  def _hear(self, said: Said) -> bool:
    """Hands out a turn; False where nobody fetched those before."""
    if self.clerk is not None:
      turn = said.turn
      told = self.clerk.see(turn.index, said.events, speaks=turn.speaks)
      said = dataclasses.replace(said, events=(*said.events, *told))
    self._room.set()
    if self._said.qsize() >= self._engine.pace.unread:
      return False
    self._said.put_nowait(said)
    return True

  def _over(self, reason: Reason) -> None:
    self.reason = reason
    if self.clerk is not None:
      self._engine._spawn(self.clerk.desk.close())
    self._room.set()
    self._said.put_nowait(None)


class Engine:
  """Sessions of a model, on one device or on its mesh.

  Attributes:
    model: that all of them talk to.
    num: how many there may be.
    meter: what it counts.

  Raises:
    ValueError: there is no slot, or the mesh does not divide them.
  """

  def __init__(
    self,
    model: Model,
    *,
    sessions: int = 8,
    sampling: SamplingConfig = models.GREEDY,
    pace: PaceConfig = PaceConfig(),  # noqa: B008 - frozen
    snapshots: str | Path | None = None,
    snapshot_every_s: float = 10.0,
    watch: Callable[[], float] = time.monotonic,
  ):
    """Compiles the programs; after this no session waits for a compiler.

    Args:
      snapshots: a folder in which sessions are kept, so that a new engine goes
        on with them; None: they are not.
      snapshot_every_s: how often.
      watch: tells the seconds by which sound is late and sessions are idle.
    """
    self.model, self.num = model, sessions
    self.sampling, self.pace = sampling, pace
    self.meter = Meter(pace.deadline_ms)
    self._watch = watch
    self._slots = Slots(model, sessions, sampling=sampling)
    self._folder = None if snapshots is None else Path(snapshots)
    self._every_s = snapshot_every_s
    self._free = list(range(sessions))
    self._sessions: dict[int, LiveSession] = {}
    self._tasks: set[asyncio.Task[None]] = set()
    self._saving = asyncio.Lock()
    self._loop: asyncio.AbstractEventLoop | None = None
    self._driver = Driver(
      self._slots,
      cfg=pace,
      meter=self.meter,
      deliver=self._deliver,
      on_failure=self._on_failure,
      watch=watch,
    )

  async def __aenter__(self) -> "Engine":
    self._loop = asyncio.get_running_loop()
    if self._folder is not None:
      self._folder.mkdir(parents=True, exist_ok=True)
      self._spawn(self._keep_snapshots(self._folder))
    self._driver.start()
    self._spawn(self._end_idle())
    return self

  async def __aexit__(self, *_: object) -> None:
    self._loop = None
    for task in list(self._tasks):
      task.cancel()
    await asyncio.gather(*self._tasks, return_exceptions=True)
    for one in list(self._sessions.values()):
      await self._close(one, "ended")
    await asyncio.to_thread(self._driver.stop)

  @property
  def num_sessions(self) -> int:
    """How many there are now."""
    return self.num - len(self._free)

  @property
  def healthy(self) -> bool:
    """Whether it takes sessions, or would if it had room."""
    return self._loop is not None and self._driver.failure is None

  async def open(
    self,
    *,
    seed: int = 0,
    instructions: str | None = None,
    snapshot: Snapshot | None = None,
    name: str | None = None,
    background: BackgroundModel | None = None,
    desk: DeskConfig = DeskConfig(),  # noqa: B008 - frozen
    on_report: Callable[[Report], None] = lambda report: None,
  ) -> LiveSession:
    """Begins a session, or goes on with one.

    Args:
      snapshot: of a session of this model; seed and instructions are its own.
      name: by which its snapshots are kept; None: a new one.
      background: the slower model that it delegates to, in the loop of the
        engine; None: nobody answers.
      desk: what its jobs may do.
      on_report: is told of its jobs at once, whether the session is or not.

    Raises:
      FullError: no slot is free, or turns are late as it is.
      ClosedError: the engine has ended or failed.
      ValueError: the instructions, the seed or the snapshot do not fit.
    """
    self._check_going()
    session.check_seed(seed)
    talk = Conversation(self.model.words, self.model.cfg)
    pinned = talk.pinned(instructions)
    if snapshot is not None:
      snapshots.check(snapshot, self.model)
      if snapshot.fields["sampling"] != dataclasses.asdict(self.sampling):
        raise ValueError(
          "the snapshot is of a session with sampling="
          f"{snapshot.fields['sampling']}; the engine has one of its own, "
          f"{dataclasses.asdict(self.sampling)}."
        )
      seed = snapshot.fields["seed"]
      talk.restore(snapshot.fields, snapshot.audio, snapshot.frames)
    seat = Seat(self._admit(), talk, self.pace, self._watch())

    def begin(slots: Slots) -> None:
      if snapshot is None:
        slots.join(seat.row, seed, pinned)
      else:
        slots.load(seat.row, snapshot.state)

    live = LiveSession(self, seat, name=name or uuid.uuid4().hex, seed=seed)
    if background is not None:
      live.clerk = Clerk(
        background,
        live._inform,
        instructions=instructions,
        on_report=on_report,
        cfg=desk,
      )
      if snapshot is not None and snapshot.fields["clerk"] is not None:
        live.clerk.restore(snapshot.fields["clerk"])
    self._sessions[seat.row] = live
    try:
      await self._told(lambda: self._driver.sit(seat, begin))
    except BaseException:
      await self._close(live, "failed")
      raise
    self.meter.count("opened")
    return live

  def saved(self) -> list[str]:
    """The names of the sessions that were kept and are not going on."""
    if self._folder is None:
      return []
    going = {one.name for one in self._sessions.values()}
    kept = {path.stem for path in self._folder.glob("*.snapshot")}
    return sorted(kept - going)

  async def resume(
    self,
    name: str,
    *,
    background: BackgroundModel | None = None,
    desk: DeskConfig = DeskConfig(),  # noqa: B008 - frozen
    on_report: Callable[[Report], None] = lambda report: None,
  ) -> LiveSession:
    """Goes on with a session where its last snapshot was.

    Args:
      background: as `open` takes it, with what is told of it.

    Raises:
      FileNotFoundError: it was not kept.
      ValueError, FullError, ClosedError: as `open`.
    """
    if self._folder is None or name not in self.saved():
      raise FileNotFoundError(f"no session {name!r} was kept.")
    path = self._folder / f"{name}.snapshot"
    snapshot = await asyncio.to_thread(Snapshot.load, path)
    return await self.open(
      snapshot=snapshot,
      name=name,
      background=background,
      desk=desk,
      on_report=on_report,
    )

  def report(self) -> dict[str, Any]:
    """What was counted, and what there is."""
    return {
      "sessions": self.num_sessions,
      "slots": self.num,
      "healthy": int(self.healthy),
      **self.meter.report(),
    }

  def _check_going(self) -> None:
    if self._driver.failure is not None:
      raise ClosedError(
        f"the engine has failed: {self._driver.failure!r}."
      ) from self._driver.failure
    if self._loop is None:
      raise ClosedError("the engine is not running; 'async with' starts it.")

  def _admit(self) -> int:
    """A free row."""
    late = self.meter.latency().recently_missed
    if not self._free:
      self.meter.count("refused")
      raise FullError(
        f"all {self.num} sessions of this engine are taken; one that ends "
        "makes room."
      )
    if self._sessions and late > _OVERLOADED:
      self.meter.count("refused")
      raise FullError(
        f"{100 * late:.0f} % of the latest turns were late with "
        f"{len(self._sessions)} of {self.num} sessions; there is no time for "
        "another."
      )
    return self._free.pop(0)

  async def _told(self, do: Any) -> Any:
    """Has the thread of the device do something."""
    try:
      return await asyncio.wrap_future(self._driver.tell(do))
    except RuntimeError as error:
      raise ClosedError(f"{error}.") from error

  async def _close(self, live: LiveSession, reason: Reason) -> None:
    if live.reason is not None:
      return
    live._over(reason)
    self.meter.count(f"closed_{reason}")
    seat = live._seat
    # Not awaited by itself: who is cancelled here must not keep a slot.
    done = self._driver.tell(lambda: self._driver.leave(seat))
    del self._sessions[seat.row]
    if reason == "closed" and self._folder is not None:
      self._file(live).unlink(missing_ok=True)
    loop = asyncio.get_running_loop()
    done.add_done_callback(
      lambda _: loop.call_soon_threadsafe(self._free.append, seat.row)
    )
    if self._driver.failure is None:
      await asyncio.wait([asyncio.wrap_future(done)])
    if reason == "closed" and self._folder is not None:
      # A snapshot that was being written when it ended is gone as well.
      async with self._saving:
        self._file(live).unlink(missing_ok=True)

  def _file(self, live: LiveSession) -> Path:
    assert self._folder is not None
    return self._folder / f"{live.name}.snapshot"

  def _deliver(self, said: list[tuple[Seat, Said]]) -> None:
    """Called by the thread of the device after each tick."""
    if self._loop is not None:
      self._loop.call_soon_threadsafe(self._hand_out, said)

  def _hand_out(self, said: list[tuple[Seat, Said]]) -> None:
    now = self._watch()
    for seat, one in said:
      live = self._sessions.get(seat.row)
      if live is None or live._seat is not seat:
        continue
      self.meter.turn(1000 * (now - one.full_at))
      if not live._hear(one):
        self._spawn(self._close(live, "unread"))

  def _on_failure(self) -> None:
    if self._loop is not None:
      self._loop.call_soon_threadsafe(self._fail)

  def _fail(self) -> None:
    for live in list(self._sessions.values()):
      self._spawn(self._close(live, "failed"))

  def _spawn(self, work: Any) -> None:
    task = asyncio.ensure_future(work)
    self._tasks.add(task)
    task.add_done_callback(self._tasks.discard)

  async def _end_idle(self) -> None:
    while True:
      await asyncio.sleep(min(1.0, self.pace.idle_s / 2))
      before = self._watch() - self.pace.idle_s
      for live in list(self._sessions.values()):
        if live._seat.came_at < before:
          await self._close(live, "idle")

  async def _keep_snapshots(self, folder: Path) -> None:
    while True:
      await asyncio.sleep(self._every_s)
      for live in list(self._sessions.values()):
        async with self._saving:
          if live.reason is not None:
            continue
          kept = await live.snapshot()
          await asyncio.to_thread(kept.save, folder / f"{live.name}.snapshot")
          if live.reason == "closed":
            self._file(live).unlink(missing_ok=True)
