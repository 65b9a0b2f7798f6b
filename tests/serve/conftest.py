"""A small model with words of its own, drawn at random and compiled once.

And a server with it, which runs beside the tests.
"""

import asyncio
import base64
import contextlib
import dataclasses
import json
import os
import secrets
import selectors
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
from interaction_jax.model import state as states
from interaction_jax.model.config import SamplingConfig, TextConfig
from interaction_jax.serve import models
from interaction_jax.serve.access import Access
from interaction_jax.serve.conversation import Turn
from interaction_jax.serve.driver import Said
from interaction_jax.serve.engine import Engine
from interaction_jax.serve.events import Event
from interaction_jax.serve.pace import PaceConfig
from interaction_jax.serve.protocol.limit import LimitConfig
from interaction_jax.serve.protocol.lobby import Lobby
from interaction_jax.serve.server import Place, Server, app
from interaction_jax.turns import clock
from interaction_jax.turns import vocabulary as vocabularies
from interaction_jax.turns.vocabulary import Control, Vocabulary

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
def model(cfg, params, tmp_path_factory):
  model = models.of(params, cfg=cfg, words=world.vocabulary(), name="small")
  # Compiling takes longer than all else: engines of all tests, and of all
  # processes that run some of them, do it once.
  folder = tmp_path_factory.getbasetemp()
  folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
  return dataclasses.replace(model, cache=folder / "programs")


@pytest.fixture(scope="session")
def lively():
  return LIVELY


@pytest.fixture(scope="session")
def unhurried():
  """A pace by which nothing is late.

  The machine may be busy with other tests; then an engine lets nobody in.
  """
  return PaceConfig(deadline_ms=60_000.0)


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


class Fast(asyncio.SelectorEventLoop):
  """A loop that sleeps as long as it likes in no time.

  What comes first by its clock comes first, however busy the machine is. Only
  for what waits for nobody else, such as a thread.
  """

  class Selector(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout=None):
      if timeout is None:
        return super().select()
      self.now += max(timeout, 0.0)
      return super().select(0)

  def __init__(self):
    self._waits = self.Selector()
    super().__init__(self._waits)

  def time(self):
    return self._waits.now

  def stand_still(self, seconds):
    """As where something blocks it: time passes, and nothing else does."""
    self._waits.now += seconds


@pytest.fixture
def fast():
  """Runs a coroutine in a loop whose waiting takes no time."""

  def fast(work):
    with asyncio.Runner(loop_factory=Fast) as runner:
      return runner.run(work)

  return fast


def waiting(true, seconds=300):
  """Until something holds that another thread brings about."""
  until = time.monotonic() + seconds
  while not true():
    assert time.monotonic() < until, "it never came"
    time.sleep(0.01)


@pytest.fixture(scope="session", name="waiting")
def _waiting():
  return waiting


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
    self._thread.join(600)
    assert not self._thread.is_alive(), "the server did not end"
    assert self.failure is None

  def wait(self):
    """Until the engine is there."""
    until = time.monotonic() + 600
    while self.lobby.engine is None:
      assert time.monotonic() < until, "the engine did not come"
      time.sleep(0.01)
    return self

  def settle(self):
    """Until everybody who left is gone."""
    waiting(lambda: not self.lobby.talks)
    return self

  def do(self, work):
    """Has something done in the server's loop."""
    return asyncio.run_coroutine_threadsafe(work, self._loop).result(300)

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
def serving(model, lively, unhurried):
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
        pace=unhurried,
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
    # However busy the machine is: nothing of this is about a slow network.
    patient = {"open_timeout": 300, "close_timeout": 300, "ping_interval": None}
    self._connection = connect(f"ws://{at}{path}", **patient, **options)

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
    return self._socket.recv(timeout=300)

  def closed(self):
    """The code of the close, once the server closes."""
    with pytest.raises(ConnectionClosed) as caught:
      while True:
        self._socket.recv(timeout=300)
    return caught.value.rcvd.code if caught.value.rcvd else 1006


@pytest.fixture
def wire(served):
  """Opens connections, and closes them in the end."""
  # Those who came by other ways may still be on theirs out.
  served.settle()
  with contextlib.ExitStack() as stack:

    def wire(path, at=None, **options):
      return stack.enter_context(Wire(at or served.at, path, **options))

    yield wire
  served.settle()


@pytest.fixture
def drawn(monkeypatch):
  """Sessions whose clients name no seed have this one.

  What a model that was drawn at random says is chance, or would be.
  """
  monkeypatch.setattr(secrets, "randbits", lambda bits: 3)


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


HUM = "hum"

KEYS = (
  Control.DELEGATE,
  Control.CALL,
  " weather in paris",
  " weather in rome",
  " instead weather in oslo",
  " cancel",
  " set a timer for two seconds",
  ' {"tool":"calculator","expression":"17*23"}',
)


class Typist:
  """A small model that writes what the sound of a turn stands for.

  Its layers add next to nothing, so the sound at the end of a turn decides;
  text and gate are solved for. A key makes it write one token, and `HUM` makes
  it speak. What it reads it never tells, but its bits depend on all of it.

  Attributes:
    model: to be served like any other.
  """

  def __init__(self, model):
    first, size = model.cfg.text.first_control, model.words.table_size
    texts = [key for key in KEYS if isinstance(key, str)]
    plain = vocabularies.train(texts, size=first)
    # A task is one token.
    plain.tokenizer.add_tokens(texts)
    words = Vocabulary(plain.tokenizer, size, first)
    self.tokens = {
      key: plain.tokenizer.token_to_id(key)
      if key in texts
      else words.id_of(key)
      for key in KEYS
    }
    params = jax.tree.map(lambda leaf: leaf, model.params)
    for layer in params["backbone"]["layers"].values():
      layer["attention"]["out"] *= 0.02
      layer["feed"]["down"] *= 0.02
      if "shared_down" in layer["feed"]:
        layer["feed"]["shared_down"] *= 0.02
    x = self._contexts(params, model.cfg)
    end = words.id_of(Control.END)
    # Behind every key, behind silence and a hum, and behind every token.
    wanted = [*self.tokens.values(), *[end] * (2 + len(KEYS))]
    inverse = 40 * np.linalg.pinv(x)
    table = np.zeros(params["heads"]["text"]["table"].shape, np.float32)
    for token in set(wanted):
      table[token] = inverse @ [float(one == token) for one in wanted]
    params["heads"]["text"]["table"] = jnp.asarray(table)
    hums = [float(place == len(KEYS) + 1) for place in range(len(x))]
    params["heads"]["gate"]["weight"] = jnp.asarray(inverse @ hums, jnp.float32)
    params["heads"]["gate"]["bias"] = jnp.asarray(-20.0, jnp.float32)
    self.model = dataclasses.replace(
      model, params=params, words=words, name="typist", digest="typist"
    )

  def sound(self, key):
    """A turn that makes it write, or speak; None: neither."""
    if key is None:
      return np.zeros(clock.SAMPLES, np.float32)
    rng = np.random.default_rng([*KEYS, HUM].index(key))
    tones = rng.uniform(80, 7500, 9)
    t = np.arange(clock.SAMPLES) / clock.SAMPLE_RATE
    waves = np.sin(2 * np.pi * tones[:, None] * t)
    return (rng.uniform(0.001, 0.1, 9) @ waves).astype(np.float32)

  def _contexts(self, params, cfg):
    """What its heads see: behind each sound, and behind each token."""
    sounds = np.stack([self.sound(key) for key in [*KEYS, None, HUM]])
    seeds = np.zeros(len(sounds), np.uint32)

    @jax.jit
    def run(params):
      made = interaction.bind(params, cfg=cfg)
      tail = states.start(jnp.asarray(seeds), cfg=cfg).heard_tail
      tail, _ = interaction.listen(tail, jnp.asarray(sounds), cfg=cfg)
      _, levels = interaction.listen(tail, jnp.asarray(sounds), cfg=cfg)
      tokens = jnp.asarray([list(self.tokens.values())])
      return made.embed.heard(levels)[:, -1], made.embed.written(tokens)[0]

    x = np.concatenate([np.asarray(one, np.float64) for one in run(params)])
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True))


@pytest.fixture(scope="session")
def typist(model):
  return Typist(model)
