"""A recorded session run again, and compared bit by bit."""

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
  """

  num_turns: int
  difference: Difference | None
  changed: Mapping[str, tuple[Any, Any]]


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
    FileNotFoundError: its model is not to be found.
    ValueError: the folder holds no session, or its input has changed.
  """
  folder = Path(folder)
  was = recording.read(folder)
  for name, digest in was["files"].items():
    if recording.sha256(folder / name) != digest:
      raise ValueError(f"{folder / name} has changed since it was recorded.")
  model = _model(was, load)
  session = Session(
    model,
    seed=was["seed"],
    instructions=was["instructions"],
    sampling=settings.from_dict(SamplingConfig, was["sampling"]),
  )
  texts = [(at, text) for at, text in was["texts"]]
  columns = was["turns"]
  num_turns = len(columns["gate"])
  sound = folder / recording.INPUT
  difference, done = None, 0
  for step in recording.run(session, sound, texts, _pairs(folder, num_turns)):
    difference = _difference(done, columns, recording.fingerprint(step.turn))
    if difference is not None:
      break
    done += 1
    if progress is not None:
      progress(done, num_turns)
  return Comparison(done, difference, _changed(was, model))


def report(found: Comparison) -> str:
  """What a comparison says, for people."""
  difference = found.difference
  if difference is None:
    lines = [f"identical: every bit of {found.num_turns} turns agrees"]
  else:
    lines = [
      f"different from turn {difference.turn} on "
      f"({clock.audible(difference.turn):.1f} s), first in {difference.field}: "
      f"recorded {difference.recorded!r}, now {difference.now!r}"
    ]
  lines += [
    f"  {name} was {before!r}, is {now!r}"
    for name, (before, now) in found.changed.items()
  ]
  return "\n".join(lines)


def _model(was: Mapping[str, Any], load: Callable[..., Model]) -> Model:
  """The model of a session: where it lay, or a shipped one of its name."""
  stored = was["checkpoint"]
  place = stored["path"] or stored["name"]
  if stored["path"] is not None and not Path(stored["path"]).exists():
    place = stored["name"]
  return load(place, mesh=was["engine"]["mesh"])


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
    recorded = columns[field][turn]
    # Not a number is the same as itself here.
    if repr(recorded) != repr(value):
      return Difference(turn, field, recorded, value)
  return None


def _changed(
  was: Mapping[str, Any], model: Model
) -> dict[str, tuple[Any, Any]]:
  before = {**was["machine"], "checkpoint": was["checkpoint"]["digest"]}
  today = {**machine.describe(), "checkpoint": model.digest}
  return {
    name: (before.get(name), today.get(name))
    for name in {**before, **today}
    if before.get(name) != today.get(name)
  }
