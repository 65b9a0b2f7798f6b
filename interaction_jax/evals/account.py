"""What a model did in a conversation, as a judge reads it.

    turn       3    4    5    6    7    8
    sounding   .    .    #    #    #    .         one stretch, 5 to 8
    say             " five"                       audible from turn 5 on

It is made from what a model put out, or from what a recording says was right;
a judge cannot tell which. Every turn here is the one in which something is
audible, or there to be read.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Bool

from interaction_jax.data.record import Channel, Record
from interaction_jax.serve.backlog import Conduct
from interaction_jax.serve.events import Event, Narrator
from interaction_jax.turns import clock
from interaction_jax.turns.vocabulary import Vocabulary

_CHANNELS: dict[str, Channel] = {
  "say": "say",
  "show": "show",
  "call": "call",
  "delegate": "delegate",
}


@dataclasses.dataclass(frozen=True)
class Piece:
  """Text of a channel, there from a turn on."""

  turn: int
  channel: Channel
  text: str


@dataclasses.dataclass(frozen=True)
class Word:
  """A word, and the turn in which it begins."""

  turn: int
  text: str


@dataclasses.dataclass(frozen=True, eq=False)
class Account:
  """What was done, turn by turn.

  Attributes:
    sounding: turns in which there is a voice.
    pieces: text, in order of time.
  """

  sounding: Bool[np.ndarray, " J"]
  pieces: tuple[Piece, ...]

  @property
  def num_turns(self) -> int:
    """Turns there are."""
    return len(self.sounding)

  def text(self, channel: Channel) -> str:
    """All text of a channel."""
    return "".join(p.text for p in self.pieces if p.channel == channel)

  def words(self, channel: Channel = "say") -> list[Word]:
    """The words of a channel, put together from pieces."""
    found: list[Word] = []
    inside = False
    for piece in self.pieces:
      if piece.channel != channel:
        continue
      for place, part in enumerate(_parts(piece.text)):
        if part.isspace():
          inside = False
        elif inside and place == 0:
          found[-1] = Word(found[-1].turn, found[-1].text + part)
        else:
          found.append(Word(piece.turn, part))
          inside = True
    return found

  def said(self) -> list[Word]:
    """The words that can be heard: of those on `say`, with a voice to them.

    A model writes a word when its sound begins, or a little earlier.
    """
    return [
      word
      for word in self.words()
      if self.sounding[word.turn : word.turn + _AHEAD + 1].any()
    ]

  def spans(self) -> list[tuple[str, float, float]]:
    """Words that can be heard, from when to when, in seconds.

    Each lasts until the next one, or until its voice ends.
    """
    words = self.said()
    if not words:
      return []
    ends = [*(word.turn for word in words[1:]), self.num_turns]
    stretches = self.stretches(gap=0)
    found = []
    for word, after in zip(words, ends, strict=True):
      until = [last for first, last in stretches if first <= word.turn + 2]
      last = max(word.turn + 1, min(after, until[-1] if until else after))
      times = clock.seconds(word.turn), clock.seconds(last)
      found.append((word.text, *times))
    return found

  def wordless(self) -> float | None:
    """The share of turns with a voice that are far from any word of it."""
    near = np.zeros(self.num_turns, bool)
    for word in self.said():
      near[max(word.turn - 1, 0) : word.turn + _WORD_TURNS] = True
    sounding = int(self.sounding.sum())
    return float((self.sounding & ~near).sum() / sounding) if sounding else None

  def stretches(self, *, gap: int = 1) -> list[tuple[int, int]]:
    """From which turn to before which there is a voice, again and again.

    Args:
      gap: silent turns that do not end a stretch.
    """
    found: list[tuple[int, int]] = []
    for turn in np.flatnonzero(self.sounding).tolist():
      if found and turn - found[-1][1] <= gap:
        found[-1] = (found[-1][0], turn + 1)
      else:
        found.append((turn, turn + 1))
    return found

  def cut(self, first: int, last: int) -> "Account":
    """Only what was done from turn `first` to before `last`."""
    turns = np.arange(self.num_turns)
    return Account(
      self.sounding & (first <= turns) & (turns < last),
      tuple(piece for piece in self.pieces if first <= piece.turn < last),
    )

  def moved(self, by: int, num_turns: int) -> "Account":
    """All of it so many turns later, in a conversation of another length.

    What leaves the conversation is lost.
    """
    sounding = np.zeros(num_turns, bool)
    turns = np.flatnonzero(self.sounding) + by
    sounding[turns[(turns >= 0) & (turns < num_turns)]] = True
    pieces = (
      dataclasses.replace(piece, turn=piece.turn + by) for piece in self.pieces
    )
    return Account(
      sounding, tuple(p for p in pieces if 0 <= p.turn < num_turns)
    )

  def rolled(self, by: int, first: int, last: int) -> "Account":
    """What was done from `first` to before `last`, so many turns later.

    What would leave that stretch at its end comes in at its beginning.
    """
    part = self.cut(first, last)
    length = last - first
    sounding = part.sounding.copy()
    sounding[first:last] = np.roll(sounding[first:last], by)
    pieces = [
      dataclasses.replace(
        piece, turn=first + (piece.turn - first + by) % length
      )
      for piece in part.pieces
    ]
    return Account(sounding, tuple(sorted(pieces, key=lambda one: one.turn)))


_AHEAD = 2
"""Turns that a word may be written before it is heard."""

_WORD_TURNS = 6
"""Turns in which a word is over, with those before it is heard."""


def silent(num_turns: int) -> Account:
  """Of somebody who does nothing."""
  return Account(np.zeros(num_turns, bool), ())


def joined(parts: Sequence[Account]) -> Account:
  """Several of one conversation as one.

  Raises:
    ValueError: there is none, or they differ in length.
  """
  if len({part.num_turns for part in parts}) != 1:
    raise ValueError(
      f"accounts of {[part.num_turns for part in parts]} turns cannot be "
      "joined; one or more of one length can."
    )
  pieces = [piece for part in parts for piece in part.pieces]
  return Account(
    np.any([part.sounding for part in parts], axis=0),
    tuple(sorted(pieces, key=lambda piece: piece.turn)),
  )


def of_record(record: Record) -> Account:
  """What a recording says was right."""
  num = record.num_turns
  sounding = np.zeros(num, bool)
  for first, last in record.speech:
    sounding[first // clock.SAMPLES : clock.num_turns(last)] = True
  return Account(
    sounding,
    tuple(
      Piece(one.at // clock.SAMPLES, one.channel, one.text)
      for one in record.text_out
      if one.at < num * clock.SAMPLES
    ),
  )


def of_conduct(conduct: Conduct, words: Vocabulary) -> Account:
  """What a model did; see `events` for the same as it is told to people."""
  num = len(conduct.speaks)
  pieces = (
    Piece(event.turn + 1, _CHANNELS[event.kind], event.payload["text"])
    for event in events(conduct, words)
    if event.kind in _CHANNELS and event.turn + 1 < num
  )
  return Account(np.append(False, conduct.speaks[:-1]), tuple(pieces))


def events(conduct: Conduct, words: Vocabulary) -> list[Event]:
  """What happened, as an `events.jsonl` has it."""
  narrator = Narrator(words)
  return [
    event
    for turn, tokens in enumerate(conduct.text)
    for event in narrator.tell(turn, tokens, speaks=bool(conduct.speaks[turn]))
  ]


def _parts(text: str) -> Iterable[str]:
  """A text as runs of letters and runs of space."""
  run = ""
  for sign in text:
    if run and sign.isspace() != run[-1].isspace():
      yield run
      run = ""
    run += sign
  if run:
    yield run
