"""What a row of the suite is: which exchanges, which judge, which threshold."""

import dataclasses
import operator
from collections.abc import Mapping
from typing import Literal

from interaction_jax.evals.behaviours.exchange import Judge

Chance = Literal["swapped", "shifted"]
"""What somebody does who only guesses: at the right moments what was wanted in
another exchange of the row, or what is wanted here at random moments."""


@dataclasses.dataclass(frozen=True)
class Limit:
  """Something that has to hold besides the score, for a row to be passed.

  Attributes:
    field: of the row's numbers.
    most: whether `bound` is the most or the least.
  """

  field: str
  bound: float
  most: bool = True

  def holds(self, numbers: Mapping[str, float | None]) -> bool:
    """Whether it does; a number that is missing does not."""
    value = numbers.get(self.field)
    compare = operator.le if self.most else operator.ge
    return value is not None and compare(value, self.bound)


@dataclasses.dataclass(frozen=True)
class Row:
  """One behaviour.

  Attributes:
    name: in the report.
    about: what a hit is, in a line.
    threshold: the least score that passes.
    scenarios: which exchanges come up in its conversations, and how often.
    judge: says of each of them what it was worth.
    chance: how somebody would do who only guesses.
    limits: what else has to hold.
    num_turns: of a conversation.
    sees: whether there is a camera.
  """

  name: str
  about: str
  threshold: float
  scenarios: Mapping[str, float]
  judge: Judge
  chance: Chance = "swapped"
  limits: tuple[Limit, ...] = ()
  num_turns: int = 100
  sees: bool = False
