"""What is played to a system, and when, where only videos are published.

    ~~~~ prompt ~~~~ | pause | the video, or the sound of an item | reply |
    0                        begin                               end

A folder of data may hold a `protocol.json` with fields of its own; twins do,
since a small model has words of its own. Reports say what was asked.
"""

import dataclasses
import zlib
from collections.abc import Mapping
from typing import Final

from interaction_jax.data.synthetic import voices
from interaction_jax.evals.harness import narrator
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.narrator import Line, Spoken
from interaction_jax.turns import clock

NAME: Final = "protocol.json"


@dataclasses.dataclass(frozen=True)
class Protocol:
  """How an item is played.

  Attributes:
    prompt: what is said first; what an item is about stands for the {word} in
      it. Empty: nothing is said.
    pause: seconds of silence after it.
    reply: seconds that a system has after the end.

  Raises:
    ValueError: there is less than no time.
  """

  prompt: str = ""
  pause: float = 2.0
  reply: float = 4.0

  def __post_init__(self):
    for name in ("pause", "reply"):
      if getattr(self, name) < 0:
        raise ValueError(
          f"protocol.{name}={getattr(self, name)} must be 0 s or more."
        )

  def says(self, **about: str) -> str:
    """The prompt for an item."""
    return self.prompt.format_map(about)

  def begin(self, prompt: Spoken | None) -> float:
    """When what an item is about begins: with a turn."""
    said = prompt.seconds + self.pause if prompt is not None else 0.0
    return clock.seconds(clock.num_turns(round(said * clock.SAMPLE_RATE)))


def read(inventory: Inventory, usual: Protocol) -> Protocol:
  """The protocol of a folder: the published one, but for what it changes."""
  if not (inventory.root / NAME).is_file():
    return usual
  changed = inventory.json(NAME)
  known = {field.name for field in dataclasses.fields(Protocol)}
  if not isinstance(changed, dict) or not set(changed) <= known:
    inventory.note(NAME, f"holds other fields than {', '.join(sorted(known))}")
    return usual
  return dataclasses.replace(usual, **changed)


def spoken(texts: Mapping[str, str]) -> dict[str, Spoken]:
  """Prompts as sound, by the names of items; who speaks depends on the name.

  The voices are those that nobody was trained on.
  """
  made = narrator.speak([line(name, text) for name, text in texts.items()])
  return dict(zip(texts, made, strict=True))


def line(name: str, text: str) -> Line:
  """A text, and who says it: always the same for a name."""
  users = voices.USERS["held_out"]
  drawn = zlib.crc32(name.encode())
  slow, fast = voices.USER_RATES
  rate = slow + drawn // len(users) % (fast - slow)
  return Line(text, users[drawn % len(users)], rate, 50)
