"""A model run over a recording, turn by turn, into a folder.

    input.wav      what the user said, one channel at 16 kHz, floats
    frames.npz     what the camera saw: a pair of pictures a turn with video
    output.wav     the model's voice, as long as the input; a silent turn first
    stereo.wav     the user on the left, the model on the right
    events.jsonl   what happened
    session.json   all that running it again needs, and what each turn made
    timeline.png   a picture of it, drawn by whoever has it recorded

A folder gets its name when all of it is there, and is complete without the
files that it was made from.
"""

import contextlib
import dataclasses
import hashlib
import json
import math
import shutil
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float, UInt8

from interaction_jax.core import settings
from interaction_jax.data import media
from interaction_jax.model.config import SamplingConfig, VideoConfig
from interaction_jax.serve import machine, models
from interaction_jax.serve.background.job import BackgroundModel
from interaction_jax.serve.background.office import Note
from interaction_jax.serve.conversation import Turn
from interaction_jax.serve.events import Event
from interaction_jax.serve.models import Model
from interaction_jax.serve.session import Session, check_seed
from interaction_jax.turns import clock, vocabulary

FORMAT: Final = 1
SESSION: Final = "session.json"
INPUT: Final = "input.wav"
FRAMES: Final = "frames.npz"
OUTPUT: Final = "output.wav"
STEREO: Final = "stereo.wav"
EVENTS: Final = "events.jsonl"
PICTURE: Final = "timeline.png"

_ENTRIES: Final[Mapping[str, type]] = {
  "input": dict, "texts": list, "seed": int, "sampling": dict,
  "checkpoint": dict, "engine": dict, "machine": dict, "files": dict,
  "turns": dict,
}  # fmt: skip
"""What a `session.json` must have to be run again."""

INPUTS: Final = (INPUT, FRAMES)
"""What a session is run from."""

_WRITTEN: Final = (*INPUTS, OUTPUT, STEREO, EVENTS)
"""What is listed with its digest; the picture holds times that never return."""

_KNOWN: Final = frozenset({*_WRITTEN, SESSION, PICTURE})
"""All that a folder of a session holds."""

_MOST_SAMPLES: Final = (2**32 - 2**16) // 4
"""Of four bytes each: a wav file counts its bytes in 32 bits."""

Progress = Callable[[int, int], None]
"""Told how many turns are done, of how many."""


@dataclasses.dataclass(frozen=True)
class Request:
  """What to run a model over, and how.

  Attributes:
    sound: a file of any kind that `data/media.py` reads.
    video: the same; None: nothing is seen.
    texts: what the user types: seconds and words.
    instructions: read before the first turn.
  """

  sound: Path
  video: Path | None = None
  texts: tuple[tuple[float, str], ...] = ()
  instructions: str | None = None
  seed: int = 0
  sampling: SamplingConfig = models.GREEDY

  def __post_init__(self):
    check_seed(self.seed)
    for at, text in self.texts:
      vocabulary.characters(text)
      if at < 0:
        raise ValueError(
          f"text {text!r} at {at} s is before the recording begins, at 0 s."
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
  """One turn of a run over a recording.

  Attributes:
    heard: samples of the recording in this turn; in the last one fewer.
    pair: the pictures that were shown.
    notes: what a background model found, and this turn or the next one reads.
  """

  heard: Float[np.ndarray, " I"]
  pair: UInt8[np.ndarray, "2 _ _ 3"] | None
  turn: Turn
  events: tuple[Event, ...]
  notes: tuple[Note, ...] = ()


def parse_text(line: str) -> tuple[float, str]:
  """Reads `"3.0:hello"`: the seconds, and what is typed then.

  Raises:
    ValueError: no number stands before the first colon, or nothing behind it.
  """
  seconds, _, text = line.partition(":")
  try:
    at = float(seconds)
  except ValueError:
    at = math.nan
  if not text.strip() or not math.isfinite(at):
    raise ValueError(
      f"text {line!r} is not SECONDS:WORDS, such as '3.0:hello'."
    )
  return at, text.strip()


def record(
  load: Callable[[], Model],
  request: Request,
  out: str | Path,
  *,
  background: BackgroundModel | None = None,
  force: bool = False,
  progress: Progress | None = None,
  heed: Callable[["Step | None"], object] | None = None,
  finish: Callable[[Path], object] | None = None,
) -> dict[str, Any]:
  """Runs a model over a recording; returns what `session.json` holds.

  Args:
    load: gives the model; called once the input is known to be good.
    background: the slower model that it delegates to. It is given the time
      that a turn lasts, and what it finds is kept, to be read again.
    force: whether a session that lies at `out` is replaced.
    heed: is given every turn as it comes, and None behind the last.
    finish: adds to the folder before it gets its name.

  Raises:
    FileExistsError: `out` is taken.
    FileNotFoundError: there is no such file.
    ValueError: the sound, the video or a text is not what it should be.
  """
  out = Path(out).resolve()
  _check_free(out, force)
  if request.video is not None:
    next(media.pictures(request.video, [0.0]))
  with _draft(out) as folder:
    num_samples = _write_input(folder / INPUT, request.sound)
    _check_times(request, num_samples)
    model = load()
    session = Session(
      model,
      seed=request.seed,
      instructions=request.instructions,
      sampling=request.sampling,
      background=background,
    )
    pairs = _watch(request.video, clock.num_turns(num_samples), model.cfg.video)
    steps = run(session, folder / INPUT, request.texts, pairs)
    began = time.perf_counter()
    with session:
      if heed is not None:
        steps = _heeded(steps, heed)
      made = _write(folder, steps, clock.num_turns(num_samples), progress)
    took = time.perf_counter() - began
    described = _describe(folder, session, request, num_samples)
    described |= {"wall_s": round(took, 3), **made}
    described["seals"] = _seals(described)
    (folder / SESSION).write_text(json.dumps(described) + "\n")
    if finish is not None:
      finish(folder)
  return described


def run(
  session: Session,
  sound: Path,
  texts: Iterable[tuple[float, str]],
  pairs: Iterable[np.ndarray | None],
  notes: Iterable[Note] = (),
) -> Iterator[Step]:
  """Runs a session over an `input.wav`.

  Args:
    pairs: the pictures of each turn; missing ones at the end are None.
    notes: what a background model found when it was recorded.
  """
  import soundfile

  session.push(text=texts)
  pairs = iter(pairs)
  found: dict[int, list[Note]] = {}
  for note in notes:
    found.setdefault(note.turn, []).append(note)
  for heard in soundfile.blocks(sound, clock.SAMPLES, dtype="float32"):
    begin = session.time
    pair = next(pairs, None)
    seen = () if pair is None else ((begin, pair[0]), (begin + 0.1, pair[1]))
    full = np.zeros(clock.SAMPLES, np.float32)
    full[: len(heard)] = heard
    for note in found.get(session.turn, ()):
      session.inform(note.text, note.about, at=begin)
    answer = session.push(full, seen)
    # Turns are run faster than they were spoken.
    session.settle(clock.TURN_MS / 1000)
    yield Step(heard, pair, answer.turns[0], answer.events, answer.notes)


def fingerprint(turn: Turn) -> dict[str, Any]:
  """What a turn made, bit for bit: values, and digests where they are many."""
  return {
    "text": list(turn.text),
    "ended": turn.ended,
    "speaks": turn.speaks,
    "gate": turn.gate,
    "mel": _digest(turn.mel),
    "voice": _digest(turn.voice),
  }


def read(folder: str | Path) -> dict[str, Any]:
  """What the `session.json` of a folder holds.

  Raises:
    ValueError: there is none, or it is of another version.
  """
  file = Path(folder) / SESSION
  if not file.is_file():
    raise ValueError(f"{folder} holds no session: it has no {SESSION}.")
  try:
    described = json.loads(file.read_bytes())
  except ValueError as error:
    raise ValueError(f"{file} is damaged: {error}.") from error
  if not isinstance(described, dict) or described.get("format") != FORMAT:
    raise ValueError(
      f"{file} is not of format={FORMAT}, which this version of "
      "interaction_jax reads."
    )
  for name, kind in _ENTRIES.items():
    if not isinstance(described.get(name), kind):
      found = repr(described.get(name))
      raise ValueError(
        f"{file} is damaged: {name}={found[:40]} must be of type "
        f"{kind.__name__}."
      )
  return described


def notes(session: Mapping[str, Any]) -> list[Note]:
  """What a background model found when a session was recorded.

  Raises:
    ValueError: it is not what was written.
  """
  kept = []
  for entry in session.get("notes", []):
    match entry:
      case [int(turn), str(text), dict(about)]:
        kept.append(Note(turn, text, about))
      case _:
        raise ValueError(
          f"{SESSION} is damaged: notes={entry!r:.40} must be a turn, a text "
          "and an object."
        )
  return kept


def edited(folder: Path, session: Mapping[str, Any]) -> tuple[str, ...]:
  """Files, and entries of `session.json`, that are not what was written.

  The files that a session is run from are for others to check.
  """
  files = [
    name
    for name, digest in session["files"].items()
    if name not in INPUTS
    and not ((folder / name).is_file() and sha256(folder / name) == digest)
  ]
  seals = session.get("seals", {})
  found = _seals(session)
  entries = [
    f"{SESSION}: {name}"
    for name, seal in seals.items()
    if found.get(name) != seal
  ]
  return (*files, *entries)


def engine(model: Model) -> dict[str, Any]:
  """The shape of the programs that run one session of a model."""
  cfg = model.cfg
  return {
    "sessions": 1,
    "mesh": model.mesh_name,
    "quantise": dict(model.quantise),
    "text_in": cfg.turn.text_in,
    "text_out": cfg.turn.text_out,
    "block": cfg.memory.block,
  }


def summary(session: dict[str, Any], out: str | Path) -> str:
  """A line for people: how much there was, and what a turn cost."""
  cost = np.asarray(session["turns"]["compute_ms"])
  return (
    f"{out}: {session['input']['seconds']:.1f} s in {len(cost)} turns; a turn "
    f"took {np.median(cost):.0f} ms (median) and "
    f"{np.percentile(cost, 99):.0f} ms (p99) of {clock.TURN_MS} ms."
  )


def sha256(path: Path) -> str:
  """The digest of a file."""
  with path.open("rb") as file:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _write(
  folder: Path, steps: Iterable[Step], num_turns: int, progress: Progress | None
) -> dict[str, Any]:
  """Writes what each turn made as it comes.

  Returns:
    That in columns, and what a background model found.
  """
  import soundfile

  rate, kept = clock.SAMPLE_RATE, []
  columns: dict[str, list[Any]] = {}
  audible = np.zeros(clock.SAMPLES, np.float32)
  with contextlib.ExitStack() as stack:

    def wav(name: str, channels: int) -> Any:
      path = folder / name
      return stack.enter_context(soundfile.SoundFile(path, "w", rate, channels))

    output, stereo = wav(OUTPUT, 1), wav(STEREO, 2)
    path = folder / EVENTS
    events = stack.enter_context(path.open("w", encoding="utf-8"))
    frames = stack.enter_context(_Frames(folder / FRAMES))
    for step in steps:
      voice = audible[: len(step.heard)]
      output.write(voice)
      stereo.write(np.stack([step.heard, voice], axis=1))
      audible = step.turn.voice
      events.writelines(event.to_json() + "\n" for event in step.events)
      frames.add(step.turn.index, step.pair)
      made = fingerprint(step.turn) | {
        "num_read": step.turn.num_read,
        "saw": step.turn.saw,
        "compute_ms": round(step.turn.compute_ms, 3),
      }
      for name, value in made.items():
        columns.setdefault(name, []).append(value)
      kept += [[note.turn, note.text, dict(note.about)] for note in step.notes]
      if progress is not None:
        progress(step.turn.index + 1, num_turns)
  return {"turns": columns, "notes": kept}


def _heeded(
  steps: Iterator[Step], heed: Callable[[Step | None], object]
) -> Iterator[Step]:
  """The same, told to somebody else once they are dealt with."""
  for step in steps:
    yield step
    heed(step)
  heed(None)


class _Frames:
  """A file of pairs of pictures that grows pair by pair."""

  def __init__(self, path: Path):
    self._path = path
    self._file: zipfile.ZipFile | None = None

  def __enter__(self) -> "_Frames":
    return self

  def __exit__(self, *_: object) -> None:
    if self._file is not None:
      self._file.close()

  def add(self, turn: int, pair: np.ndarray | None) -> None:
    if pair is None:
      return
    if self._file is None:
      self._file = zipfile.ZipFile(self._path, "w", zipfile.ZIP_DEFLATED)
    with self._file.open(f"{turn:06d}.npy", "w") as entry:
      np.lib.format.write_array(entry, pair)


def _describe(
  folder: Path, session: Session, request: Request, num_samples: int
) -> dict[str, Any]:
  model, video = session.model, request.video
  return {
    "format": FORMAT,
    "input": {
      "name": request.sound.name,
      "sha256": sha256(request.sound),
      "samples": num_samples,
      "seconds": num_samples / clock.SAMPLE_RATE,
    },
    "video": None
    if video is None
    else {"name": video.name, "sha256": sha256(video)},
    "texts": [list(pair) for pair in request.texts],
    "instructions": request.instructions,
    "seed": request.seed,
    "sampling": settings.to_dict(request.sampling),
    "checkpoint": {
      "name": model.name,
      "path": None if model.path is None else str(model.path),
      "digest": model.digest,
    },
    "engine": engine(model),
    "machine": machine.describe(),
    "files": {
      name: sha256(folder / name)
      for name in _WRITTEN
      if (folder / name).exists()
    },
  }


def _seals(session: Mapping[str, Any]) -> dict[str, str]:
  """A digest of every entry of a `session.json`."""
  return {
    name: hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
    for name, value in session.items()
    if name != "seals"
  }


def _watch(
  video: Path | None, num_turns: int, cfg: VideoConfig
) -> Iterator[np.ndarray | None]:
  """The pictures of each turn, fitted to the canvas, until the video ends."""
  if video is None:
    return
  turns = range(0, num_turns, cfg.every)
  times = [clock.seconds(turn) + late for turn in turns for late in (0.0, 0.1)]
  shown = media.pictures(video, times)
  rows, columns = cfg.rows * cfg.patch, cfg.columns * cfg.patch
  for turn in range(num_turns):
    if turn % cfg.every:
      yield None
      continue
    first = next(shown, None)
    if first is None:
      return
    # Where the video ends within a turn its last picture stays.
    second = next(shown, first)
    yield np.stack(
      [media.fit(one, rows=rows, columns=columns) for one in (first, second)]
    )


def _write_input(path: Path, sound: Path) -> int:
  """Writes the sound as the model hears it; returns how many samples."""
  import soundfile

  num = 0
  form = {"samplerate": clock.SAMPLE_RATE, "channels": 1, "subtype": "FLOAT"}
  with soundfile.SoundFile(path, "w", **form) as file:
    for block in media.sound(sound):
      num += len(block)
      if num > _MOST_SAMPLES:
        hours = _MOST_SAMPLES / clock.SAMPLE_RATE / 3600
        raise ValueError(
          f"{sound} is longer than {hours:.1f} hours, which is what a wav file "
          "holds; cut it into parts."
        )
      file.write(block)
  return num


def _check_times(request: Request, num_samples: int) -> None:
  length = num_samples / clock.SAMPLE_RATE
  for at, text in request.texts:
    if at >= length:
      raise ValueError(
        f"text {text!r} at {at} s is after the recording ends, at "
        f"{length:.3f} s."
      )


def _check_free(out: Path, force: bool) -> None:
  for above in out.parents:
    if above.exists():
      if not above.is_dir():
        raise NotADirectoryError(
          f"{out} cannot be made: {above} is a file, not a folder."
        )
      break
  if not out.exists():
    return
  held = {path.name for path in out.iterdir()} if out.is_dir() else {out.name}
  if SESSION not in held and held:
    raise FileExistsError(
      f"{out} holds something that is not a session and is left alone; choose "
      "another folder."
    )
  if held and not force:
    raise FileExistsError(
      f"{out} holds a session already; --force replaces it."
    )
  if more := sorted(held - _KNOWN):
    raise FileExistsError(
      f"{out} holds {more[0]} beside a session, which is left alone; move it, "
      "or choose another folder."
    )


@contextlib.contextmanager
def _draft(out: Path) -> Iterator[Path]:
  """A folder that becomes `out` when all went well, and vanishes otherwise."""
  import soundfile

  draft = out.with_name(f".{out.name}.recording")
  old = out.with_name(f".{out.name}.old")
  shutil.rmtree(draft, ignore_errors=True)
  new = [folder for folder in out.parents if not folder.exists()]
  try:
    draft.mkdir(parents=True)
    yield draft
    if out.exists():
      shutil.rmtree(old, ignore_errors=True)
      out.rename(old)
    draft.rename(out)
  except soundfile.SoundFileRuntimeError as error:
    # What cannot be read is told by those who read it.
    reason = " ".join(str(error).split()).removesuffix(".")
    raise OSError(f"{out} could not be written: {reason}.") from error
  finally:
    shutil.rmtree(draft, ignore_errors=True)
    if out.exists():
      shutil.rmtree(old, ignore_errors=True)
    else:
      # Folders above it that were made for it alone.
      with contextlib.suppress(OSError):
        for folder in new:
          folder.rmdir()


def _digest(array: np.ndarray) -> str:
  return hashlib.sha256(array.tobytes()).hexdigest()[:16]
