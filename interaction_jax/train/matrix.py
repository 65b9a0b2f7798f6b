"""Which weights are matrices, and which of their axes are summed over.

Read off the letters of a weight alone, so that a new layer needs no entry:

    D | N H      query: D is summed over, N and H come out
    N H | D      out of attention
    E | D | F    one matrix an expert
    U D | F      summed over tokens and width

Optimizers and low-rank adapters both ask here.
"""

import dataclasses
from typing import Final

from interaction_jax.core import dims

_STACKS: Final = frozenset({"E", "O"})
"""Letters that, in front, count matrices."""

_TABLES: Final = frozenset(
  {"V D", "M Q D", "Z D", "Z K H", "R Y", "S F"}
)  # fmt: skip
"""Looked up, or multiplied element by element: no product with a vector."""


@dataclasses.dataclass(frozen=True)
class Sides:
  """The axes of a weight, in order: those of the stack, then in, then out."""

  stack: tuple[int, ...]
  inputs: tuple[int, ...]
  outputs: tuple[int, ...]


def sides(axes: str) -> Sides | None:
  """The sides of a weight with these letters; None if it is no matrix.

  A matrix begins with its inputs. They end with the D of the model, or before
  it where it comes last; without a D, the first letter alone is the input.
  """
  letters = dims.check(axes)
  if axes in _TABLES:
    return None
  first = 1 if letters and letters[0] in _STACKS else 0
  inner = letters[first:]
  if len(inner) < 2:
    return None
  if "D" not in inner:
    split = 1
  elif inner.index("D") == len(inner) - 1:
    split = len(inner) - 1
  else:
    split = inner.index("D") + 1
  order = tuple(range(len(letters)))
  return Sides(
    order[:first], order[first : first + split], order[first + split :]
  )
