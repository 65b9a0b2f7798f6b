"""What lies outside of this process: networks and programs, in a thread.

    a job's loop, by the clock of its session      this loop, by the machine's
    await do(work)              --------------->   work
    async for part in each(...) <---------------   part part part

Whatever others send is waited for and taken apart here, so the loops in which
sessions and their timers live do nothing else meanwhile.
"""

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_END: Final = object()


async def do(work: Coroutine[Any, Any, T], *, seconds: float) -> T:
  """Does something outside; who waits for it may be cancelled, and it is too.

  Args:
    seconds: that it may take, by the clock of the machine.

  Raises:
    TimeoutError: it takes longer.
  """
  future = asyncio.run_coroutine_threadsafe(_within(work, seconds), _loop())
  return await asyncio.wrap_future(future)


async def each(
  make: Callable[[], AsyncGenerator[T, None]], *, seconds: float
) -> AsyncGenerator[T, None]:
  """Hands over what a generator yields outside, as it comes.

  Args:
    make: begins it, outside; it is closed there, too.
    seconds: that all of it may take, by the clock of the machine.

  Raises:
    TimeoutError: it takes longer.
  """
  here = asyncio.get_running_loop()
  parts: asyncio.Queue[Any] = asyncio.Queue()

  def put(part: Any) -> None:
    # A loop that has ended wants nothing any more.
    with contextlib.suppress(RuntimeError):
      here.call_soon_threadsafe(parts.put_nowait, part)

  async def pump() -> None:
    try:
      async with contextlib.aclosing(make()) as made:
        async for part in made:
          put(part)
    finally:
      put(_END)

  future = asyncio.run_coroutine_threadsafe(_within(pump(), seconds), _loop())
  try:
    async for part in _until_end(parts):
      yield part
    # Raises what was raised there.
    await asyncio.wrap_future(future)
  finally:
    future.cancel()


def begin(work: Coroutine[Any, Any, Any]) -> Callable[[], bool]:
  """Begins something that goes on by itself; returns what cancels it."""
  return asyncio.run_coroutine_threadsafe(work, _loop()).cancel


async def _until_end(parts: "asyncio.Queue[Any]") -> AsyncIterator[Any]:
  while (part := await parts.get()) is not _END:
    yield part


async def _within(work: Coroutine[Any, Any, T], seconds: float) -> T:
  async with asyncio.timeout(seconds):
    return await work


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
  """The loop; its thread begins when it is needed, and ends with the process.

  One for all: connections and servers that are started outlive single jobs,
  and who opened them must close them.
  """
  loop = asyncio.new_event_loop()
  threading.Thread(
    target=loop.run_forever, name="background-outside", daemon=True
  ).start()
  return loop
