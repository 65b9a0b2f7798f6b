"""Whom the suite is spoken by: banks of voices nobody was trained on.

A bank is made when it is first asked for, and kept in the user's cache.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Final, Literal

from interaction_jax.data import synthetic
from interaction_jax.data.synthetic import bank as banks
from interaction_jax.data.synthetic import recorder, voices
from interaction_jax.data.synthetic.bank import Bank

Synthesiser = Literal["usual", "klatt"]
"""`usual` is that of training, with voices kept for testing; for `klatt` see
`voices.KLATT`."""

_KEEP: Final = 6
"""Banks that stay in the cache."""


def get(
  synthesiser: Synthesiser,
  *,
  seed: int,
  num_clips: int = 2400,
  cache: Path | None = None,
) -> Bank:
  """A bank of held-out voices, made or taken from the cache.

  Args:
    cache: None: a folder of the user's cache.

  Raises:
    ImportError: the synthesiser is not installed.
    ValueError: there are too few clips, or a bank in the cache is damaged.
  """
  users = {"usual": voices.USERS["held_out"], "klatt": voices.KLATT}
  said_by = users[synthesiser]
  cache = home() if cache is None else cache
  path = cache / _name(said_by, seed, num_clips)
  if not path.exists():
    cache.mkdir(parents=True, exist_ok=True)
    draft = cache / f".{path.name}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    try:
      recorder.make(
        draft,
        seed=seed,
        num_clips=num_clips,
        num_shards=2,
        users={"train": (), "held_out": said_by},
      )
      if not path.exists():
        draft.rename(path)
    finally:
      shutil.rmtree(draft, ignore_errors=True)
    _prune(cache)
  return banks.load(path)


def home() -> Path:
  """The folder of the user's cache in which banks are kept."""
  base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
  return Path(base) / "interaction_jax" / "banks"


def _name(users: tuple[str, ...], seed: int, num_clips: int) -> str:
  """A name that depends on all that a bank is made from."""
  made_from: list[Any] = [banks.FORMAT, users, seed, num_clips]
  digest = hashlib.sha256(json.dumps(made_from).encode())
  (folder,) = synthetic.__path__
  for source in sorted(Path(folder).rglob("*.py")):
    digest.update(source.read_bytes())
  return digest.hexdigest()[:24]


def _prune(cache: Path) -> None:
  kept = sorted(
    (path for path in cache.iterdir() if not path.name.startswith(".")),
    key=lambda path: path.stat().st_mtime,
  )
  for old in kept[:-_KEEP]:
    shutil.rmtree(old, ignore_errors=True)
