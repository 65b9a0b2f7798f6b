"""How well repetitions are counted: OBO and MAE, faithful and corrected.

    repetition    1-----  2-----  3-----  4-----
    said              one     two    three    four
    counts                               ^ from here on: the last one is 4

Reference: Hu et al. 2022, TransRAC, arXiv:2204.01018, section 5; the protocol
of spoken counts is that of Thinking Machines Lab 2026,
doi:10.64434/tml.20260511.
"""

import dataclasses
from collections.abc import Sequence

from interaction_jax.evals import numeral
from interaction_jax.evals.harness.output import Word


@dataclasses.dataclass(frozen=True)
class Count:
  """What was told of a video.

  Attributes:
    told: the last number that counts; None: there is none.
    wanted: how many repetitions there are.
  """

  told: int | None
  wanted: int

  @property
  def off_by_one(self) -> bool:
    """Whether it is right, or one off at most. Silence is not."""
    return self.told is not None and abs(self.told - self.wanted) <= 1

  @property
  def exact(self) -> bool:
    """Whether it is right."""
    return self.told == self.wanted

  @property
  def relative_error(self) -> float:
    """What the field calls MAE: |told - wanted| / (wanted + 0.1).

    Silence tells 0, as a counter that saw nothing does. Where there is nothing
    to count, each one told is an error of 10.
    """
    return abs((self.told or 0) - self.wanted) / (self.wanted + 0.1)

  @property
  def error(self) -> float:
    """By how many it is off; silence tells 0."""
    return float(abs((self.told or 0) - self.wanted))


def count(
  words: Sequence[Word],
  cycles: Sequence[tuple[float, float]],
  *,
  wanted: int | None = None,
) -> Count:
  """The last number that is said after the last repetition but one.

  Args:
    cycles: from when to when each repetition goes, in seconds.
    wanted: how many there are, where an annotation says another number than
      it has times.
  """
  after = cycles[-2][1] if len(cycles) > 1 else 0.0
  told = numeral.told(words, after=after)
  wanted = len(cycles) if wanted is None else wanted
  return Count(told[-1] if told else None, wanted)
