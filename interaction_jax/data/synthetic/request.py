"""What a user says, and where it may be broken by a pause."""

import dataclasses
import zlib
from collections.abc import Callable

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.voices import Split

_RESERVED = 8
"""One combination of words in so many is kept for testing."""


@dataclasses.dataclass(frozen=True)
class Request:
  """Something the user says.

  Attributes:
    words: all of it.
    pauses: words before which the user may pause: what was said until there
      asks for nothing yet.

  Raises:
    ValueError: a pause would come where the request may be complete.
  """

  words: tuple[str, ...]
  pauses: tuple[int, ...] = ()

  def __post_init__(self):
    for pause in self.pauses:
      if self.words[pause - 1] not in world.EXPECTANT:
        raise ValueError(
          f"pauses={self.pauses}: {self.words[pause - 1]!r} may be the end of "
          f"{' '.join(self.words)!r}; a pause may follow "
          f"{sorted(world.EXPECTANT)}."
        )


@dataclasses.dataclass(frozen=True)
class Phrase:
  """A way of asking, with different words each time.

  Attributes:
    draw: one request.
    share: how often it is recorded, relative to others.
    combines: whether there are so many combinations of words that some are
      never said by those who are trained on.
    apart: words at the beginning that do not belong to the combination.
  """

  draw: Callable[[np.random.Generator], Request]
  share: float = 1.0
  combines: bool = False
  apart: int = 0

  def request(self, rng: np.random.Generator, split: Split) -> Request:
    """Draws one; what is trained on has no reserved combination."""
    while True:
      drawn = self.draw(rng)
      if not self.combines:
        return drawn
      if reserved(drawn.words[self.apart :]) == (split == "held_out"):
        return drawn


def reserved(words: tuple[str, ...]) -> bool:
  """Whether a combination of words is kept for testing."""
  return zlib.crc32(" ".join(words).encode()) % _RESERVED == 0


def fixed(*words: str, share: float = 0.3) -> Phrase:
  """A phrase that always has the same words."""
  request = Request(words)
  return Phrase(lambda rng: request, share)
