"""What all connections of a server share: who is there, and who may come.

    owner     who a client is: a token, or nobody in particular on loopback
    id        of a session; it is the owner's, and says so to who knows him
    past      a session that goes on, or one that was kept: to fork from

Ids are drawn at random and bound to their owner, so neither a list of tokens
nor a database is needed to know, after a restart, whose a session was.
"""

import asyncio
import collections
import hashlib
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from interaction_jax.serve.background.job import BackgroundModel, Report
from interaction_jax.serve.engine import Engine, FullError
from interaction_jax.serve.protocol.guest import Guest, refusing
from interaction_jax.serve.protocol.limit import LimitConfig
from interaction_jax.serve.protocol.message import Refusal
from interaction_jax.serve.protocol.shelf import Shelf
from interaction_jax.serve.protocol.tape import Tape
from interaction_jax.serve.snapshot import Snapshot

log = logging.getLogger("interaction_jax.serve")

_ID: Final = re.compile(r"sess_[0-9a-f]{40}")

_FIELD: Final = "client"
"""Under which a snapshot keeps what a protocol wants to know again."""


class Ending(Protocol):
  """A connection that can be told to end."""

  @property
  def leaving(self) -> bool:
    """Whether it has a session that is over, and whose place is soon free."""
    ...

  def finish(self, reason: str) -> None:
    """Ends it, soon."""
    ...


class Lobby:
  """The sessions of a server.

  Attributes:
    engine: None until its programs are compiled.
    cfg: what clients are granted.
    counts: what happened, by name.
    guests: by the ids of their sessions.
    talks: the connections.
  """

  def __init__(
    self,
    cfg: LimitConfig = LimitConfig(),  # noqa: B008 - frozen
    *,
    snapshots: Path | None = None,
    recordings: Path | None = None,
    background: BackgroundModel | None = None,
  ):
    """Opens a lobby without an engine.

    Args:
      snapshots: the folder of the engine's, if it has one.
      recordings: where sessions are recorded that ask for it.
      background: the slower model that sessions delegate to.
    """
    self.engine: Engine | None = None
    self.cfg = cfg
    self.counts: collections.Counter[str] = collections.Counter()
    self.guests: dict[str, Guest] = {}
    self.talks: dict[Ending, str] = {}
    self.ending = False
    self.background = background
    self._shelf = Shelf(snapshots, cfg.stored)
    self._keeps_all = snapshots is not None
    self._recordings = recordings

  def check_ready(self) -> Engine:
    """The engine.

    Raises:
      Refusal: there is none yet, or not any more.
    """
    if self.engine is None or self.ending:
      raise Refusal(
        "server_not_ready", "The server is not ready.", kind="server_error"
      )
    return self.engine

  def check_room(self) -> Engine:
    """The engine, if there is room in it.

    Raises:
      Refusal: there is none to be had now.
    """
    engine = self.check_ready()
    if engine.num_sessions >= engine.num:
      engine.meter.count("refused")
      raise Refusal(
        "server_full",
        f"All {engine.num} sessions are taken; one that ends makes room.",
        kind="server_error",
      )
    return engine

  async def _room(self) -> Engine:
    """As `check_room`, once those who are leaving are gone.

    A client has no way to know that it has left: its socket is closed before
    its place is free, and who comes right behind is not to find it taken.
    """
    while True:
      engine = self.check_ready()
      full = engine.num_sessions >= engine.num
      if not full or not any(talk.leaving for talk in self.talks):
        return self.check_room()
      await asyncio.sleep(0.005)

  def num_connections(self, owner: str) -> int:
    """Connections that an owner has."""
    return sum(one == owner for one in self.talks.values())

  async def open(
    self,
    owner: str,
    *,
    rate: int,
    instructions: str | None = None,
    seed: int | None = None,
    snapshot: Snapshot | None = None,
    store: bool = False,
    record: bool = False,
    protocol: str,
    on_report: Callable[[Report], None] | None = None,
  ) -> Guest:
    """Begins a session.

    Args:
      rate: of its sound on the wire, in Hz.
      seed: None: a random one.
      snapshot: to go on from.
      store: keep it when it is over.
      record: write it down, if the server does such a thing.
      on_report: is told of the background model; None: it is not to help.

    Raises:
      Refusal: there is no room, or something does not fit.
    """
    engine = await self._room()
    held = sum(one.owner == owner for one in self.guests.values())
    if held >= self.cfg.sessions:
      raise Refusal(
        "rate_limit_exceeded",
        f"This token has {held} sessions; {self.cfg.sessions} are the most.",
      )
    name = _name(owner)
    seed = secrets.randbits(32) if seed is None else seed
    helper = None if on_report is None else self.background
    try:
      with refusing("session"):
        live = await engine.open(
          seed=seed,
          instructions=instructions,
          snapshot=snapshot,
          name=name,
          background=helper,
          on_report=on_report or _ignore,
        )
    except FullError as error:
      raise Refusal("server_full", str(error), kind="server_error") from error
    tape = None
    if record and self._recordings is not None:
      tape = Tape(self._recordings / name)
    guest = Guest(
      live,
      owner=owner,
      rate=rate,
      words=engine.model.words,
      cfg=self.cfg,
      store=store,
      tape=tape,
    )
    self.guests[name] = guest
    self.counts[f"sessions_{protocol}"] += 1
    log.info("session opened", extra={"session": name, "protocol": protocol})
    return guest

  async def leave(
    self, guest: Guest, reason: str, told: Mapping[str, Any]
  ) -> None:
    """Ends a session, and keeps it where that was wanted.

    Args:
      told: what `past` tells of it later.
    """
    snapshot, live = None, guest.live
    keep = guest.store or (self._keeps_all and reason == "shutdown")
    try:
      if keep and live.reason is None:
        taken = await live.snapshot()
        fields = dict(taken.fields) | {_FIELD: dict(told)}
        snapshot = Snapshot(fields, taken.state, taken.audio, taken.frames)
    finally:
      self.guests.pop(guest.id, None)
      guest.close()
      await live.close()
    if snapshot is not None:
      # After its end, at which an engine forgets what it kept of a session.
      await self._shelf.put(guest.id, snapshot)
    log.info(
      "session closed",
      extra={
        "session": guest.id,
        "reason": reason,
        "heard_s": round(guest.heard_s, 1),
      },
    )

  async def keep(self, guest: Guest, told: Mapping[str, Any]) -> str:
    """Keeps a session as it is now; returns the id of what was kept."""
    taken = await guest.live.snapshot()
    fields = dict(taken.fields) | {_FIELD: dict(told)}
    name = _name(guest.owner)
    await self._shelf.put(
      name, Snapshot(fields, taken.state, taken.audio, taken.frames)
    )
    return name

  def find(self, name: str, owner: str) -> Guest:
    """A session that goes on.

    Raises:
      Refusal: there is none, or it is somebody else's.
    """
    guest = self.guests.get(name)
    if guest is None or guest.owner != owner:
      raise _unknown(name)
    return guest

  async def past(
    self, name: str, owner: str
  ) -> tuple[Snapshot, Mapping[str, Any]]:
    """A session as it is now, or as it was kept; and what was told of it.

    Raises:
      Refusal: there is none, or it is somebody else's.
    """
    if not _ID.fullmatch(name) or not _owns(owner, name):
      raise _unknown(name)
    guest = self.guests.get(name)
    if guest is not None:
      return await guest.live.snapshot(), {}
    with refusing("session_id"):
      snapshot = await self._shelf.get(name)
    if snapshot is None:
      raise _unknown(name)
    return snapshot, snapshot.fields.get(_FIELD, {})

  async def farewell(self) -> None:
    """Ends all connections; sessions are kept where there is a folder."""
    self.ending = True
    talks = list(self.talks)
    for talk in talks:
      talk.finish("shutdown")
    while any(talk in self.talks for talk in talks):
      await asyncio.sleep(0.02)


def _ignore(report: Report) -> None:
  """Nobody wants to hear of it."""


def _name(owner: str) -> str:
  drawn = secrets.token_hex(16)
  return f"sess_{drawn}{_seal(owner, drawn)}"


def _owns(owner: str, name: str) -> bool:
  return _seal(owner, name[5:37]) == name[37:]


def _seal(owner: str, drawn: str) -> str:
  return hashlib.sha256(f"{owner} {drawn}".encode()).hexdigest()[:8]


def _unknown(name: str) -> Refusal:
  return Refusal(
    "session_not_found",
    f"There is no session {name[:60]!r}, or it is not yours.",
    "session_id",
  )
