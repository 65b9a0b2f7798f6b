"""An examiner who talks to a system, and reacts to what it hears of it.

    slow   examiner ~~~~~              ~~~~~      goes on when it was silent
           system          ~~~~~~~~               for a while
    fast   examiner ~~~~~             ~~~~~       goes on at once, and into
           system          ~~~~~~~~~~~~~          what takes too long

It hears only whether there is a voice. What it says was fixed before: the
published one, a speech model, finds its own words for its goals.

Reference: Lin et al. 2025, Full-Duplex-Bench-v2, arXiv:2510.07838.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np
from jaxtyping import Float

from interaction_jax.evals.harness import detector
from interaction_jax.evals.harness.narrator import Spoken
from interaction_jax.evals.harness.output import Word
from interaction_jax.turns import clock

Pace = Literal["fast", "slow"]


@dataclasses.dataclass(frozen=True)
class Pacing:
  """When an examiner goes on, in turns.

  Attributes:
    gap: of silence behind a reply.
    patience: of silence where no reply comes.
    longest: of a reply, until it is interrupted; None: never.
  """

  gap: int
  patience: int
  longest: int | None = None


PACING: Final[Mapping[Pace, Pacing]] = {
  "fast": Pacing(gap=2, patience=15, longest=15),
  "slow": Pacing(gap=6, patience=30),
}
"""Fast: behind 0.4 s of silence, or 3 s into a reply, or after 3 s without
one. Slow: behind 1.2 s of silence, or after 6 s without a reply. Ours: that
one is more eager than the other is all that is published."""

FIRST: Final = 2
"""The turn in which the examiner begins."""


@dataclasses.dataclass(frozen=True, eq=False)
class Stage:
  """Something the examiner wants to get done.

  Attributes:
    spoken: what it says.
    answer: what an oracle says then.
  """

  spoken: Spoken
  answer: str


class Examiner:
  """Says one line after the other, each when it is time for it."""

  def __init__(self, stages: Sequence[Stage], pacing: Pacing):
    self._stages, self._pacing = stages, pacing
    self._turn, self._place = 0, 0
    self._begins: int | None = FIRST
    self._line: list[Float[np.ndarray, " W"]] = []
    self._said: list[Word] = []
    self._wanted: str | None = None
    # Since the last line: turns with a voice, and of silence at the end.
    self._voiced, self._silent = 0, 0

  def speak(
    self, heard: Float[np.ndarray, " W"]
  ) -> Float[np.ndarray, " W"] | None:
    """What is audible of it in this turn; it knows only earlier ones."""
    if self._begins == self._turn:
      self._begin()
    if not self._line and self._place == len(self._stages) and self._is_over():
      return None
    sound = np.zeros(clock.SAMPLES, np.float32)
    if self._line:
      sound = self._line.pop(0)
      if not self._line:
        self._wanted = self._stages[self._place - 1].answer
    elif self._place:
      self._listen(heard)
    self._turn += 1
    return sound

  def wants(self) -> str | None:
    """What is right to be said now that a line has ended."""
    wanted, self._wanted = self._wanted, None
    return wanted

  def said(self) -> Sequence[Word]:
    """The words of all lines that have begun."""
    return tuple(self._said)

  def _begin(self) -> None:
    """Begins with the next line."""
    spoken = self._stages[self._place].spoken
    at = clock.seconds(self._turn)
    self._said += [
      Word(one.text, one.start + at, one.end + at) for one in spoken.words
    ]
    num = max(clock.num_turns(len(spoken.sound)), 1)
    sound = np.zeros(num * clock.SAMPLES, np.float32)
    sound[: len(spoken.sound)] = spoken.sound
    self._line = list(sound.reshape(num, clock.SAMPLES))
    self._place += 1
    self._begins, self._voiced, self._silent = None, 0, 0

  def _listen(self, heard: Float[np.ndarray, " W"]) -> None:
    """Hears a turn behind its line, and decides whether to go on."""
    if detector.loud(heard).any():
      self._voiced, self._silent = self._voiced + 1, 0
    else:
      self._silent += 1
    if self._place < len(self._stages) and self._is_over():
      self._begins = self._turn + 1

  def _is_over(self) -> bool:
    """Whether a reply is over, or none will come, or it takes too long."""
    longest = self._pacing.longest
    if longest is not None and self._voiced >= longest:
      return True
    gap = self._pacing.gap if self._voiced else self._pacing.patience
    return self._silent >= gap
