"""What is put to the test: a model in this process, or outputs in a folder.

A system takes items and yields what it did with each, in any order. The
baselines of `baseline.py` do the same.
"""

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from interaction_jax.data.record import Record
from interaction_jax.evals import account, report
from interaction_jax.evals.account import Account, Piece
from interaction_jax.evals.harness import output
from interaction_jax.evals.harness.item import Canvas, Item, Recorded
from interaction_jax.evals.harness.output import Output, Word
from interaction_jax.serve import backlog
from interaction_jax.serve.events import Event
from interaction_jax.serve.models import Model
from interaction_jax.serve.session import Session
from interaction_jax.turns import clock


@runtime_checkable
class System(Protocol):
  """Something that listens and speaks."""

  def describe(self) -> dict[str, Any]:
    """What it is, for a report: at least `name` and `digest`."""
    ...

  def problems(self, items: Sequence[Item]) -> list[str]:
    """A line for every item that it cannot do anything with."""
    ...

  def perform(
    self, items: Sequence[Item], *, seed: int, batch: int
  ) -> Iterator[tuple[Item, Output]]:
    """What it does with items, in any order.

    Args:
      batch: items at once, at most.
    """
    ...


class Ours:
  """A model of this library, run in this process.

  Recordings are run many at once; with a partner who reacts it is a session.
  """

  def __init__(self, model: Model):
    self._model = model

  def describe(self) -> dict[str, Any]:
    """The checkpoint, and where it ran."""
    return report.checkpoint(self._model)

  def problems(self, items: Sequence[Item]) -> list[str]:
    """There are none: it hears whatever there is."""
    return []

  def perform(
    self, items: Sequence[Item], *, seed: int, batch: int
  ) -> Iterator[tuple[Item, Output]]:
    """Those of like length together. Every item has a seed of its own."""
    alone = [item for item in items if not _answers(item)]
    alone.sort(key=lambda item: (item.seconds, item.key))
    for first in range(0, len(alone), batch):
      part = alone[first : first + batch]
      records = [item.open(self._canvas) for item in part]
      conducts = backlog.run(
        self._model,
        records,
        seeds=[seed_of(item, seed) for item in part],
        batch=batch,
      )
      for item, conduct in zip(part, conducts, strict=True):
        made = account.of_conduct(conduct, self._model.words)
        yield (
          item,
          Output(
            conduct.voice,
            tuple(words_of(made)),
            tuple(account.events(conduct, self._model.words)),
            (conduct.turn_ms,) * len(conduct.speaks),
          ),
        )
    for item in items:
      if _answers(item):
        yield item, self._converse(item, seed_of(item, seed))

  @property
  def _canvas(self) -> Canvas:
    video = self._model.cfg.video
    return video.rows * video.patch, video.columns * video.patch

  def _converse(self, item: Item, seed: int) -> Output:
    """A session, with somebody who reacts, or whose calls are answered."""
    record: Record | None = None
    if item.partner is None:
      record = item.open((0, 0))
      partner = Recorded(record.heard)
    else:
      partner = item.partner()
    tools = None if item.tools is None else item.tools()
    session = Session(
      self._model, seed=seed, instructions=_instructions(record)
    )
    voices, heard, times = [np.zeros(clock.SAMPLES, np.float32)], [], []
    events: list[Event] = []
    speaks: list[bool] = []
    num = clock.num_turns(round(item.seconds * clock.SAMPLE_RATE))
    for _ in range(num):
      sound = partner.speak(voices[-1])
      if sound is None:
        break
      partner.wants()
      answer = session.push(sound)
      heard.append(sound)
      voices.append(np.asarray(answer.audio, np.float32))
      events += answer.events
      times.append(answer.turns[0].compute_ms)
      speaks.append(answer.turns[0].speaks)
      for event in answer.events:
        if tools is not None and event.kind == "call":
          for at, text in tools.write(event.t, event.payload["text"]):
            session.inform(text, {"origin": "call"}, at=at)
    made = _account(events, speaks)
    length = len(heard) * clock.SAMPLES
    if record is not None:
      length = min(length, len(record.heard))
    none = [np.zeros(0, np.float32)]
    return Output(
      np.concatenate(voices[: len(heard)] or none)[:length],
      tuple(words_of(made)),
      tuple(events),
      tuple(times),
      np.concatenate(heard or none) if record is None else None,
      tuple(partner.said()),
    )


def _answers(item: Item) -> bool:
  """Whether something in an item depends on what a system does."""
  return item.partner is not None or item.tools is not None


def _instructions(record: Record | None) -> str | None:
  """What is to be read before the first turn."""
  told = () if record is None else record.text_in
  texts = [one.text for one in told if one.speaker == "instruction"]
  return " ".join(texts) or None


def _account(events: Sequence[Event], speaks: Sequence[bool]) -> Account:
  """What was audible: of turn j, in turn j + 1."""
  pieces = (
    Piece(event.turn + 1, "say", event.payload["text"])
    for event in events
    if event.kind == "say" and event.turn + 1 < len(speaks)
  )
  sounding = np.array([False, *speaks[:-1]][: len(speaks)], bool)
  return Account(sounding, tuple(pieces))


class Folder:
  """What another system did before: `DIR/NAME/output.wav` for every item.

  `output.json`, `own.json`, `events.jsonl` and `ticks.csv` may lie beside it;
  `input.wav` and `input.json` have to, where the other side reacted.
  """

  def __init__(self, path: str | Path):
    """Opens a folder.

    Raises:
      FileNotFoundError: there is none.
    """
    self.path = Path(path)
    if not self.path.is_dir():
      raise FileNotFoundError(f"outputs={str(path)!r} is not a folder.")

  def describe(self) -> dict[str, Any]:
    """Where it is, and what lies there."""
    sizes = [
      f"{path.relative_to(self.path)} {path.stat().st_size}"
      for path in sorted(self.path.rglob("*"))
      if path.is_file()
    ]
    digest = zlib.crc32("\n".join(sizes).encode())
    return {
      "name": self.path.name,
      "path": str(self.path),
      "digest": f"{digest:08x}",
    }

  def problems(self, items: Sequence[Item]) -> list[str]:
    """Items without a voice, or with one that cannot be read."""
    found = []
    for item in items:
      try:
        output.read(
          self.path / item.name, item.take, reacted=item.partner is not None
        )
      except (OSError, ValueError) as error:
        found.append(f"{item.key}: {error}")
    return found

  def perform(
    self, items: Sequence[Item], *, seed: int, batch: int
  ) -> Iterator[tuple[Item, Output]]:
    """Reads it; cut, or filled with silence, to the length of the item."""
    del seed, batch
    for item in items:
      num = round(item.seconds * clock.SAMPLE_RATE)
      folder = self.path / item.name
      yield (
        item,
        output.read(
          folder,
          item.take,
          num_samples=num,
          reacted=item.partner is not None,
        ),
      )


def words_of(made: Account) -> list[Word]:
  """The words that can be heard, as a system itself says."""
  return [Word(*span) for span in made.spans()]


def seed_of(item: Item, seed: int) -> int:
  """A seed for an item, whatever other items there are."""
  return zlib.crc32(f"{seed} {item.key}".encode()) & 0x7FFFFFFF
