import asyncio
import threading

import pytest

from interaction_jax.serve.background import outside


async def thread():
  return threading.current_thread().name


class Parts:
  """Yields numbers, and what it is told in the end."""

  def __init__(self, *steps):
    self.steps, self.closed = steps, threading.Event()

  async def __call__(self):
    try:
      for step in self.steps:
        if isinstance(step, Exception):
          raise step
        if isinstance(step, float):
          await asyncio.sleep(step)
        else:
          yield step
    finally:
      self.closed.set()


async def collect(parts, seconds=300.0):
  return [one async for one in outside.each(parts, seconds=seconds)]


def test_it_is_one_other_thread():
  names = {
    asyncio.run(outside.do(thread(), seconds=300.0)),
    asyncio.run(outside.do(thread(), seconds=300.0)),
  }
  assert names == {"background-outside"}
  assert names != {threading.current_thread().name}


def test_parts_come_in_order():
  parts = Parts(1, 0.001, 2, 3)
  assert asyncio.run(collect(parts)) == [1, 2, 3]
  assert parts.closed.is_set()


def test_what_is_raised_there_is_raised_here():
  async def fails():
    raise ValueError("no such page")

  with pytest.raises(ValueError, match="no such page"):
    asyncio.run(outside.do(fails(), seconds=300.0))
  parts, came = Parts(1, ConnectionError("gone")), []

  async def main():
    async for one in outside.each(parts, seconds=300.0):
      came.append(one)

  with pytest.raises(ConnectionError, match="gone"):
    asyncio.run(main())
  assert came == [1]


def test_nothing_takes_longer_than_it_may():
  with pytest.raises(TimeoutError):
    asyncio.run(outside.do(asyncio.sleep(60), seconds=0.01))
  parts = Parts(1, 60.0)
  with pytest.raises(TimeoutError):
    asyncio.run(collect(parts, seconds=0.01))
  assert parts.closed.wait(120)


def test_who_leaves_early_ends_it():
  parts = Parts(1, 60.0)

  async def main():
    found = outside.each(parts, seconds=300.0)
    assert await anext(found) == 1
    await found.aclose()

  asyncio.run(main())
  assert parts.closed.wait(120)


def test_who_is_cancelled_ends_it():
  began, ended = threading.Event(), threading.Event()

  async def long():
    began.set()
    try:
      await asyncio.sleep(60)
    finally:
      ended.set()

  async def main():
    waiting = asyncio.create_task(outside.do(long(), seconds=300.0))
    await asyncio.to_thread(began.wait, 120)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
      await waiting

  asyncio.run(main())
  assert ended.wait(120)


def test_its_clock_is_that_of_the_machine():
  class Still(asyncio.SelectorEventLoop):
    """A session that does not go on."""

    def time(self):
      return 0.0

  loop = Still()
  try:
    parts = Parts(1, 0.001, 2)
    assert loop.run_until_complete(collect(parts)) == [1, 2]
  finally:
    loop.close()


def test_what_goes_on_by_itself_is_cancelled():
  began, ended = threading.Event(), threading.Event()

  async def long():
    began.set()
    try:
      await asyncio.sleep(60)
    finally:
      ended.set()

  cancel = outside.begin(long())
  assert began.wait(120)
  cancel()
  assert ended.wait(120)
