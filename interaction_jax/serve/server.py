"""The server: sockets and a page in front of an engine.

    /v1/live/sessions   OpenAI Live; /{id}/fork and /{id}/attach beside it;
                        over plain HTTP, what a client would meet
    /v1/realtime        OpenAI Realtime, as of its general availability
    /api/chat           Moshi
    /                   the page, if there is one
    /healthz            200 once everything is compiled, else 503
    /metrics            what is counted, as Prometheus reads it

It listens at once, and lets people in once the engine is there. When it is
told to end, sessions are kept, where there is a folder for it, and each client
is told. What is logged, a line of JSON each, never holds what was said.
"""

import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from interaction_jax.serve import access, meter
from interaction_jax.serve.access import Access, DeniedError
from interaction_jax.serve.engine import Engine
from interaction_jax.serve.protocol import live, moshi, realtime
from interaction_jax.serve.protocol.line import Line
from interaction_jax.serve.protocol.lobby import Lobby
from interaction_jax.serve.protocol.message import Refusal
from interaction_jax.serve.protocol.talk import Talk
from interaction_jax.serve.web import page as web

log = logging.getLogger("interaction_jax.serve")

_STATUS: Final = {"server_full": 503, "server_not_ready": 503}


@dataclasses.dataclass(frozen=True)
class Place:
  """Where a server listens.

  Attributes:
    port: 0 lets the system choose.
    cert, key: files in PEM; None: TLS is the proxy's, or nobody's.
  """

  host: str = "127.0.0.1"
  port: int = 8080
  cert: Path | None = None
  key: Path | None = None

  def __post_init__(self):
    if not 0 <= self.port < 65_536:
      raise ValueError(f"--port={self.port} must lie in 0 to 65535.")
    if (self.cert is None) != (self.key is None):
      raise ValueError("--tls-cert and --tls-key are of use together only.")
    for name, path in (("cert", self.cert), ("key", self.key)):
      if path is not None and not path.is_file():
        raise FileNotFoundError(f"--tls-{name}={path} is not a file.")

  def bound(self) -> socket.socket:
    """A socket of this address, which nobody else gets.

    Raises:
      OSError: somebody has it, or it is not of this machine.
    """
    family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
    try:
      return socket.create_server((self.host, self.port), family=family)
    except OSError as error:
      raise OSError(
        f"--host={self.host} --port={self.port}: {error.strerror}."
      ) from error


def app(
  lobby: Lobby,
  rules: Access,
  make: Callable[[], Engine],
  *,
  page: Path = web.FOLDER,
) -> Starlette:
  """The application.

  Args:
    make: an engine; called beside everything else, since it compiles.
    page: a folder of files that are served at /.
  """

  def talks(
    enter: Callable[[Line, str], Awaitable[None]],
  ) -> Callable[[WebSocket], Awaitable[None]]:
    async def endpoint(socket: WebSocket) -> None:
      await _enter(socket, lobby, rules, enter)

    return endpoint

  def run(build: Callable[..., Talk]) -> Callable[..., Awaitable[None]]:
    async def enter(line: Line, owner: str) -> None:
      await build(lobby, line, owner).run()

    return enter

  async def attach(line: Line, owner: str) -> None:
    talk, guest = live.find(lobby, line.path["origin"], owner)
    side = talk.attach(guest, line)
    try:
      await side.run()
    finally:
      talk.detach(side)

  async def healthz(request: Request) -> Response:
    engine = lobby.engine
    ready = engine is not None and engine.healthy and not lobby.ending
    told = {"ready": ready, **({} if engine is None else _room(engine))}
    return JSONResponse(told, 200 if ready else 503)

  async def metrics(request: Request) -> Response:
    rules.owner(request)
    counted = {f"server_{name}": n for name, n in lobby.counts.items()}
    counted["server_connections_open"] = len(lobby.talks)
    if lobby.engine is not None:
      counted |= lobby.engine.report()
    return PlainTextResponse(meter.text(counted))

  async def look(request: Request) -> Response:
    """What a socket would meet, for browsers, which are not told."""
    try:
      _admit(request, lobby, rules)
    except DeniedError as error:
      return JSONResponse({"status": error.status, "why": error.why})
    return JSONResponse({"status": 200, **live.offer(lobby)})

  async def denied(request: Request, error: Exception) -> Response:
    assert isinstance(error, DeniedError), "another error came here"
    return JSONResponse({"error": error.why}, error.status)

  routes: list[BaseRoute] = [
    Route("/v1/live/sessions", look),
    WebSocketRoute("/v1/live/sessions", talks(run(live.LiveTalk))),
    WebSocketRoute(
      "/v1/live/sessions/{origin}/fork", talks(run(live.LiveTalk))
    ),
    WebSocketRoute("/v1/live/sessions/{origin}/attach", talks(attach)),
    WebSocketRoute("/v1/realtime", talks(run(realtime.RealtimeTalk))),
    WebSocketRoute("/api/chat", talks(run(moshi.MoshiTalk))),
    Route("/healthz", healthz),
    Route("/metrics", metrics),
  ]
  if (page / "index.html").is_file():
    routes.append(Mount("/", web.Page(page)))

  @contextlib.asynccontextmanager
  async def lifespan(_: Starlette) -> AsyncIterator[None]:
    opening = asyncio.create_task(_open(lobby, make))
    try:
      yield
    finally:
      opening.cancel()
      await asyncio.gather(opening, return_exceptions=True)

  return Starlette(
    routes=routes,
    lifespan=lifespan,
    exception_handlers={DeniedError: denied},
  )


class Server(uvicorn.Server):
  """A server that lets its sessions end before it does."""

  def __init__(self, lobby: Lobby, application: Starlette, place: Place):
    super().__init__(
      uvicorn.Config(
        application,
        host=place.host,
        port=place.port,
        ssl_certfile=place.cert,
        ssl_keyfile=place.key,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="websockets-sansio",
        ws_max_size=lobby.cfg.message_bytes,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=10,
      )
    )
    self._lobby = lobby

  async def startup(self, sockets: Any = None) -> None:
    """Listens, and tells where: the system may have chosen the port."""
    await super().startup(sockets)
    if self.servers:
      host, port = self.servers[0].sockets[0].getsockname()[:2]
      host = f"[{host}]" if ":" in host else host
      scheme = "https" if self.config.is_ssl else "http"
      log.info("listening", extra={"at": f"{scheme}://{host}:{port}"})

  async def shutdown(self, sockets: Any = None) -> None:
    """Sends everybody home, then ends."""
    await self._lobby.farewell()
    await super().shutdown(sockets)


def run(
  place: Place, lobby: Lobby, rules: Access, make: Callable[[], Engine]
) -> None:
  """Serves until it is told to end, and leaves with code 0.

  Raises:
    OSError: nobody can listen there.
  """
  # Told before an engine is made, which takes long.
  listening = place.bound()
  log_to_stderr()
  with _leaving_well():
    Server(lobby, app(lobby, rules, make), place).run(sockets=[listening])


@contextlib.contextmanager
def _leaving_well() -> Iterator[None]:
  """The process ends once all is put away, whoever still computes.

  uvicorn then gives itself the signal that it was told to end by.
  """
  signals = (signal.SIGINT, signal.SIGTERM)
  before = [signal.signal(one, lambda *told: os._exit(0)) for one in signals]
  try:
    yield
  finally:
    for one, handler in zip(signals, before, strict=True):
      signal.signal(one, handler)


def log_to_stderr() -> None:
  """Logs in lines of JSON."""
  handler = logging.StreamHandler()
  handler.setFormatter(_Lines())
  log.addHandler(handler)
  log.setLevel(logging.INFO)
  log.propagate = False


class _Lines(logging.Formatter):
  """A record as a line of JSON, with what was passed as `extra`."""

  _USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

  def format(self, record: logging.LogRecord) -> str:
    told = {
      "time": round(record.created, 3),
      "level": record.levelname.lower(),
      "event": record.getMessage(),
      **{k: v for k, v in vars(record).items() if k not in self._USUAL},
    }
    if record.exc_info:
      # Where it happened; what values were there is nobody's business.
      kind, _, trace = record.exc_info
      told["error"] = getattr(kind, "__name__", "")
      told["where"] = _places(trace)
    return json.dumps(told, default=str)


def _places(trace: Any) -> list[str]:
  found = []
  while trace is not None:
    code = trace.tb_frame.f_code
    found.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
    trace = trace.tb_next
  return found[-8:]


async def _open(lobby: Lobby, make: Callable[[], Engine]) -> None:
  """Brings the engine up, and holds it until the server ends."""
  began = time.monotonic()
  try:
    engine = await asyncio.to_thread(make)
  except Exception:
    # The server stays, and says that it is not well.
    log.exception("engine failed")
    return
  async with engine:
    lobby.engine = engine
    took = round(time.monotonic() - began, 1)
    log.info("ready", extra={"seconds": took, **_room(engine)})
    try:
      await asyncio.get_running_loop().create_future()
    finally:
      lobby.engine = None


async def _enter(
  socket: WebSocket,
  lobby: Lobby,
  rules: Access,
  enter: Callable[[Line, str], Awaitable[None]],
) -> None:
  """Lets somebody in, or says why not."""
  try:
    owner = _admit(socket, lobby, rules)
  except DeniedError as error:
    await _turn_away(socket, lobby, error.status, error.why)
    return
  await socket.accept(access.subprotocol(socket))
  lobby.counts["connections"] += 1
  line = Line(socket, lobby.cfg)
  try:
    await enter(line, owner)
  except Refusal as refusal:
    await line.close(1008, refusal.code)
  except Exception:
    # A mistake of ours must not be felt by anybody else.
    lobby.counts["connections_failed"] += 1
    log.exception("connection failed", extra={"path": _route(socket)})
    await line.close(1011, "failed")


def _admit(came: HTTPConnection, lobby: Lobby, rules: Access) -> str:
  """Who somebody is, if there may be a connection.

  Raises:
    DeniedError: there may not.
  """
  owner = rules.owner(came)
  try:
    lobby.check_ready()
  except Refusal as refusal:
    status = _STATUS.get(refusal.code, 403)
    raise DeniedError(status, refusal.message) from refusal
  if lobby.num_connections(owner) >= lobby.cfg.connections:
    raise DeniedError(429, "too many connections")
  return owner


async def _turn_away(
  socket: WebSocket, lobby: Lobby, status: int, why: str
) -> None:
  lobby.counts["connections_denied"] += 1
  log.info("denied", extra={"status": status, "path": _route(socket)})
  await socket.send_denial_response(JSONResponse({"error": why}, status))


def _room(engine: Engine) -> dict[str, Any]:
  return {"sessions": engine.num_sessions, "slots": engine.num}


def _route(came: HTTPConnection) -> str:
  """The path without what is somebody's own."""
  origin = came.path_params.get("origin")
  path = came.url.path
  return path.replace(origin, "{id}") if origin else path
