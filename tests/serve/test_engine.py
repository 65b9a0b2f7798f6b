import asyncio
import contextlib

import numpy as np
import pytest

from interaction_jax.serve.engine import ClosedError, Engine, FullError
from interaction_jax.serve.pace import PaceConfig
from interaction_jax.serve.snapshot import Snapshot
from interaction_jax.turns import clock

NUM = 3
TURN = clock.SAMPLES


def audio(seed, num_turns):
  rng = np.random.default_rng(seed)
  return rng.normal(0, 0.1, num_turns * TURN).astype(np.float32)


def bits(said):
  return [
    (one.turn.index, one.turn.text, one.turn.gate, one.turn.voice.tobytes())
    for one in said
  ]


async def fetch(session, num):
  """The next turns of a session, in at most a minute."""
  async with asyncio.timeout(60):
    return [await anext(session) for _ in range(num)]


@pytest.fixture
def run(model, lively):
  """Runs a coroutine function with an engine."""

  def run(talk, **options):
    async def main():
      options.setdefault("sampling", lively)
      async with Engine(model, sessions=NUM, **options) as engine:
        return await asyncio.wait_for(talk(engine), 120)

    return asyncio.run(main())

  return run


async def converse(engine, seed, num_turns, chunk=1700):
  """A whole session, in chunks of any size."""
  async with await engine.open(seed=seed, instructions="be brief") as session:
    sound = audio(seed, num_turns)
    for first in range(0, len(sound), chunk):
      await session.push(sound[first : first + chunk])
      await asyncio.sleep(0)
    return bits(await fetch(session, num_turns))


def test_a_session_has_the_same_bits_alone_and_in_a_full_engine(run):
  async def talk(engine):
    alone = await converse(engine, 4, 6)
    crowd = await asyncio.gather(
      converse(engine, 5, 9, 3200),
      converse(engine, 4, 6, 900),
      converse(engine, 6, 7, 20_000),
    )
    return alone, crowd, engine.report()

  alone, crowd, report = run(talk)
  assert crowd[1] == alone != crowd[0][:6]
  assert report["turns"] == 6 + 9 + 6 + 7 and report["sessions"] == 0
  # Nobody had a tick for himself alone.
  assert report["ticks"] < report["turns"]


def test_who_does_not_fit_is_told_so(run):
  async def talk(engine):
    async with contextlib.AsyncExitStack() as stack:
      for seed in range(NUM):
        await stack.enter_async_context(await engine.open(seed=seed))
      with pytest.raises(FullError, match=r"all 3 sessions .* are taken"):
        await engine.open()
    async with await engine.open():
      return engine.report()

  report = run(talk)
  assert (report["opened"], report["refused"]) == (NUM + 1, 1)


def test_slots_come_back_however_sessions_end(run):
  async def talk(engine):
    rng = np.random.default_rng(0)
    for _ in range(100):
      session = await engine.open(seed=int(rng.integers(99)))
      task = asyncio.create_task(anext(session))
      await session.push(audio(1, 1)[: int(rng.integers(1, TURN))])
      await asyncio.sleep(0)
      if rng.random() < 0.2:
        # Gone without a word; the server sees it as a cancelled task.
        task.cancel()
      closing = asyncio.create_task(session.close())
      await asyncio.sleep(0)
      closing.cancel() if rng.random() < 0.2 else await closing
      await asyncio.gather(task, closing, return_exceptions=True)
    await asyncio.sleep(0.05)
    tasks = [one for one in asyncio.all_tasks() if not one.done()]
    return engine.num_sessions, len(engine._driver._seats), len(tasks)

  sessions, seats, tasks = run(talk)
  # The test itself, the task that runs it, and the engine's own.
  assert (sessions, seats) == (0, 0) and tasks <= 3


def test_a_client_that_hangs_delays_nobody(run):
  async def talk(engine):
    deaf = await engine.open(seed=1)
    async with await engine.open(seed=2) as other:
      for turn in range(6):
        # On a slow machine it is over before its last turns are pushed.
        if deaf.reason is None:
          await deaf.push(audio(1, 1))
        await other.push(audio(turn, 1))
        await fetch(other, 1)
      await asyncio.sleep(0.05)
    return deaf.reason, [one.turn.index async for one in deaf]

  reason, fetched = run(talk, pace=PaceConfig(unread=4))
  assert reason == "unread" and fetched == [0, 1, 2, 3]


def test_a_backlog_waits_at_the_door(run):
  async def talk(engine):
    async with await engine.open(seed=2) as session:
      pushed = asyncio.create_task(push_all(session))
      said = await fetch(session, 12)
      await pushed
      return bits(said), session._seat.num_waiting()

  async def push_all(session):
    most = 0
    for turn in range(12):
      await session.push(audio(turn, 1))
      most = max(most, session._seat.num_waiting())
    assert most <= 4

  said, waiting = run(talk, pace=PaceConfig(backlog=3))
  assert [one[0] for one in said] == list(range(12)) and waiting == 0


def test_idle_sessions_end(run):
  async def talk(engine):
    session = await engine.open()
    async with asyncio.timeout(20):
      said = [one async for one in session]
    before = engine.report()
    with pytest.raises(ClosedError, match="over: idle"):
      await session.push(audio(1, 1))
    return said, before

  said, report = run(talk, pace=PaceConfig(idle_s=0.2))
  # It cost nothing meanwhile.
  assert said == [] and report["closed_idle"] == 1 and "ticks" not in report


def test_what_is_lost_does_not_shift_the_clock(run):
  async def talk(engine):
    async with await engine.open(seed=3) as session:
      sound = audio(3, 4)
      await session.push(sound[:TURN], at=0.0)
      # The second turn comes doubled and in the wrong order, the third never.
      half = TURN + TURN // 2
      await session.push(sound[half : 2 * TURN], at=half / 16_000)
      await session.push(sound[half : 2 * TURN], at=half / 16_000)
      await session.push(sound[TURN:half], at=0.2)
      await session.push(sound[3 * TURN :], at=0.6)
      said = await fetch(session, 4)
      await session.push(sound[2 * TURN : 3 * TURN], at=0.4)
      await session.push(sound[:TURN], at=0.8)
      return said, await fetch(session, 1), engine.report()

  said, (last,), report = run(talk)
  assert [one.turn.lost for one in said] == [(0, 0), (0, 0), (1, 0), (0, 0)]
  assert (last.turn.index, last.turn.lost) == (4, (0, 0))
  assert report["lost_turns"] == 1


def test_a_session_goes_on_in_another_engine(run, tmp_path):
  async def before(engine):
    async with await engine.open(seed=8, instructions="be good") as session:
      await session.push(audio(8, 3)[:-700], text="hello")
      await fetch(session, 2)
      snapshot = await session.snapshot()
      snapshot.save(tmp_path / "one")
      async with await session.fork() as fork:
        for one in (session, fork):
          await one.push(audio(9, 3))
        return [bits(await fetch(one, 3)) for one in (session, fork)]

  async def after(engine):
    # It has another row now.
    async with (
      await engine.open(),
      await engine.open(snapshot=Snapshot.load(tmp_path / "one")) as session,
    ):
      await session.push(audio(9, 3))
      return session.seed, bits(await fetch(session, 3))

  first, fork = run(before)
  assert run(after) == (8, first) and fork == first


def test_sessions_are_kept_and_resumed(run, tmp_path):
  kept = {"snapshots": tmp_path / "kept", "snapshot_every_s": 0.05}

  async def killed(engine):
    one = await engine.open(seed=3, name="one")
    two = await engine.open(seed=4, name="two")
    for each in (one, two):
      await each.push(audio(3, 2))
      await fetch(each, 2)
    await asyncio.sleep(0.5)
    await two.close()
    files = sorted(path.name for path in (tmp_path / "kept").iterdir())
    # What comes after the last snapshot is lost with the process.
    return files

  async def again(engine):
    names = engine.saved()
    async with await engine.resume("one") as session:
      assert engine.saved() == []
      await session.push(audio(4, 1))
      (said,) = await fetch(session, 1)
    return names, said.turn.index, session.seed

  assert run(killed, **kept) == ["one.snapshot"]
  assert run(again, **kept) == (["one"], 2, 3)


@pytest.mark.parametrize(
  ("what", "message"),
  [
    ({"audio": np.zeros(5, np.int32)}, "type int32"),
    ({"audio": np.zeros(5), "at": 99.0}, "99 s ahead of all"),
  ],
  ids=["type", "ahead"],
)
def test_bad_input_is_refused(run, what, message):
  async def talk(engine):
    async with await engine.open() as session:
      with pytest.raises(ValueError, match=message):
        await session.push(**what)
      await session.push(audio(1, 1))
      return len(await fetch(session, 1))

  assert run(talk) == 1


def test_an_engine_that_failed_says_why(run):
  async def talk(engine):
    session = await engine.open()

    def breaks(ready):
      raise MemoryError("the device is gone")

    engine._slots.tick = breaks
    await session.push(audio(1, 1))
    async with asyncio.timeout(20):
      assert [one async for one in session] == []
    with pytest.raises(ClosedError, match=r"failed: MemoryError.*gone"):
      await engine.open()
    return session.reason, engine.healthy

  assert run(talk) == ("failed", False)


def test_a_snapshot_of_other_sampling_is_refused(run, model):
  from interaction_jax.serve.session import Session

  snapshot = Session(model, seed=1).snapshot()

  async def talk(engine):
    with pytest.raises(ValueError, match="the engine has one of its own"):
      await engine.open(snapshot=snapshot)
    return engine.num_sessions

  assert run(talk) == 0
