"""Sessions that are over and kept, because somebody asked for it.

In a folder they outlive the process; without one they are kept in memory. The
oldest makes room for the newest.
"""

import asyncio
import collections
from pathlib import Path

from interaction_jax.serve.snapshot import Snapshot


class Shelf:
  """Snapshots by the names of their sessions."""

  def __init__(self, folder: Path | None, most: int):
    self._folder, self._most = folder, most
    self._held: collections.OrderedDict[str, Snapshot]
    self._held = collections.OrderedDict()

  async def put(self, name: str, snapshot: Snapshot) -> None:
    """Keeps a snapshot."""
    if self._folder is not None:
      await asyncio.to_thread(self._save, self._folder, name, snapshot)
      return
    self._held[name] = snapshot
    self._held.move_to_end(name)
    while len(self._held) > self._most:
      self._held.popitem(last=False)

  async def get(self, name: str) -> Snapshot | None:
    """The snapshot of a session, if there is one."""
    if self._folder is None:
      return self._held.get(name)
    path = self._folder / f"{name}.snapshot"
    if not path.is_file():
      return None
    return await asyncio.to_thread(Snapshot.load, path)

  def _save(self, folder: Path, name: str, snapshot: Snapshot) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    snapshot.save(folder / f"{name}.snapshot")
    kept = sorted(
      folder.glob("*.snapshot"), key=lambda one: one.stat().st_mtime
    )
    for old in kept[: -self._most]:
      old.unlink(missing_ok=True)
