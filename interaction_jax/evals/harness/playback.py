"""The loudspeaker of a client: what a server sends, and when it can be heard.

    arrives      |aaaa|bb|                |cc
    heard        .aaaabbbb................cccc
    stopped                ^ what has not been heard by then never is

Sound is heard from the moment it is there, and after all that came before it.
Text comes with times, or with a run of sound whose words it has.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from interaction_jax.evals.harness.output import Word


@dataclasses.dataclass(frozen=True)
class Heard:
  """What was heard of a run of sound that was stopped, in ms."""

  run: str
  ms: int


@dataclasses.dataclass(eq=False)
class _Part:
  run: str
  start: int
  sound: Float[np.ndarray, " _"]

  @property
  def end(self) -> int:
    return self.start + len(self.sound)


class Playback:
  """One session's sound and text; times are in seconds of it."""

  def __init__(self, rate: int):
    """Begins with silence.

    Args:
      rate: of the sound that is sent, in Hz.
    """
    self.rate = rate
    self._parts: list[_Part] = []
    self._pieces: list[Word] = []
    self._said: dict[str, str] = {}
    self._sent: dict[str, int] = {}

  def play(
    self, sound: Float[np.ndarray, " _"], at: float, *, run: str = ""
  ) -> None:
    """Sound that is there at a time."""
    start = max(round(max(at, 0.0) * self.rate), self._end)
    self._sent[run] = self._sent.get(run, 0) + len(sound)
    self._parts.append(_Part(run, start, sound))

  def tell(self, text: str, begin: float, end: float) -> None:
    """A piece of text that is said from when to when."""
    self._pieces.append(Word(text, begin, end))

  def tell_of(self, run: str, text: str) -> None:
    """A piece of the text of a run of sound."""
    self._said[run] = self._said.get(run, "") + text

  def stop(self, at: float) -> Heard | None:
    """Drops what has not been heard by a time; None: all has been."""
    limit = round(at * self.rate)
    if self._end <= limit:
      return None
    run = self._parts[-1].run
    for part in self._parts:
      part.sound = part.sound[: max(0, limit - part.start)]
    self._parts = [part for part in self._parts if len(part.sound)]
    heard = sum(len(part.sound) for part in self._parts if part.run == run)
    return Heard(run, 1000 * heard // self.rate)

  def between(self, first: float, last: float) -> Float[np.ndarray, " _"]:
    """What is heard from a time to another."""
    low, high = round(first * self.rate), round(last * self.rate)
    made = np.zeros(high - low, np.float32)
    for part in self._parts:
      begin, end = max(part.start, low), min(part.end, high)
      if begin < end:
        piece = part.sound[begin - part.start : end - part.start]
        made[begin - low : end - low] = piece
    return made

  def words(self) -> list[Word]:
    """What is said, word by word.

    Of text that came with a run of sound, words share its time alike; where it
    was stopped, those at the end were never heard.
    """
    found = joined(self._pieces)
    for run, text in self._said.items():
      parts = [part for part in self._parts if part.run == run]
      if parts:
        found += self._shared(text.split(), parts, self._sent[run])
    return sorted(found, key=lambda word: word.start)

  @property
  def _end(self) -> int:
    return self._parts[-1].end if self._parts else 0

  def _shared(
    self, texts: Sequence[str], parts: Sequence[_Part], sent: int
  ) -> list[Word]:
    step = sent / max(len(texts), 1)
    found = []
    for place, text in enumerate(texts):
      begin = self._when(parts, place * step)
      if begin is None:
        break
      end = begin + step / self.rate
      found.append(Word(text, begin, min(end, parts[-1].end / self.rate)))
    return found

  def _when(self, parts: Sequence[_Part], sample: float) -> float | None:
    """When a sample of a run is heard; None: never."""
    for part in parts:
      if sample < len(part.sound):
        return (part.start + sample) / self.rate
      sample -= len(part.sound)
    return None


def joined(pieces: Sequence[Word]) -> list[Word]:
  """Pieces of text as words: one that begins with no space goes on."""
  found: list[Word] = []
  open_word = False
  for piece in sorted(pieces, key=lambda one: one.start):
    for place, text in enumerate(piece.text.split()):
      goes_on = place == 0 and open_word and not piece.text[:1].isspace()
      if goes_on and found:
        last = found[-1]
        found[-1] = Word(f"{last.text}{text}", last.start, piece.end)
      else:
        found.append(Word(text, piece.start, piece.end))
    if piece.text:
      open_word = not piece.text[-1].isspace()
  return found
