"""A recorded session run again, and compared bit by bit.

What is not as it was is named, down to the file, the entry of `session.json`
or the version; whether the bits that follow still agree is seen by running it.
"""

import dataclasses
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from interaction_jax.core import settings
from interaction_jax.model.config import SamplingConfig
from interaction_jax.serve import machine, models, recording
from interaction_jax.serve.models import Model
from interaction_jax.serve.recording import Progress
from interaction_jax.serve.session import Session
from interaction_jax.turns import clock


@dataclasses.dataclass(frozen=True)
class Difference:
  """The first place where two runs part.

  Attributes:
    field: of the turn; sound and frames are compared by their digests.
    recorded, now: both values.
  """

  turn: int
  field: str
  recorded: Any
  now: Any


@dataclasses.dataclass(frozen=True)
class Comparison:
  """What came of running a session again.

  Attributes:
    num_turns: that agree, from the first.
    difference: None: every bit agrees.
    changed: what is not as it was when the session was recorded, such as a
      version: the recorded value and that of now.
    edited: files of the folder, and entries of its `session.json`, that are
      not what was written.
  """

  num_turns: int
  difference: Difference | None
  changed: Mapping[str, tuple[Any, Any]]
  edited: tuple[str, ...] = ()

  @property
  def agrees(self) -> bool:
    """Whether all that is recorded came out again, bit for bit."""
    return self.difference is None and not self.edited


def replay(
  folder: str | Path,
  *,
  load: Callable[..., Model] = models.load,
  progress: Progress | None = None,
) -> Comparison:
  """Runs the session of a folder again, up to the first difference.

  Args:
    load: finds a model by name or path.

  Raises:
    FileNotFoundError: its model is not to be found, or a part of its input.
    ValueError: the folder holds no session, or its input has changed.
  """
  folder = Path(folder)
  was = recording.read(folder)
  for name in recording.INPUTS:
    _check_input(folder / name, was["files"].get(name))
  edited, notes = recording.edited(folder, was), recording.notes(was)
  model = _model(was, load)
  session = Session(
    model,
    seed=was["seed"],
    instructions=was["instructions"],
    sampling=settings.from_dict(SamplingConfig, was["sampling"]),
  )
  texts = [(at, text) for at, text in was["texts"]]
  columns = was["turns"]
  num_turns = clock.num_turns(was["input"]["samples"])
  sound = folder / recording.INPUT
  difference, done = None, 0
  pairs = _pairs(folder, num_turns)
  for step in recording.run(session, sound, texts, pairs, notes):
    difference = _difference(done, columns, recording.fingerprint(step.turn))
    if difference is not None:
      break
    done += 1
    if progress is not None:
      progress(done, num_turns)
  return Comparison(done, difference, _changed(was, session), edited)


def report(found: Comparison) -> str:
  """What a comparison says, for people."""
  difference = found.difference
  if difference is None:
    how = "but for what was edited" if found.edited else "identical"
    lines = [f"{how}: every bit of {found.num_turns} turns agrees"]
  else:
    lines = [
      f"different from turn {difference.turn} on "
      f"({clock.audible(difference.turn):.1f} s), first in {difference.field}: "
      f"recorded {difference.recorded!r}, now {difference.now!r}"
    ]
  lines += [f"  {name} is not what was written" for name in found.edited]
  lines += [
    f"  {name} was {before!r}, is {now!r}"
    for name, (before, now) in found.changed.items()
  ]
  return "\n".join(lines)


def _check_input(path: Path, digest: str | None) -> None:
  if digest is None:
    return
  if not path.is_file():
    raise FileNotFoundError(f"{path} is missing; a session is run from it.")
  if recording.sha256(path) != digest:
    raise ValueError(f"{path} has changed since it was recorded.")


def _model(was: Mapping[str, Any], load: Callable[..., Model]) -> Model:
  """The model of a session: where it lay, or a shipped one of its name."""
  stored = was["checkpoint"]
  place = stored["path"] or stored["name"]
  if stored["path"] is not None and not Path(stored["path"]).exists():
    place = stored["name"]
  engine = was["engine"]
  return load(place, mesh=engine["mesh"], quantise=_quantised(engine))


def _quantised(engine: Mapping[str, Any]) -> dict[str, str]:
  """What was quantised; nothing was in sessions that do not say."""
  said = engine.get("quantise", {})
  if not isinstance(said, dict):
    raise ValueError(
      f"{recording.SESSION} is damaged: engine.quantise={said!r} must be an "
      "object, such as {} or {'experts': 'int8'}."
    )
  return said


def _pairs(folder: Path, num_turns: int) -> Iterator[np.ndarray | None]:
  path = folder / recording.FRAMES
  if not path.exists():
    return
  with zipfile.ZipFile(path) as file:
    names = set(file.namelist())
    for turn in range(num_turns):
      name = f"{turn:06d}.npy"
      if name not in names:
        yield None
        continue
      with file.open(name) as entry:
        yield np.lib.format.read_array(entry, allow_pickle=False)


def _difference(
  turn: int, columns: Mapping[str, list[Any]], now: Mapping[str, Any]
) -> Difference | None:
  for field, value in now.items():
    column = columns.get(field, [])
    recorded = column[turn] if turn < len(column) else None
    # Not a number is the same as itself here.
    if repr(recorded) != repr(value):
      return Difference(turn, field, recorded, value)
  return None


def _changed(
  was: Mapping[str, Any], session: Session
) -> dict[str, tuple[Any, Any]]:
  """What else the bits depend on: machine, versions, weights, engine."""

  def named(engine: Mapping[str, Any]) -> dict[str, Any]:
    return {f"engine.{name}": value for name, value in engine.items()}

  before = {
    **was["machine"],
    "checkpoint": was["checkpoint"]["digest"],
    **named({"quantise": {}} | was["engine"]),
  }
  today = {
    **machine.describe(),
    "checkpoint": session.model.digest,
    **named(recording.engine(session.model)),
  }
  return {
    name: (before.get(name), today.get(name))
    for name in {**before, **today}
    if before.get(name) != today.get(name)
  }
