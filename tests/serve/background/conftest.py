"""Background models, and servers, that do what a test says."""

import asyncio
import contextlib
import dataclasses
import json
import socketserver
import threading
from collections.abc import Callable

import pytest

from interaction_jax.serve.background.endpoint import Endpoint, EndpointConfig
from interaction_jax.serve.background.job import Context, Finding
from interaction_jax.serve.session import Session


@dataclasses.dataclass
class Play:
  """A background model that follows a script.

  Attributes:
    steps: seconds to wait, findings, errors to raise, or anything else, which
      is handed out as it is; by task, or the same for all.
  """

  steps: dict[str, list] | list
  given: list[Context] = dataclasses.field(default_factory=list)
  cancelled: int = 0

  async def run(self, context):
    self.given.append(context)
    steps = self.steps
    if isinstance(steps, dict):
      steps = steps[context.task]
    try:
      for step in steps:
        if isinstance(step, int | float):
          await asyncio.sleep(step)
        elif isinstance(step, Exception):
          raise step
        else:
          yield Finding(step) if isinstance(step, str) else step
    except asyncio.CancelledError:
      self.cancelled += 1
      raise


@pytest.fixture
def play() -> Callable[..., Play]:
  return Play


async def until(true: Callable[[], object], seconds: float = 120.0) -> None:
  """Waits until something holds."""
  async with asyncio.timeout(seconds):
    while not true():
      await asyncio.sleep(0.002)


@pytest.fixture(name="until")
def _until():
  return until


class Station:
  """A server on this machine that sends the bytes it is told to send.

  Attributes:
    play: makes, of a method, a path and a body, what is sent: bytes, seconds
      to wait, and None to hold the line until the other side goes.
    asked: what it was asked for: methods, paths and bodies.
    at: where it listens.
  """

  def __init__(self, play):
    self.play, self.asked = play, []
    self.over = threading.Event()
    station = self

    class Handler(socketserver.StreamRequestHandler):
      def handle(self):
        with contextlib.suppress(OSError):
          station._serve(self.rfile, self.wfile, self.connection)

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    self._server.daemon_threads = False
    host, port = self._server.server_address
    self.at = f"{host}:{port}"
    self._thread = threading.Thread(
      target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
    )

  def __enter__(self):
    self._thread.start()
    return self

  def __exit__(self, *_):
    if self.over.is_set():
      return
    self.over.set()
    self._server.shutdown()
    self._server.server_close()
    self._thread.join(120)

  def _serve(self, rfile, wfile, connection):
    head = rfile.readline().decode("latin-1").split()
    size = 0
    while (line := rfile.readline()) not in (b"\r\n", b""):
      name, _, value = line.decode("latin-1").partition(":")
      size = int(value) if name.lower() == "content-length" else size
    if len(head) < 2:
      return
    body = rfile.read(size)
    self.asked.append((head[0], head[1], body))
    for part in self.play(head[0], head[1], body):
      if part is None:
        connection.settimeout(0.02)
        while not self.over.is_set():
          with contextlib.suppress(TimeoutError):
            if not connection.recv(100):
              return
      elif isinstance(part, float):
        self.over.wait(part)
      else:
        wfile.write(part)


def http(body="", status=200, kind="text/html", **headers):
  """An answer in bytes; it ends with the connection."""
  if isinstance(body, str):
    body = body.encode()
  lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", "Connection: close"]
  lines += [
    f"{name.replace('_', '-')}: {value}" for name, value in headers.items()
  ]
  return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def said(*pieces, calls=(), ends="stop", done=True):
  """A reply of a chat endpoint in bytes, in pieces as it is streamed.

  Args:
    calls: of tools: names and arguments, as JSON or not.
    ends: why it does; None: it does not say.
  """
  deltas = [{"content": piece} for piece in pieces]
  for number, (name, arguments) in enumerate(calls):
    if not isinstance(arguments, str):
      arguments = json.dumps(arguments)
    half = len(arguments) // 2
    first = {"name": name, "arguments": arguments[:half]}
    begins = {"index": number, "id": f"id_{number}", "type": "function"}
    deltas.append({"tool_calls": [{**begins, "function": first}]})
    second = {"index": number, "function": {"arguments": arguments[half:]}}
    deltas.append({"tool_calls": [second]})
  choices = [{"index": 0, "delta": delta} for delta in deltas]
  if ends is not None:
    ends = "tool_calls" if calls else ends
    choices.append({"index": 0, "delta": {}, "finish_reason": ends})
  told = [event({"id": "x", "choices": [choice]}) for choice in choices]
  head = http(kind="text/event-stream")
  return head + b"".join(told) + (b"data: [DONE]\n\n" if done else b"")


def event(value):
  """A chunk as it is streamed."""
  text = value if isinstance(value, str) else json.dumps(value)
  return f"data: {text}\n\n".encode()


@pytest.fixture(name="said")
def _said():
  return said


@pytest.fixture(name="event")
def _event():
  return event


@pytest.fixture
def ask(station):
  """An endpoint that plays replies, one after the other, the last for ever."""

  def ask(*replies, **cfg):
    def play(*_):
      number = min(len(running.asked), len(replies)) - 1
      reply = replies[number]
      if callable(reply):
        return reply()
      return [reply] if isinstance(reply, bytes) else reply

    running = station(play)
    usual = {"url": f"http://{running.at}/v1", "retries": 0}
    # Nobody is slow here but where a test wants it.
    cfg = {**usual, "seconds": 300.0, "connect_s": 300.0, **cfg}
    config = EndpointConfig(model="some-model", **cfg)
    return Endpoint(config), running

  return ask


@pytest.fixture(name="http")
def _http():
  return http


@pytest.fixture
def station():
  """Starts servers of what they play, and ends them."""
  with contextlib.ExitStack() as stack:
    yield lambda play: stack.enter_context(Station(play))


class Desktop:
  """A session with somebody who types by sounds.

  Attributes:
    session: of a `Typist`.
    turns: all that were run.
    notes: what the background model found, as it was read.
    events: what happened.
  """

  def __init__(self, typist, session):
    self.session, self.turns, self.notes, self.events = session, [], [], []
    self._typist = typist

  def type(self, *keys, settle=None):
    """A turn for each key; each settles, if so many seconds are given."""
    for key in keys:
      self.push(self._typist.sound(key))
      if settle is not None:
        self.session.settle(settle)
    return self

  def push(self, sound):
    answer = self.session.push(sound)
    # Nobody waits for a background model: a full turn is run.
    assert len(answer.turns) == 1
    self.turns += answer.turns
    self.notes += answer.notes
    self.events += answer.events

  def told(self):
    """What became of jobs: their numbers, states and texts, in order."""
    payloads = [one.payload for one in self.events if "job" in one.payload]
    return [(one["job"], one["state"], one["text"]) for one in payloads]

  def bits(self):
    return [
      (turn.text, turn.gate, turn.voice.tobytes(), turn.mel.tobytes())
      for turn in self.turns
    ]


@pytest.fixture
def desktop(typist, lively):
  """Begins sessions that delegate to a background model, and ends them."""
  with contextlib.ExitStack() as stack:

    def desktop(background=None, snapshot=None):
      if snapshot is None:
        session = Session(
          typist.model, seed=1, sampling=lively, background=background
        )
      else:
        session = Session.resume(typist.model, snapshot, background=background)
      return Desktop(typist, stack.enter_context(session))

    yield desktop
