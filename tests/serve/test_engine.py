import asyncio
import contextlib
import dataclasses
import threading

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
  """The next turns of a session."""
  async with asyncio.timeout(300):
    return [await anext(session) for _ in range(num)]


@pytest.fixture
def run(model, lively, unhurried):
  """Runs a coroutine function with an engine."""

  def run(talk, pace=unhurried, **options):
    async def main():
      options.setdefault("sampling", lively)
      async with Engine(model, sessions=NUM, pace=pace, **options) as engine:
        return await asyncio.wait_for(talk(engine), 600)

    return asyncio.run(main())

  return run


async def until(true):
  """Waits until something holds."""
  async with asyncio.timeout(300):
    while not true():
      await asyncio.sleep(0.005)


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


def test_turns_that_are_full_share_a_tick(run):
  async def talk(engine):
    async with await engine.open() as one, await engine.open() as other:
      busy, go = threading.Event(), threading.Event()
      # The device is busy until both are full.
      engine._driver.tell(lambda: (busy.set(), go.wait(300)))
      assert await asyncio.to_thread(busy.wait, 300)
      for session in (one, other):
        await session.push(audio(1, 1))
      go.set()
      for session in (one, other):
        await fetch(session, 1)
      return engine.report()

  report = run(talk)
  assert (report["ticks"], report["turns"]) == (1, 2)


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


def test_nobody_is_let_in_where_turns_are_late_as_it_is(run):
  async def talk(engine):
    async with await engine.open() as session:
      await session.push(audio(1, 1))
      await fetch(session, 1)
      with pytest.raises(FullError, match=r"100 % .* late with 1 of 3"):
        await engine.open()
    # Who comes first has nobody to be late for.
    async with await engine.open():
      return engine.report()

  # No turn is ever run in so short a time.
  report = run(talk, pace=PaceConfig(deadline_ms=1e-6))
  assert (report["opened"], report["refused"]) == (2, 1)


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
    # The test itself, the task that runs it, and the engine's own.
    await until(lambda: len(asyncio.all_tasks()) <= 3)
    await until(lambda: not engine.num_sessions)
    return len(engine._driver._seats)

  assert run(talk) == 0


def test_a_client_that_hangs_delays_nobody(run, unhurried):
  async def talk(engine):
    deaf = await engine.open(seed=1)
    async with await engine.open(seed=2) as other:
      for turn in range(6):
        # On a slow machine it is over before its last turns are pushed.
        if deaf.reason is None:
          await deaf.push(audio(1, 1))
        await other.push(audio(turn, 1))
        await fetch(other, 1)
      await until(lambda: deaf.reason is not None)
    return deaf.reason, [one.turn.index async for one in deaf]

  reason, fetched = run(talk, pace=dataclasses.replace(unhurried, unread=4))
  assert reason == "unread" and fetched == [0, 1, 2, 3]


def test_a_backlog_waits_at_the_door(run, unhurried):
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

  said, waiting = run(talk, pace=dataclasses.replace(unhurried, backlog=3))
  assert [one[0] for one in said] == list(range(12)) and waiting == 0


def test_idle_sessions_end(run, unhurried):
  async def talk(engine):
    session = await engine.open()
    async with asyncio.timeout(300):
      said = [one async for one in session]
    before = engine.report()
    with pytest.raises(ClosedError, match="over: idle"):
      await session.push(audio(1, 1))
    return said, before

  said, report = run(talk, pace=dataclasses.replace(unhurried, idle_s=0.2))
  # It cost nothing meanwhile.
  assert said == [] and report["closed_idle"] == 1 and "ticks" not in report


def test_what_is_lost_does_not_shift_the_clock(run):
  now = [100.0]

  async def talk(engine):
    async with await engine.open(seed=3) as session:

      async def push(at_s, sound, at):
        now[0] = 100.0 + at_s
        await session.push(sound, at=at)

      async def look(at_s):
        now[0] = 100.0 + at_s
        engine._driver.poke()
        await engine._told(lambda: None)

      sound = audio(3, 4)
      await push(0.2, sound[:TURN], 0.0)
      # The second turn comes doubled and in the wrong order, the third never.
      half = TURN + TURN // 2
      await push(0.4, sound[half : 2 * TURN], half / 16_000)
      await push(0.41, sound[half : 2 * TURN], half / 16_000)
      await push(0.47, sound[TURN:half], 0.2)
      said = await fetch(session, 2)
      # It should be there at 0.6 s, and is waited for for 80 ms more.
      await look(0.67)
      early = session._said.qsize()
      await look(0.69)
      said += await fetch(session, 1)
      await push(0.8, sound[3 * TURN :], 0.6)
      said += await fetch(session, 1)
      await push(0.9, sound[2 * TURN : 3 * TURN], 0.4)
      await push(1.0, sound[:TURN], 0.8)
      return early, said, await fetch(session, 1), engine.report()

  early, said, (last,), report = run(talk, watch=lambda: now[0])
  assert early == 0
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
    folder = tmp_path / "kept"
    async with asyncio.timeout(300):
      # Both are kept as they are after two turns.
      for name in ("one", "two"):
        turn = 0
        while turn < 2:
          await asyncio.sleep(0.01)
          with contextlib.suppress(FileNotFoundError):
            kept = Snapshot.load(folder / f"{name}.snapshot")
            turn = kept.fields["turn"]
    await two.close()
    files = sorted(path.name for path in folder.glob("*.snapshot"))
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
    async with asyncio.timeout(300):
      assert [one async for one in session] == []
    with pytest.raises(ClosedError, match=r"failed: MemoryError.*gone"):
      await engine.open()
    return session.reason, engine.healthy

  assert run(talk) == ("failed", False)


def test_a_snapshot_of_other_sampling_is_refused(run):
  async def talk(engine):
    async with await engine.open() as session:
      snapshot = await session.snapshot()
    sampling = {**snapshot.fields["sampling"], "temperature": 0.5}
    fields = {**snapshot.fields, "sampling": sampling}
    with pytest.raises(ValueError, match="the engine has one of its own"):
      await engine.open(snapshot=dataclasses.replace(snapshot, fields=fields))
    return engine.report()["opened"]

  assert run(talk) == 1
