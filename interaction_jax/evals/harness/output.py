"""What a system did with an item, in files that every suite reads.

    output.wav      its voice, as long as what it heard, at 16 kHz
    output.json     {"text", "chunks": [{"text", "timestamp": [s, e]}]}, by the
                    recogniser; the official scorers read the same
    own.json        the same by the system itself, where it says what it says
    input.wav       the other side, where it reacted to what the system did
    input.json      the words of that side
    events.jsonl    t, turn, kind, payload
    ticks.csv       what each turn took

An item is done when all its files are there: `ticks.csv` is written last.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from interaction_jax.serve.events import Event
from interaction_jax.turns import clock

TICKS: Final = "ticks.csv"


@dataclasses.dataclass(frozen=True)
class Word:
  """A word, from when to when, in seconds."""

  text: str
  start: float
  end: float


@dataclasses.dataclass(frozen=True, eq=False)
class Output:
  """What a system did.

  Attributes:
    voice: at 16 kHz, as long as what it heard.
    own: the words it says itself that it said; None: it does not say.
    events: what happened, in order.
    turn_ms: what each turn took; empty where nobody knows.
    heard: the other side, where it reacted.
    told: the words of that side.
  """

  voice: Float[np.ndarray, " _"]
  own: tuple[Word, ...] | None = None
  events: tuple[Event, ...] = ()
  turn_ms: tuple[float, ...] = ()
  heard: Float[np.ndarray, " _"] | None = None
  told: tuple[Word, ...] = ()

  @property
  def seconds(self) -> float:
    """How long it is."""
    return len(self.voice) / clock.SAMPLE_RATE


def write(folder: Path, take: str, made: Output) -> None:
  """Writes what was done, `ticks.csv` last."""
  import soundfile

  folder.mkdir(parents=True, exist_ok=True)
  soundfile.write(folder / f"{take}output.wav", made.voice, clock.SAMPLE_RATE)
  if made.heard is not None:
    soundfile.write(folder / f"{take}input.wav", made.heard, clock.SAMPLE_RATE)
    write_words(folder / f"{take}input.json", made.told)
  if made.own is not None:
    write_words(folder / f"{take}own.json", made.own)
  lines = [f"{event.to_json()}\n" for event in made.events]
  (folder / f"{take}events.jsonl").write_text("".join(lines), encoding="utf-8")
  ticks = ["turn,audible_s,turn_ms"] + [
    f"{turn},{clock.audible(turn):.1f},{ms:.3f}"
    for turn, ms in enumerate(made.turn_ms)
  ]
  draft = folder / f".{take}{TICKS}"
  draft.write_text("\n".join(ticks) + "\n")
  draft.replace(folder / f"{take}{TICKS}")


def done(folder: Path, take: str) -> bool:
  """Whether an item has been written to the end."""
  return (folder / f"{take}{TICKS}").is_file()


def read(
  folder: Path,
  take: str,
  *,
  num_samples: int | None = None,
  reacted: bool = False,
) -> Output:
  """What lies in a folder, of this library or of another; the voice is enough.

  Args:
    num_samples: the length that it is cut or filled up to.
    reacted: whether there was another side that reacted; its sound and its
      words have to be there then, and the voice gets its length.

  Raises:
    ValueError: a file is damaged.
    FileNotFoundError: there is no voice, or no other side.
  """
  voice = _sound(folder / f"{take}output.wav")
  heard, told = None, ()
  if reacted:
    heard = _sound(folder / f"{take}input.wav")
    told = tuple(read_words(folder / f"{take}input.json"))
    num_samples = len(heard)
  if num_samples is not None:
    voice = np.pad(voice, (0, max(0, num_samples - len(voice))))[:num_samples]
  own = folder / f"{take}own.json"
  return Output(
    voice,
    own=tuple(read_words(own)) if own.is_file() else None,
    events=_events(folder / f"{take}events.jsonl"),
    turn_ms=_ticks(folder / f"{take}{TICKS}"),
    heard=heard,
    told=told,
  )


def _sound(path: Path) -> Float[np.ndarray, " _"]:
  from interaction_jax.data import media

  return np.concatenate(list(media.sound(path))).astype(np.float32)


def chunks(words: Sequence[Word]) -> list[dict[str, Any]]:
  """Words as files have them, to the millisecond."""
  return [
    {"text": one.text, "timestamp": [round(one.start, 3), round(one.end, 3)]}
    for one in words
  ]


def write_words(path: Path, words: Sequence[Word]) -> None:
  """Writes words as a recogniser of speech does; whole or not at all."""
  text = " ".join(one.text for one in words)
  draft = path.with_name(f".{path.name}")
  draft.write_text(json.dumps({"text": text, "chunks": chunks(words)}))
  draft.replace(path)


def words_in(plain: Any) -> list[Word]:
  """Words as files have them, in a list or under "chunks".

  Raises:
    KeyError, TypeError, ValueError: there are none.
  """
  listed = plain["chunks"] if isinstance(plain, dict) else plain
  return [
    Word(str(one["text"]), *(float(t) for t in one["timestamp"]))
    for one in listed
  ]


def read_words(path: Path) -> list[Word]:
  """Reads what `write_words`, or an official script, wrote.

  Raises:
    ValueError: it is no such file.
  """
  try:
    return words_in(json.loads(path.read_bytes()))
  except (ValueError, KeyError, TypeError) as error:
    raise ValueError(
      f"{path} is damaged ({error!r}); wanted is {{'text', 'chunks': [{{'text',"
      " 'timestamp': [start, end]}]}."
    ) from error


def _events(path: Path) -> tuple[Event, ...]:
  if not path.is_file():
    return ()
  events = []
  for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
    try:
      events.append(Event(**json.loads(line)))
    except (ValueError, TypeError) as error:
      raise ValueError(f"{path}:{number} is no event ({error}).") from error
  return tuple(events)


def _ticks(path: Path) -> tuple[float, ...]:
  if not path.is_file():
    return ()
  lines: list[Any] = path.read_text().splitlines()[1:]
  return tuple(float(line.split(",")[2]) for line in lines)
