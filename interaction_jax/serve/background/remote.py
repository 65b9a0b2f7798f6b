"""Tools of servers that speak MCP: programs on this machine, or addresses.

    "python server.py --here"      started, and spoken to over its pipes
    "https://example.org/mcp"      spoken to over streamable HTTP

One connection, for all jobs of all sessions; it is opened when it is needed,
and again where it was lost.
"""

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import urllib.parse
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from interaction_jax.serve.background import outside
from interaction_jax.serve.background.job import Context, Finding

if TYPE_CHECKING:
  import mcp

_PAGES: Final = 20
"""Of a list of tools."""

_MOST: Final = 128
"""Tools of one server."""


class RemoteTool:
  """A tool of another process, like those of this one."""

  def __init__(
    self,
    remote: "Remote",
    name: str,
    summary: str,
    parameters: Mapping[str, Any],
  ):
    self._remote = remote
    self.name, self.summary = name, summary
    self.parameters = parameters

  def match(self, task: str) -> Mapping[str, Any] | None:
    """None: only a model knows when to call it."""
    return None

  async def call(
    self, context: Context, **arguments: Any
  ) -> AsyncIterator[Finding]:
    """Asks its server."""
    yield Finding(await self._remote.call(self.name, arguments))


class Remote:
  """A server, and the connection to it.

  Attributes:
    where: its address, or the command that starts it.

  Raises:
    ValueError: it is neither.
    FileNotFoundError: there is no such command.
  """

  def __init__(
    self, where: str, *, connect_s: float = 10.0, seconds: float = 60.0
  ):
    """Opens nothing yet.

    Args:
      connect_s: until it answers at all.
      seconds: for a call.
    """
    self.where = where
    self._connect_s, self._seconds = connect_s, seconds
    self._command = None
    self._name = urllib.parse.urlsplit(where).hostname or where[:60]
    if not where.startswith(("http://", "https://")):
      self._command = _command(where)
      self._name = where[:60]
    self._open: list[_Connection] = []
    self._end = weakref.finalize(self, _close, self._open)
    # With the process its pipes end, and what reads from them.
    self._end.atexit = False

  async def tools(self) -> list[RemoteTool]:
    """What it offers now.

    Raises:
      ValueError: it cannot be asked; the message says why.
    """
    listed = await self._do(_list, again=True)
    return [
      RemoteTool(self, one.name, one.description or "", one.input_schema)
      for one in listed[:_MOST]
    ]

  async def call(self, name: str, arguments: Mapping[str, Any]) -> str:
    """What a tool answers.

    Raises:
      ValueError: it is a mistake, or there is no answer.
    """

    async def call(client: "mcp.Client") -> Any:
      return await client.call_tool(
        name, dict(arguments), read_timeout_seconds=self._seconds
      )

    # What was called may have been done: it is not called again.
    result = await self._do(call, again=False)
    text = "\n".join(_text(one) for one in result.content)
    if not text and result.structured_content is not None:
      text = json.dumps(result.structured_content)
    if result.is_error:
      raise ValueError(text or f"{name} failed")
    return text

  def close(self) -> None:
    """Ends the connection, and the server if it was started."""
    _close(self._open)

  async def _do(self, work: "_Work", *, again: bool) -> Any:
    """Has something done by the server.

    Args:
      again: whether it may be done once more, where the connection was lost.

    Raises:
      ValueError: it cannot be.
    """
    seconds = self._seconds + self._connect_s
    try:
      return await outside.do(self._ask(work, again), seconds=seconds)
    except TimeoutError:
      raise ValueError(f"{self._name} has no answer in {seconds:g} s") from None

  async def _ask(self, work: "_Work", again: bool) -> Any:
    import mcp

    connection = self._connection()
    client = await connection.client()
    if client is None:
      raise ValueError(f"{self._name} cannot be reached")
    asking = asyncio.ensure_future(work(client))
    try:
      await asyncio.wait([asking])
    finally:
      asking.cancel()
    error = asking.exception()
    if error is None:
      return asking.result()
    if isinstance(error, mcp.MCPError) and error.code != _closed():
      raise ValueError(error.message[:300])
    # Whatever else went wrong, the connection is of no use any more.
    if connection in self._open:
      self._open.remove(connection)
    connection.close()
    if again:
      return await self._ask(work, False)
    raise ValueError(f"{self._name} has gone")

  def _connection(self) -> "_Connection":
    if not self._open or self._open[-1].ended:
      made = _Connection(
        self._command or self.where, self._connect_s, self._seconds
      )
      self._open[:] = [made]
    return self._open[-1]


class _Connection:
  """A connection, held open by a task of its own: who opened it closes it."""

  def __init__(self, where: str | list[str], connect_s: float, seconds: float):
    self._loop = asyncio.get_running_loop()
    self._ready: asyncio.Future[mcp.Client] = self._loop.create_future()
    self._keeper = asyncio.create_task(
      _keep(where, connect_s, seconds, self._ready)
    )
    self._keeper.add_done_callback(_heard)

  @property
  def ended(self) -> bool:
    return self._keeper.done()

  async def client(self) -> "mcp.Client | None":
    """Who speaks over it; None: there is no connection."""
    both: list[asyncio.Future[Any]] = [self._keeper, self._ready]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    return self._ready.result() if self._ready.done() else None

  def close(self) -> None:
    """Ends it, from whatever thread."""
    self._loop.call_soon_threadsafe(self._keeper.cancel)


_Work = Callable[["mcp.Client"], Coroutine[Any, Any, Any]]


async def _keep(
  where: str | list[str],
  connect_s: float,
  seconds: float,
  ready: "asyncio.Future[mcp.Client]",
) -> None:
  """Opens a connection, and holds it until it is cancelled."""
  import mcp

  async with contextlib.AsyncExitStack() as stack:
    server: Any = where
    if not isinstance(where, str):
      # What servers log may hold what users said.
      log = Path(os.devnull).open("w")  # noqa: SIM115 - the stack closes it
      quiet = stack.enter_context(log)
      command = mcp.StdioServerParameters(command=where[0], args=where[1:])
      server = mcp.stdio_client(command, errlog=quiet)
    # To begin, and to list its tools, it may take as long as for the longer.
    client = mcp.Client(server, read_timeout_seconds=max(connect_s, seconds))
    async with asyncio.timeout(connect_s):
      await stack.enter_async_context(client)
    ready.set_result(client)
    await asyncio.get_running_loop().create_future()


def _heard(keeper: "asyncio.Task[None]") -> None:
  """Whoever asked is told that there is no connection; why is nobody's."""
  if not keeper.cancelled():
    keeper.exception()


async def _list(client: "mcp.Client") -> list[Any]:
  listed, cursor = [], None
  for _ in range(_PAGES):
    page = await client.list_tools(cursor=cursor)
    listed += page.tools
    cursor = page.next_cursor
    if cursor is None:
      break
  return listed


def _close(connections: list[_Connection]) -> None:
  while connections:
    connections.pop().close()


def _closed() -> int:
  """The code of connections that were lost."""
  from mcp_types import CONNECTION_CLOSED

  return CONNECTION_CLOSED


def _command(where: str) -> list[str]:
  """The parts of a command.

  Raises:
    ValueError: it is none.
    FileNotFoundError: there is no such command.
  """
  try:
    parts = shlex.split(where)
  except ValueError as error:
    raise ValueError(f"mcp={where!r} is no command: {error}.") from error
  if not parts:
    raise ValueError(
      f"mcp={where!r} is neither a command, such as 'python server.py', nor an "
      "address, such as 'http://127.0.0.1:8000/mcp'."
    )
  if shutil.which(parts[0]) is None:
    raise FileNotFoundError(
      f"mcp={where!r}: there is no command {parts[0]!r}; an address begins "
      "with http:// or https://."
    )
  return parts


def _text(content: Any) -> str:
  """What a block of content says."""
  text = getattr(content, "text", None)
  if text is None:
    text = getattr(getattr(content, "resource", None), "text", None)
  return text if isinstance(text, str) else f"({content.type})"
