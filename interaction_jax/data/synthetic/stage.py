"""One exchange: what the user does, and what the assistant does then.

The rule for its timing is one for all scenarios. Of the user's last word,
200 ms of silence have to be heard before anything may follow from it:

    turn          4        5        6        7        8
    user       --plus-- thr|ee  .. ........
    assistant                          written  f i v e

The word ends in turn 5, so turn 6 is the first that hears 200 ms of silence
to its end, and writes the answer; its sound begins with turn 7, which is
200 to 400 ms after the word. What is read or seen in a turn is answered by
that turn.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from interaction_jax.data.record import Channel
from interaction_jax.data.synthetic import request, world
from interaction_jax.data.synthetic.bank import Bank, Clip
from interaction_jax.data.synthetic.request import Phrase
from interaction_jax.data.synthetic.scene import Thing
from interaction_jax.data.synthetic.voices import Split
from interaction_jax.turns import clock

PAUSES = (0.6, 1.6)
"""How long the user pauses within a request, in seconds."""

_CAPTION_AFTER = clock.SAMPLES // 2
"""Samples of what follows a word that are heard before it is written down."""


def reply_turn(end: int) -> int:
  """The first turn that begins 200 ms or more after `end`, in samples."""
  return clock.num_turns(end) + 1


def caption_turn(end: int) -> int:
  """The turn from which on a word that ended at `end` can be on the screen.

  What follows from the word alone can be heard from then on as well.
  """
  return clock.num_turns(end + _CAPTION_AFTER)


@dataclasses.dataclass(frozen=True)
class Utterance:
  """A clip that somebody says. Times are in samples of the episode.

  Attributes:
    stretch: silence added where the clip pauses.
    level_db: how much louder than usual.
    captioned: whether the assistant writes it down: what the user says.
  """

  clip: Clip
  at: int
  stretch: int
  level_db: float = 0.0
  captioned: bool = True

  @property
  def words(self) -> tuple[str, ...]:
    """What is said."""
    return self.clip.words

  @property
  def end(self) -> int:
    """Where the last word ends."""
    return self.at + self.clip.length + self.stretch

  def word_end(self, place: int) -> int:
    """Where a word ends."""
    paused = self.clip.pause is not None and place >= self.clip.pause
    return self.at + self.clip.ends[place] + (self.stretch if paused else 0)


@dataclasses.dataclass(frozen=True)
class Noise:
  """A sound of the user's room that is no speech, in samples.

  Attributes:
    pitch: of a tone, in Hz; None: knocks.
  """

  at: int
  length: int
  pitch: float | None = None

  @property
  def end(self) -> int:
    """Where it ends."""
    return self.at + self.length


@dataclasses.dataclass(frozen=True)
class Word:
  """A word of the assistant: audible from turn `turn` to before `last`."""

  turn: int
  word: str
  last: int


@dataclasses.dataclass(frozen=True)
class Note:
  """Text that is written elsewhere, or that comes from elsewhere.

  Attributes:
    turn: in which it is there to be read.
  """

  turn: int
  channel: Channel | None
  text: str


class Stage:
  """Where a scenario plays one exchange.

  Attributes:
    rng: all that is drawn, is drawn from here.
    start: when it begins, in samples.
    seconds_left: until the conversation ends.
    memory: what earlier exchanges left for later ones. Scenarios agree on
      what is in it; "next" is the name of the one that has to come next,
      "met" that the user has been heard, "foreign" that the assistant
      translates what it says.
    utterances, noises: what there is to hear, besides the room.
    typed: what there is to read: the turn and the text.
    spoken: the assistant's words.
    notes: what it writes besides, and (channel None) what it is told by the
      background model.
    things: what there is to be seen.
    facts: for whoever judges, beside what every label has.
  """

  def __init__(
    self,
    bank: Bank,
    rng: np.random.Generator,
    *,
    split: Split,
    voice: str,
    start: int,
    seconds_left: float = math.inf,
    memory: Mapping[str, Any] | None = None,
  ):
    self.rng = rng
    self.start = start
    self.seconds_left = seconds_left
    self.memory = dict(memory or {})
    self.utterances: list[Utterance] = []
    self.noises: list[Noise] = []
    self.typed: list[tuple[int, str]] = []
    self.spoken: list[Word] = []
    self.notes: list[Note] = []
    self.things: list[Thing] = []
    self.facts: dict[str, Any] = {}
    self._bank, self._voice = bank, voice
    self._split: Split = split
    self._asked: tuple[str, ...] = ()
    self._broken: list[tuple[int, list[str]]] = []
    self._until = start

  @property
  def end(self) -> int:
    """When all is over, in samples."""
    heard = [one.end for one in (*self.utterances, *self.noises)]
    read = [(turn + 1) * clock.SAMPLES for turn, _ in self.typed]
    read += [(note.turn + 1) * clock.SAMPLES for note in self.notes]
    seen = [thing.last for thing in self.things]
    silent = self.silent_from * clock.SAMPLES
    return max([self._until, silent, *heard, *read, *seen])

  @property
  def onset(self) -> int | None:
    """The turn in which the assistant is first heard."""
    return self.spoken[0].turn if self.spoken else None

  @property
  def silent_from(self) -> int:
    """The turn from which on the assistant is silent again."""
    return max((word.last for word in self.spoken), default=0)

  @property
  def now(self) -> int:
    """The end of the last thing said or typed on either side, in samples."""
    said = [one.end for one in self.utterances]
    read = [(turn + 1) * clock.SAMPLES for turn, _ in self.typed]
    return max([self.start, *said, *read, self.silent_from * clock.SAMPLES])

  # What the user does.

  def hear(
    self,
    phrase: str,
    *,
    at: int | None = None,
    where: Callable[[tuple[str, ...]], bool] | None = None,
  ) -> Utterance:
    """The user says a clip of a phrase.

    Args:
      at: in samples; None: at the beginning of the exchange.
      where: which words will do.

    Raises:
      ValueError: the bank has none.
    """
    clip = self._draw(self._voice, phrase, where)
    said = self._add(clip, self.start if at is None else at)
    self._asked = self._asked or clip.words
    self.memory["met"] = True
    return said

  def overhear(
    self, phrase: str, *, at: int | None = None, level_db: float = -14.0
  ) -> Utterance:
    """Somebody else says a clip, further away."""
    voices = [
      v for v in self._bank.user_voices(self._split) if v != self._voice
    ]
    other = str(self.rng.choice(voices))
    clip = self._draw(other, phrase, None)
    at = self.start if at is None else at
    return self._add(clip, at, level_db=level_db, captioned=False)

  def rattle(self, *, seconds: float, at: int | None = None) -> Noise:
    """Something in the room makes a noise."""
    at = self.start if at is None else at
    noise = Noise(at, int(seconds * clock.SAMPLE_RATE))
    self.noises.append(noise)
    return noise

  def beep(self, *, at: int, seconds: float, pitch: float) -> Noise:
    """A tone."""
    noise = Noise(at, int(seconds * clock.SAMPLE_RATE), pitch)
    self.noises.append(noise)
    return noise

  def type(self, words: Sequence[str], *, at: int | None = None) -> int:
    """The user types; all of it arrives in one turn, which is returned.

    Args:
      at: in samples; None: at the beginning of the exchange.
    """
    turn = clock.num_turns(self.start if at is None else at)
    self.typed.append((turn, " ".join(words)))
    self._asked = self._asked or tuple(words)
    return turn

  def wait(self, seconds: float) -> int:
    """Nothing happens for a while; returns until when, in samples."""
    self._until = self.now + int(seconds * clock.SAMPLE_RATE)
    return self._until

  def draw_seconds(self, low: float, high: float) -> float:
    """A time between two, in seconds."""
    return float(self.rng.uniform(low, high))

  def draw_samples(self, low: float, high: float) -> int:
    """The same in samples."""
    return int(self.draw_seconds(low, high) * clock.SAMPLE_RATE)

  def request(self, phrase: Phrase) -> request.Request:
    """Draws what could be said; in training nothing that is reserved."""
    return phrase.request(self.rng, self._split)

  def allows(self, number: int) -> bool:
    """Whether a number may be a duration: some are kept for testing."""
    kept = request.reserved((str(number),))
    return kept == (self._split == "held_out")

  # What the assistant does.

  def answer(
    self, words: Sequence[str], *, pace: int | None = None
  ) -> list[Word]:
    """The assistant replies to what came last, as soon as the rule allows."""
    asked = [reply_turn(one.end) for one in self.utterances[-1:]]
    asked += [turn + 1 for turn, _ in self.typed[-1:]]
    turn = max([*asked, self.silent_from])
    return self.say(words, turn=turn, pace=pace)

  def say(
    self, words: Sequence[str], *, turn: int, pace: int | None = None
  ) -> list[Word]:
    """The assistant speaks from a turn on.

    Args:
      pace: turns from one word to the next; None: as many as each takes.
    """
    said = []
    if self.memory.get("foreign"):
      words = [world.LEXICON.get(word, word) for word in words]
    for word in words:
      length = clock.num_turns(self._bank.word(word).length)
      assert pace is None or length <= pace, f"{word} is too long"
      said.append(Word(turn, word, turn + length))
      turn += pace or length
    self.spoken += said
    return said

  def break_off(self, turn: int | None = None) -> int:
    """The assistant falls silent; returns the turn from which on.

    Args:
      turn: None: as soon as the rule allows after what was said last.
    """
    turn = reply_turn(self.utterances[-1].end) if turn is None else turn
    dropped = [word.word for word in self.spoken if word.turn >= turn]
    self.spoken = [
      dataclasses.replace(word, last=min(word.last, turn))
      for word in self.spoken
      if word.turn < turn
    ]
    self._broken.append((len(self.spoken), dropped))
    return turn

  def write(self, channel: Channel, text: str, *, turn: int) -> None:
    """The assistant writes something, there to be read from a turn on."""
    self.notes.append(Note(turn, channel, text))

  def told(self, text: str, *, turn: int) -> None:
    """The background model reports; the assistant reads it in a turn."""
    self.notes.append(Note(turn, None, text))

  def show(self, thing: Thing) -> None:
    """Something is there to be seen."""
    self.things.append(thing)

  def label(self, scenario: str) -> dict[str, Any]:
    """What happened, for whoever judges an answer. Times are in seconds."""
    rate = clock.SAMPLE_RATE
    users = [u for u in self.utterances if u.captioned]
    return {
      "scenario": scenario,
      "start": self.start / rate,
      "end": self.end / rate,
      "asked": list(self._asked),
      "typed": bool(self.typed),
      "user": [[u.at / rate, u.end / rate] for u in users],
      "pause": any(u.clip.pause is not None for u in users),
      "read_turns": [turn for turn, _ in self.typed],
      "answer": [one.word for one in self.spoken],
      "word_turns": [one.turn for one in self.spoken],
      "onset_turn": self.onset,
      "silent_turn": self.silent_from if self.spoken else None,
      "broken": [[place, dropped] for place, dropped in self._broken],
      "notes": [[note.turn, note.channel, note.text] for note in self.notes],
      **self.facts,
    }

  def _add(
    self, clip: Clip, at: int, *, level_db: float = 0.0, captioned: bool = True
  ) -> Utterance:
    stretch = 0
    if clip.pause is not None:
      there = clip.onsets[clip.pause] - clip.ends[clip.pause - 1]
      wanted = self.rng.uniform(*PAUSES) * clock.SAMPLE_RATE
      stretch = max(int(wanted) - there, 0)
    said = Utterance(clip, at, stretch, level_db, captioned)
    self.utterances.append(said)
    return said

  def _draw(
    self,
    voice: str,
    phrase: str,
    where: Callable[[tuple[str, ...]], bool] | None,
  ) -> Clip:
    """A clip of this voice, or of another where a small bank has none."""
    for clips in (
      self._bank.spoken_by(voice, phrase),
      self._bank.spoken_in(self._split, phrase),
    ):
      fitting = [c for c in clips if where is None or where(c.words)]
      if fitting:
        return fitting[int(self.rng.integers(len(fitting)))]
    raise ValueError(
      f"phrase={phrase!r}: the bank in {self._bank.path} has no such clip "
      f"for split={self._split!r}; make a new and larger one."
    )
