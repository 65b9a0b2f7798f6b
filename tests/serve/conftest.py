"""A small model with words of its own, drawn at random and compiled once.

And a server with it, which runs beside the tests.
"""

import asyncio
import base64
import contextlib
import dataclasses
import json
import socket
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from interaction_jax.core import settings
from interaction_jax.data.synthetic import world
from interaction_jax.model import interaction
from interaction_jax.model.config import SamplingConfig, TextConfig
from interaction_jax.serve import models
from interaction_jax.serve.access import Access
from interaction_jax.serve.conversation import Turn
from interaction_jax.serve.driver import Said
from interaction_jax.serve.engine import Engine
from interaction_jax.serve.events import Event
from interaction_jax.serve.protocol.limit import LimitConfig
from interaction_jax.serve.protocol.lobby import Lobby
from interaction_jax.serve.server import Place, Server, app
from interaction_jax.turns import clock

# It writes much and speaks in about half of its turns.
LIVELY = SamplingConfig(temperature=1.0, flow_steps=1)


@pytest.fixture(scope="session")
def cfg(root):
  words = world.vocabulary()
  text = TextConfig(
    table_size=words.table_size,
    vocab_size=words.table_size,
    first_control=words.first_control,
  )
  experiment = settings.load(root / "tests" / "small.py")
  # More instructions than one `absorb` takes.
  memory = dataclasses.replace(experiment.model.memory, pinned=30)
  return dataclasses.replace(experiment.model, text=text, memory=memory)


@pytest.fixture(scope="session")
def params(cfg):
  # Drawn by NumPy: a program that draws takes longer to compile than all of
  # these tests to run.
  shapes = jax.eval_shape(lambda: interaction.init(jax.random.key(0), cfg=cfg))
  rng = np.random.default_rng(3)

  def draw(leaf):
    if len(leaf.shape) < 2:
      return jnp.ones(leaf.shape, leaf.dtype)
    std = leaf.shape[-2] ** -0.5
    return jnp.asarray(rng.normal(0, std, leaf.shape), leaf.dtype)

  return jax.tree.map(draw, shapes)


@pytest.fixture(scope="session")
def model(cfg, params):
  return models.of(params, cfg=cfg, words=world.vocabulary(), name="small")


@pytest.fixture(scope="session")
def lively():
  return LIVELY


@pytest.fixture(scope="session")
def movie(tmp_path_factory):
  """Two seconds that get brighter, ten pictures a second."""
  import av

  path = tmp_path_factory.mktemp("movie") / "movie.mkv"
  with av.open(str(path), "w") as container:
    stream = container.add_stream("ffv1", rate=10)
    stream.width, stream.height, stream.pix_fmt = 40, 30, "bgr0"
    for shade in range(20):
      pixels = np.full((30, 40, 3), 10 * shade, np.uint8)
      frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
      container.mux(stream.encode(frame.reformat(format="bgr0")))
    container.mux(stream.encode())
  return path


NUM = 3


class Running:
  """A server in a thread of its own.

  Attributes:
    at: host and port.
    lobby: what its connections share.
  """

  def __init__(self, make, *, lobby=None, rules=None, page=None, **place):
    self.lobby = lobby or Lobby()
    rules = rules or Access("127.0.0.1")
    more = {} if page is None else {"page": page}
    application = app(self.lobby, rules, make, **more)
    self.server = Server(self.lobby, application, Place(port=0, **place))
    self.failure = None
    self._thread = threading.Thread(target=self._run)

  def __enter__(self):
    self._thread.start()
    while not self.server.started:
      assert self._thread.is_alive(), "the server did not start"
      time.sleep(0.01)
    # The loop is the server's own; its thread is not ours.
    (listening,) = self.server.servers
    host, port = listening.sockets[0].getsockname()
    self.at = f"{host}:{port}"
    return self

  def __exit__(self, *_):
    self.server.should_exit = True
    self._thread.join(60)
    assert not self._thread.is_alive(), "the server did not end"
    assert self.failure is None

  def wait(self):
    """Until the engine is there."""
    until = time.monotonic() + 120
    while self.lobby.engine is None:
      assert time.monotonic() < until, "the engine did not come"
      time.sleep(0.01)
    return self

  def settle(self):
    """Until everybody who left is gone."""
    until = time.monotonic() + 20
    while self.lobby.talks and time.monotonic() < until:
      time.sleep(0.01)
    return self

  def do(self, work):
    """Has something done in the server's loop."""
    return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

  def _run(self):
    async def serve():
      self._loop = asyncio.get_running_loop()
      await self.server.serve()

    try:
      asyncio.run(serve())
    except BaseException as error:
      self.failure = error
      raise


@pytest.fixture(scope="session")
def running():
  """Makes a server of any engine."""
  return Running


@pytest.fixture(scope="session")
def serving(model, lively):
  """Makes a server that is not running yet."""

  def serving(
    *, cfg=None, snapshots=None, recordings=None, background=None, **options
  ):
    lobby = Lobby(
      cfg or LimitConfig(),
      snapshots=snapshots,
      recordings=recordings,
      background=background,
    )

    def make():
      return Engine(
        model,
        sessions=NUM,
        sampling=lively,
        snapshots=snapshots,
        snapshot_every_s=0.2,
      )

    return Running(make, lobby=lobby, **options)

  return serving


@pytest.fixture(scope="session")
def served(serving):
  """One that runs as long as there are tests."""
  with serving() as running:
    yield running.wait()


class Wire:
  """A client that says exactly what it is told to."""

  def __init__(self, at, path, **options):
    self._connection = connect(f"ws://{at}{path}", **options)

  def __enter__(self):
    self._socket = self._connection.__enter__()
    self.subprotocol = self._socket.subprotocol
    return self

  def __exit__(self, *given):
    self._connection.__exit__(*given)

  def cut(self):
    """Goes without a word."""
    self._socket.socket.shutdown(socket.SHUT_RDWR)

  def say(self, kind, **fields):
    """Sends an event."""
    self.send(json.dumps({"type": kind, **fields}))

  def send(self, content):
    """Sends what there is."""
    self._socket.send(content)

  def hear(self, kind=None):
    """The next event, or the next of a kind."""
    while True:
      told = json.loads(self.receive())
      if kind is None or told["type"] == kind:
        return told

  def receive(self):
    """What comes next."""
    return self._socket.recv(timeout=60)

  def closed(self):
    """The code of the close, once the server closes."""
    with pytest.raises(ConnectionClosed) as caught:
      while True:
        self._socket.recv(timeout=60)
    return caught.value.rcvd.code if caught.value.rcvd else 1006


@pytest.fixture
def wire(served):
  """Opens connections, and closes them in the end."""
  with contextlib.ExitStack() as stack:

    def wire(path, at=None, **options):
      return stack.enter_context(Wire(at or served.at, path, **options))

    yield wire
  served.settle()


@pytest.fixture(scope="session")
def made():
  """Makes what a turn may have made: who writes it by chance writes it late."""

  def made(index, speaks=False, **texts):
    turn = Turn(
      index=index,
      text=(1,),
      speaks=speaks,
      gate=0.25,
      ended=True,
      mel=np.zeros((20, 26), np.float32),
      voice=np.zeros(3200, np.float32),
      num_read=0,
      saw=False,
      lost=(0.5, 0.0),
      compute_ms=1.5,
    )
    events = [
      Event(clock.audible(index), index, kind, {"text": text})
      for kind, text in texts.items()
    ]
    return Said(turn, tuple(events), time.monotonic())

  return made


@pytest.fixture(scope="session")
def noise():
  """Makes sound on the wire, as base64."""

  def noise(num_turns, *, rate=24_000, seed=0):
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, 3000, num_turns * rate // 5).astype("<i2")
    return base64.b64encode(samples.tobytes()).decode()

  return noise
