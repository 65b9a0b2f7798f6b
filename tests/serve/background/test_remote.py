"""Against real servers of the official package, over pipes and over HTTP."""

import asyncio
import gc
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interaction_jax.serve.background.chat import Chat
from interaction_jax.serve.background.job import Context, Delivery, Finding
from interaction_jax.serve.background.remote import Remote

SERVER = Path(__file__).parent / "server_of_tools.py"
COMMAND = f"{sys.executable} {SERVER}"


@pytest.fixture(scope="module")
def address():
  """Where a server is that speaks MCP over streamable HTTP."""
  with socket.create_server(("127.0.0.1", 0)) as listening:
    port = listening.getsockname()[1]
    number = listening.fileno()
    running = subprocess.Popen(
      [sys.executable, str(SERVER), str(number)], pass_fds=[number]
    )
    yield f"http://127.0.0.1:{port}/mcp"
    running.terminate()
    running.wait(120)


@pytest.fixture(scope="module")
def pipes():
  """A server that is started, for all tests that leave it alive."""
  remote = Remote(COMMAND, connect_s=300.0)
  yield remote
  number = int(asyncio.run(remote.call("process", {})))
  remote.close()
  gone(number)


@pytest.fixture(params=["pipes", "address"])
def remote(request, pipes, address):
  """The same tools, both ways."""
  if request.param == "pipes":
    yield pipes
  else:
    one = Remote(address, connect_s=300.0)
    yield one
    one.close()


def gone(number, seconds=120.0):
  """Waits until a process has ended."""
  until = time.monotonic() + seconds
  while time.monotonic() < until:
    try:
      os.kill(number, 0)
    except ProcessLookupError:
      return
    time.sleep(0.02)
  raise AssertionError(f"process {number} goes on")


def call(remote, name, **arguments):
  return asyncio.run(remote.call(name, arguments))


def test_tools_are_listed(remote):
  listed = {one.name: one for one in asyncio.run(remote.tools())}
  assert set(listed) == {
    "add", "weather.now", "process", "long", "slow", "crash",
  }  # fmt: skip
  assert listed["add"].summary == "Adds two numbers."
  assert listed["add"].parameters["required"] == ["a", "b"]
  assert listed["add"].match("2 plus 3") is None


def test_tools_are_called(remote):
  assert call(remote, "add", a=2, b=3) == "5"
  assert call(remote, "weather.now", city="paris") == "22 degrees in paris"


@pytest.mark.parametrize(
  ("name", "arguments", "problem"),
  [
    ("weather.now", {"city": "atlantis"}, "there is no such city"),
    ("add", {"a": "x"}, "validation error"),
    ("oven", {}, "[Uu]nknown tool"),
  ],
)
def test_mistakes_are_told(remote, name, arguments, problem):
  with pytest.raises(ValueError, match=problem):
    call(remote, name, **arguments)
  assert call(remote, "add", a=1, b=1) == "2"


def test_one_connection_serves_many_at_once(remote):
  async def main():
    calls = [remote.call("add", {"a": n, "b": 1}) for n in range(8)]
    return await asyncio.gather(*calls)

  assert asyncio.run(main()) == [str(n + 1) for n in range(8)]
  assert call(remote, "process") == call(remote, "process")


def test_who_gives_up_leaves_the_others_alone(remote):
  async def main():
    slow = asyncio.create_task(remote.call("slow", {}))
    await asyncio.sleep(0.1)
    slow.cancel()
    await asyncio.wait([slow])
    assert slow.cancelled()

  asyncio.run(main())


def test_a_megabyte_is_taken(pipes):
  assert len(call(pipes, "long")) == 10**6


def test_a_call_that_takes_too_long(address):
  # No server has begun, or told what it has, in so short a time.
  remote = Remote(address, connect_s=300.0, seconds=0.001)
  assert len(asyncio.run(remote.tools())) == 6
  with pytest.raises(ValueError, match=r"[Tt]imed out|has no answer"):
    call(remote, "slow")
  remote.close()


def test_a_server_that_ends_is_started_again(capfd):
  remote = Remote(COMMAND, connect_s=300.0)
  first = int(call(remote, "process"))
  with pytest.raises(ValueError, match="has gone"):
    call(remote, "crash")
  gone(first)
  assert len(asyncio.run(remote.tools())) == 6
  second = int(call(remote, "process"))
  assert second != first
  # What it logs may hold what users said.
  assert "hello" not in capfd.readouterr().err
  # Who is forgotten leaves no process.
  del remote
  gc.collect()
  gone(second)


@pytest.mark.parametrize(
  "code",
  ["raise SystemExit(1)", "print('{garbage')", "print('\\xff' * 9)",
   "import time; time.sleep(60)"],
  ids=["ends", "garbage", "letters", "silent"],
)  # fmt: skip
def test_what_is_no_server_is_told(code, tmp_path):
  (tmp_path / "server.py").write_text(code)
  where = f"{sys.executable} {tmp_path / 'server.py'}"
  remote = Remote(where, connect_s=1.0 if "sleep" in code else 300.0)
  with pytest.raises(ValueError, match=r"cannot be reached|has gone"):
    asyncio.run(remote.tools())
  remote.close()


def test_an_address_where_nobody_is():
  with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    where = f"http://127.0.0.1:{taken.getsockname()[1]}/secret"
    with pytest.raises(ValueError, match=r"^127\.0\.0\.1 .*(reached|gone)$"):
      asyncio.run(Remote(where).tools())


@pytest.mark.parametrize(
  "answer",
  [b"nonsense\r\n\r\n", b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"],
)
def test_an_address_where_somebody_else_is(station, answer):
  running = station(lambda *_: [answer])
  remote = Remote(f"http://{running.at}/mcp", connect_s=300.0)
  with pytest.raises(ValueError, match=r"127\.0\.0\.1|Server returned"):
    asyncio.run(remote.tools())
  remote.close()


@pytest.mark.parametrize(
  ("where", "error", "problem"),
  [
    ("", ValueError, "mcp='' is neither a command"),
    ("  ", ValueError, "is neither a command"),
    ("python 'half", ValueError, "is no command: No closing quotation"),
    ("no-such-command --x", FileNotFoundError, "no command 'no-such-command'"),
  ],
)
def test_what_is_neither_is_refused(where, error, problem):
  with pytest.raises(error, match=problem):
    Remote(where)


def test_a_model_calls_them(ask, said, pipes, address):
  endpoint, running = ask(
    said(
      calls=[
        ("weather_now", {"city": "paris"}),
        ("weather_now_2", {"city": "rome"}),
        ("weather_now", {"city": "atlantis"}),
      ]
    ),
    said("22 degrees."),
  )
  there = Remote(address, connect_s=300.0)
  with socket.socket() as taken:
    taken.bind(("127.0.0.1", 0))
    nobody = Remote(f"http://127.0.0.1:{taken.getsockname()[1]}/mcp")
    chat = Chat(endpoint, remotes=[pipes, there, nobody])

    async def main():
      return [one async for one in chat.run(Context("weather"))]

    found = asyncio.run(main())
  assert found[0].delivery is Delivery.SILENT and found[0].more
  assert found[0].text.startswith("127.0.0.1 ")
  assert found[1:] == [Finding("22 degrees.")]
  told = [one["content"] for one in _messages(running)[-3:]]
  assert told[:2] == ["22 degrees in paris", "22 degrees in rome"]
  assert told[2].startswith("error: ") and "no such city" in told[2]
  there.close()
  endpoint.close()


def _messages(running):
  import json

  return json.loads(running.asked[-1][2])["messages"]
