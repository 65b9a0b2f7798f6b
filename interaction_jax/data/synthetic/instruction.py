"""What the assistant is told before a conversation begins, and always knows."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from interaction_jax.data.synthetic import world


@dataclasses.dataclass(frozen=True)
class Instruction:
  """A text that stands before a conversation.

  Attributes:
    memory: what follows from it, as scenarios remember things.
  """

  text: str
  memory: Mapping[str, Any]


def draw(rng: np.random.Generator) -> Instruction:
  """To be quiet, to translate all that is said, or to know something."""
  match int(rng.integers(4)):
    case 0:
      # Until the user says "talk again".
      return Instruction("be quiet", {"next": "hush"})
    case 1:
      return Instruction("translate what you say", {"foreign": True})
    case 2:
      city = str(rng.choice(world.CITIES))
      return Instruction(f"my city is {city}", {"city": city})
  word = str(rng.choice(world.THINGS))
  return Instruction(f"remember {word}", {"word": word})
