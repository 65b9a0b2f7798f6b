"""Tools at work for one job of a model that calls them, several at once.

    call 0   "looking" ............ "22 degrees"        to the model
    call 1   "set" (sleeps)  to the model ... "time is up"   to the conversation

A tool that sleeps does not keep the model waiting: it answers with what it
said before, and what it finds later goes to the conversation by itself, while
the model replies, too. So does what a tool found on its way, or has for the
screen.
"""

import asyncio
import contextlib
import dataclasses
import enum
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any

from interaction_jax.serve.background import agent
from interaction_jax.serve.background.agent import Tool
from interaction_jax.serve.background.endpoint import Piece
from interaction_jax.serve.background.job import Context, Delivery, Finding


@dataclasses.dataclass(frozen=True)
class Call:
  """A call of a tool, as a model wrote it.

  Attributes:
    id: by which its answer is known.
    arguments: as JSON, or what was meant to be.
  """

  id: str
  name: str
  arguments: str


@dataclasses.dataclass(frozen=True)
class Answer:
  """What a call came to, for the model."""

  call: Call
  text: str


class Sign(enum.Enum):
  """What comes besides."""

  READ = "read"
  """A reply is over."""
  IDLE = "idle"
  """No tool is at work any more."""


Found = Finding | Answer | Piece | Sign


class Crew:
  """Runs tools, and hears a reply; `next` fetches what comes of both."""

  def __init__(self, tools: Mapping[str, Tool], context: Context, *, most: int):
    """Begins with nobody at work.

    Args:
      most: characters of an answer.
    """
    self._tools, self._context, self._most = tools, context, most
    self._found: asyncio.Queue[Found | BaseException] = asyncio.Queue()
    self._reading: asyncio.Task[None] | None = None
    self._tasks: set[asyncio.Task[None]] = set()
    self._due: dict[str, float] = {}

  @property
  def at_work(self) -> bool:
    """Whether more may be found; who sleeps is at work, too."""
    return bool(self._tasks)

  @property
  def wait_s(self) -> float | None:
    """Until the first of those who sleep is heard of, at most; None: nobody."""
    if not self._due:
      return None
    now = asyncio.get_running_loop().time()
    return max(min(self._due.values()) - now, 0.01)

  def start(self, call: Call) -> None:
    """Begins a call; its answer comes from `next`, whatever becomes of it."""
    task = asyncio.create_task(self._work(call))
    self._tasks.add(task)
    task.add_done_callback(self._over)

  def hear(self, pieces: AsyncGenerator[Piece, None]) -> Callable[[], bool]:
    """Hears a reply, piece by piece; returns what ends that."""
    self._reading = asyncio.create_task(self._read_all(pieces))
    self._reading.add_done_callback(self._heard)
    return self._reading.cancel

  async def next(self) -> Found:
    """What comes next.

    Raises:
      Exception: a reply is none, or a tool raised what is no mistake of its
        caller.
    """
    found = await self._found.get()
    if isinstance(found, BaseException):
      raise found
    return found

  async def rest(self) -> AsyncIterator[Finding]:
    """What is found until all are done."""
    while self._tasks or not self._found.empty():
      found = await self.next()
      if isinstance(found, Finding):
        yield found

  async def close(self) -> None:
    """Ends all that goes on."""
    tasks = [*self._tasks, *([self._reading] if self._reading else [])]
    for task in tasks:
      task.cancel()
    if tasks:
      await asyncio.wait(tasks)

  async def _read_all(self, pieces: AsyncGenerator[Piece, None]) -> None:
    try:
      async with contextlib.aclosing(pieces):
        async for piece in pieces:
          self._found.put_nowait(piece)
    except asyncio.CancelledError:
      self._found.put_nowait(Sign.READ)
      raise
    self._found.put_nowait(Sign.READ)

  def _heard(self, task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
      self._found.put_nowait(error)

  async def _work(self, call: Call) -> None:
    answered = False
    try:
      tool, arguments = self._read(call)
      async for one in tool.call(self._context, **arguments):
        self._due.pop(call.id, None)
        if one.wait_s is not None:
          now = asyncio.get_running_loop().time()
          self._due[call.id] = now + one.wait_s
          one = dataclasses.replace(one, wait_s=None)
        asleep = call.id in self._due
        if answered or (one.more and not asleep):
          self._found.put_nowait(dataclasses.replace(one, more=True))
          continue
        answered = True
        if asleep or one.shown is not None:
          # The model tells of it, but what is for the screen it cannot show.
          self._found.put_nowait(
            dataclasses.replace(one, delivery=Delivery.SILENT, more=True)
          )
        later = " (it is told by itself when it is time)" if asleep else ""
        self._found.put_nowait(Answer(call, self._cut(one.text) + later))
      if not answered:
        self._found.put_nowait(Answer(call, "nothing was found"))
    except ValueError as error:
      told = f"error: {self._cut(str(error))}"
      if answered:
        told = f"{call.name}: {told}"
        self._found.put_nowait(Finding(told, more=True))
      else:
        self._found.put_nowait(Answer(call, told))
    finally:
      self._due.pop(call.id, None)

  def _read(self, call: Call) -> tuple[Tool, dict[str, Any]]:
    """The tool and its arguments.

    Raises:
      ValueError: there is no such tool, or the arguments do not fit.
    """
    if call.name not in self._tools:
      known = ", ".join(self._tools) or "none"
      raise ValueError(f"there is no tool {call.name!r}; there is {known}")
    try:
      arguments = json.loads(call.arguments or "{}")
    except (RecursionError, ValueError) as error:
      raise ValueError(f"the arguments are no JSON: {error}") from error
    if not isinstance(arguments, dict):
      raise ValueError("the arguments are no object of JSON")
    tool = self._tools[call.name]
    agent.check(tool, arguments)
    return tool, arguments

  def _cut(self, text: str) -> str:
    most = self._most
    return text if len(text) <= most else f"{text[:most]} ... (cut)"

  def _over(self, task: "asyncio.Task[None]") -> None:
    self._tasks.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
      self._found.put_nowait(error)
    elif not self._tasks:
      # Whoever waits for more must hear that there is none.
      self._found.put_nowait(Sign.IDLE)
