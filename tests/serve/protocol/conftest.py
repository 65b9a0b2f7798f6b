"""A server with a small model, running beside the tests."""

import asyncio
import threading
import time

import pytest

from interaction_jax.serve.access import Access
from interaction_jax.serve.engine import Engine
from interaction_jax.serve.protocol.limit import LimitConfig
from interaction_jax.serve.protocol.lobby import Lobby
from interaction_jax.serve.server import Place, Server, app

NUM = 4


class Running:
  """A server in a thread of its own.

  Attributes:
    at: host and port.
    lobby: what its connections share.
  """

  def __init__(self, make, *, lobby=None, rules=None, page=None):
    self.lobby = lobby or Lobby()
    rules = rules or Access("127.0.0.1")
    more = {} if page is None else {"page": page}
    application = app(self.lobby, rules, make, **more)
    self.server = Server(self.lobby, application, Place(port=0))
    self.failure = None
    self._thread = threading.Thread(target=self._run)

  def __enter__(self):
    self._thread.start()
    while not self.server.started:
      assert self._thread.is_alive(), "the server did not start"
      time.sleep(0.01)
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

  def _run(self):
    try:
      asyncio.run(self.server.serve())
    except BaseException as error:
      self.failure = error
      raise


@pytest.fixture(scope="session")
def serving(model, lively):
  """Makes a server that is not running yet."""

  def serving(*, cfg=None, snapshots=None, recordings=None, **options):
    cfg = cfg or LimitConfig()
    lobby = Lobby(cfg, snapshots=snapshots, recordings=recordings)

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
