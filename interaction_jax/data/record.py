"""A conversation as it happened, before it is cut into turns and tokens.

    heard        ~~~~~~~~ what is two ~~ plus three ~~~~~~~~~~~~~~~~~~
    voice        ........................................ five ........
    frames       #    #    #    #    #    #    #    #    #    #    #
    text_in      instruction: "be brief"           background: "22 degrees"
    text_out     show " what" show " is" ...       say " five"
    labels       {"scenario": "sums", "start": 0.4, ...}

Whatever a recording or a generator brings becomes one of these; all that
trains reads nothing else. It knows no model: no tokens, no budgets, no mel.
"""

import dataclasses
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, get_args

import numpy as np
from jaxtyping import Float, Int, UInt8

from interaction_jax.turns import clock

Speaker = Literal["user", "background", "instruction"]
"""Whom text that comes in is from; an instruction stands before turn 0."""

Channel = Literal["say", "show", "call", "delegate"]
"""Where text that goes out is for."""


@dataclasses.dataclass(frozen=True)
class TextIn:
  """A text that the assistant reads.

  Attributes:
    at: when it arrives, in samples.
  """

  at: int
  speaker: Speaker
  text: str


@dataclasses.dataclass(frozen=True)
class TextOut:
  """A piece of text that the assistant writes.

  Attributes:
    at: when it takes effect, in samples: where the sound of a spoken word
      begins, where a caption or a call is there to be read. The turn before
      the one in which this falls writes it.
    text: as it is appended to its channel, with the space before a word.
  """

  at: int
  channel: Channel
  text: str


NO_FRAMES: Final = np.zeros((0, 1, 1, 3), np.uint8)


@dataclasses.dataclass(frozen=True, eq=False)
class Record:
  """One conversation. All times are in samples at 16 kHz from its beginning.

  Attributes:
    heard: the user's microphone, from -1 to 1.
    voice: the assistant's own sound, when it is audible; as long as `heard`.
    speech: from where to where the assistant speaks, in order, apart.
    frames: pictures in RGB, all of one size.
    frame_times: when each was taken, ascending.
    text_in: what it reads, in order of time.
    text_out: what it writes, in order of time; of equal times, as it stands
      here.
    background: what happened to jobs of the background model, as dicts with
      at least "at" and "kind".
    labels: what a judge knows, as dicts that JSON can hold.
    lost: from where to where what the user said never arrived, in order,
      apart; `heard` is silent there.
    lost_frames: when pictures were taken that never arrived, ascending.
    source: what it was made from, for people to read.
  """

  heard: Float[np.ndarray, " W"]
  voice: Float[np.ndarray, " W"]
  speech: tuple[tuple[int, int], ...] = ()
  frames: UInt8[np.ndarray, "_ _ _ 3"] = dataclasses.field(
    default_factory=lambda: NO_FRAMES
  )
  frame_times: Int[np.ndarray, " _"] = dataclasses.field(
    default_factory=lambda: np.zeros(0, np.int64)
  )
  text_in: tuple[TextIn, ...] = ()
  text_out: tuple[TextOut, ...] = ()
  background: tuple[dict[str, Any], ...] = ()
  labels: tuple[dict[str, Any], ...] = ()
  lost: tuple[tuple[int, int], ...] = ()
  lost_frames: tuple[int, ...] = ()
  source: str = ""

  @property
  def num_turns(self) -> int:
    """Turns that cover it, the last one perhaps in part."""
    return clock.num_turns(len(self.heard))

  @property
  def seconds(self) -> float:
    """How long it is."""
    return len(self.heard) / clock.SAMPLE_RATE


def cut(record: Record, first: int, num_turns: int) -> Record:
  """Some turns of a record, as if the conversation had begun with them.

  Nobody made what is audible in the first turn of a session; so its voice is
  silent there, and what would have been written before it is left out.
  Instructions stay. Labels stay where the beginning does.

  Args:
    first: the first turn.
  """
  begin, end = first * clock.SAMPLES, (first + num_turns) * clock.SAMPLES
  end = min(end, len(record.heard))
  made = begin + clock.SAMPLES if first else 0
  voice = record.voice[begin:end].copy() if first else record.voice[begin:end]
  if first:
    voice[: clock.SAMPLES] = 0
  seen = (begin <= record.frame_times) & (record.frame_times < end)
  return Record(
    heard=record.heard[begin:end],
    voice=voice,
    speech=_clipped(record.speech, begin, made, end),
    frames=record.frames[seen],
    frame_times=record.frame_times[seen] - begin,
    text_in=tuple(
      dataclasses.replace(text, at=max(text.at - begin, 0))
      for text in record.text_in
      if begin <= text.at < end or text.speaker == "instruction"
    ),
    text_out=tuple(
      dataclasses.replace(text, at=text.at - begin)
      for text in record.text_out
      if made <= text.at <= end
    ),
    background=tuple(
      {**event, "at": event["at"] - begin}
      for event in record.background
      if begin <= event["at"] < end
    ),
    labels=record.labels if first == 0 else (),
    lost=_clipped(record.lost, begin, begin, end),
    lost_frames=tuple(
      at - begin for at in record.lost_frames if begin <= at < end
    ),
    source=record.source,
  )


def join(records: Sequence[Record]) -> Record:
  """Conversations one after the other, each beginning with a full turn.

  Their pictures are of one size; only the first may have instructions. Labels,
  which count from a beginning, are left out, but for those of the first.
  """
  begins = [0]
  for one in records:
    begins.append(begins[-1] + one.num_turns * clock.SAMPLES)
  pairs = list(zip(begins, records, strict=False))

  def later(name: str) -> tuple[Any, ...]:
    return tuple(
      dataclasses.replace(text, at=text.at + begin)
      for begin, one in pairs
      for text in getattr(one, name)
    )

  def spans(name: str) -> tuple[tuple[int, int], ...]:
    return tuple(
      (first + begin, last + begin)
      for begin, one in pairs
      for first, last in getattr(one, name)
    )

  sounds = {}
  for name in ("heard", "voice"):
    sounds[name] = np.zeros(begins[-1], np.float32)
    for begin, one in pairs:
      sounds[name][begin : begin + len(one.heard)] = getattr(one, name)
  shown = [one.frames for one in records if len(one.frames)]
  return Record(
    **sounds,
    speech=spans("speech"),
    frames=np.concatenate(shown) if shown else NO_FRAMES,
    frame_times=np.concatenate(
      [one.frame_times + begin for begin, one in pairs]
    ),
    text_in=later("text_in"),
    text_out=later("text_out"),
    background=tuple(
      {**event, "at": event["at"] + begin}
      for begin, one in pairs
      for event in one.background
    ),
    labels=records[0].labels,
    lost=spans("lost"),
    lost_frames=tuple(
      at + begin for begin, one in pairs for at in one.lost_frames
    ),
    source=" + ".join(one.source for one in records),
  )


def _clipped(
  spans: Iterable[tuple[int, int]], begin: int, low: int, high: int
) -> tuple[tuple[int, int], ...]:
  """What of spans lies from `low` to `high`, counted from `begin`."""
  return tuple(
    (max(first, low) - begin, min(last, high) - begin)
    for first, last in spans
    if max(first, low) < min(last, high)
  )


def check(record: Record) -> None:
  """Sees whether a record is one.

  Raises:
    ValueError: it is empty, its streams differ in length or hold what is no
      sound, its times do not ascend or lie outside, or it names what does
      not exist; the first such thing.
  """
  for problem in problems(record):
    raise ValueError(problem)


def problems(record: Record) -> Iterator[str]:
  """A line for everything that is wrong with a record."""
  num = len(record.heard)
  if not num:
    yield "heard is empty; a conversation has samples."
  if len(record.voice) != num:
    yield (
      f"voice has {len(record.voice)} samples and heard {num}; they are of "
      "one length."
    )
  for name in ("heard", "voice"):
    samples = getattr(record, name)
    if not np.isfinite(samples).all():
      yield f"{name} holds NaN or infinity; samples must be finite."
  if len(record.frames) != len(record.frame_times):
    yield (
      f"there are {len(record.frames)} frames and {len(record.frame_times)} "
      "frame_times; each frame has one."
    )
  yield from _spans("speech", record.speech, num)
  yield from _spans("lost", record.lost, num)
  yield from _times("frame_times", map(int, record.frame_times), num - 1)
  yield from _times("lost_frames", record.lost_frames, num - 1)
  yield from _times("text_in", (text.at for text in record.text_in), num)
  yield from _times("text_out", (text.at for text in record.text_out), num)
  yield from _named("text_in", record.text_in, "speaker", get_args(Speaker))
  yield from _named("text_out", record.text_out, "channel", get_args(Channel))
  for text in record.text_in:
    if text.speaker == "instruction" and text.at:
      yield (f"text_in: an instruction stands before turn 0, not at {text.at}.")
  yield from _events(record.background, num)
  try:
    json.dumps([record.background, record.labels], allow_nan=False)
  except (TypeError, ValueError) as error:
    yield f"background or labels cannot be written as JSON: {error}."


def _times(name: str, times: Iterable[int], last: int) -> Iterator[str]:
  """Whether times ascend from 0 to `last`."""
  times = list(times)
  for before, after in itertools.pairwise(times):
    if after < before:
      yield f"{name}: {after} comes after {before}; times ascend."
      break
  for at in times:
    if not 0 <= at <= last:
      yield f"{name}: {at} lies outside 0 to {last}, in samples."
      break


def _spans(
  name: str, spans: Iterable[tuple[int, int]], num: int
) -> Iterator[str]:
  """Whether spans are in order, apart, and within `num` samples."""
  before = 0
  for first, last in spans:
    if not before <= first < last <= num:
      yield (
        f"{name}: {first} to {last} does not lie between {before}, where the "
        f"one before it ends, and {num}, the end."
      )
      return
    before = last


def _named(
  name: str, texts: Iterable[Any], field: str, known: tuple[str, ...]
) -> Iterator[str]:
  for text in texts:
    if getattr(text, field) not in known:
      yield (
        f"{name}: {field}={getattr(text, field)!r} is none of "
        f"{', '.join(known)}."
      )
    if not text.text:
      yield f"{name}: the text at {text.at} is empty."


def _events(events: Iterable[dict[str, Any]], num: int) -> Iterator[str]:
  for event in events:
    if not isinstance(event.get("at"), int) or "kind" not in event:
      yield f"background: {event} has no whole number 'at', or no 'kind'."
      return
  yield from _times("background", (event["at"] for event in events), num)
