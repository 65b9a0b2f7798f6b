"""What a scenario is made of."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from interaction_jax.data.synthetic.request import Phrase
from interaction_jax.data.synthetic.stage import Stage


def _always(memory: Mapping[str, Any]) -> bool:
  return True


@dataclasses.dataclass(frozen=True)
class Scenario:
  """One kind of exchange between a user and the assistant.

  Attributes:
    name: also that of its label.
    share: how often it comes up, relative to the others.
    play: the exchange, on a stage.
    phrases: what the user says in it, by the names of the clips in a bank.
    video: whether there has to be a camera.
    fits: whether it may come now, after all that is remembered.
  """

  name: str
  share: float
  play: Callable[[Stage], None]
  phrases: Mapping[str, Phrase] = dataclasses.field(default_factory=dict)
  video: bool = False
  fits: Callable[[Mapping[str, Any]], bool] = _always
