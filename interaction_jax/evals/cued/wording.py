"""Words of TimeSpeak and CueSpeak: what is asked for, and small talk.

Half of the items keep to the words of the shipped models where a kind can be
said in them; the others say it as people do. What is to be said never sounds
like another word, numbers aside, which are accepted as anybody may write them.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np

from interaction_jax.data.synthetic import world


@dataclasses.dataclass(frozen=True)
class Target:
  """Something to be said.

  Attributes:
    asked: as it stands in a request: "say ...", or "tell me to ...".
    say: what an oracle says.
    accept: what will do; see `match.Event`.
  """

  asked: str
  say: str
  accept: tuple[str, ...]


_SOUND_ALIKE: Final = frozenset(
  (
    *("bear", "horse", "sheep", "sun", "key", "flower", "plane", "tea"),
    *("bread", "rice", "boat", "drum", "ring"),
  )
)
"""Words that a recogniser may well write as others."""

PLAIN: Final = tuple(
  word for word in (*world.OBJECTS, *world.FOODS) if word not in _SOUND_ALIKE
)
"""Words to be said. Animals and colours are cues."""

ANIMALS: Final = tuple(x for x in world.ANIMALS if x not in _SOUND_ALIKE)

COLOURS: Final = tuple(x for x in world.COLOURS if x != "orange")
"""Those that are nothing else."""

_DEEDS: Final = (
  ("drink some water", ("water", "drink")),
  ("check the oven", ("oven",)),
  ("stretch your back", ("stretch", "back")),
  ("take the pills", ("pills", "pill")),
  ("breathe out slowly", ("breathe",)),
  ("call the office", ("office", "call")),
  ("look out of the window", ("window",)),
  ("stir the sauce", ("stir", "sauce")),
  ("lower your shoulders", ("shoulders", "shoulder")),
  ("turn the pancake", ("pancake", "turn")),
  ("close your eyes", ("eyes",)),
  ("feed the parrot", ("parrot", "feed")),
)
"""What somebody may be reminded of, and the words that tell which it is."""

_TALK: Final = (
  (
    "yesterday i saw my friend in the garden",
    "then i went home and had soup",
    "my teacher bought a new house in the forest",
    "in winter i like to be home with my friend",
    "the doctor had a nice time in paris",
    "sunday was warm and sunny and i was in the garden",
  ),
  (
    "the meeting took much longer than anybody had planned",
    "so we walked back along the canal and talked about work",
    "my brother still has not found the charger he lost",
    "they are painting the staircase and it smells terrible",
    "we might take the later train if the rain gets worse",
    "her new place is small but the kitchen is lovely",
  ),
)
"""Sentences of no importance: in small words, and in others."""

_SIGHTS: Final = (
  (
    "yesterday i saw a {} in the garden",
    "then i bought a {} in the old shop",
    "my friend had a {} in the house",
    "in summer i saw a {} in the small forest",
    "my teacher bought a {} for the school",
    "and the doctor saw a {} in paris",
  ),
  (
    "last week we drove out to see a {} near the lake",
    "my sister keeps telling me about a {} from her childhood",
    "the neighbours found a {} behind their garage",
    "on the way back a {} crossed the road in front of us",
    "there was a painting of a {} above the sofa",
    "later my uncle dreamed of a {} for half the night",
  ),
)
"""Sentences in which something occurs, with words behind it."""

_HOMOPHONES: Final = {1: "won", 2: "too", 4: "for", 8: "ate"}


def one(rng: np.random.Generator, options: Sequence[str]) -> str:
  """One of several."""
  return options[int(rng.integers(len(options)))]


def some(
  rng: np.random.Generator, options: Sequence[str], num: int
) -> list[str]:
  """Several of many, each at most once."""
  return [str(x) for x in rng.choice(list(options), num, replace=False)]


def words(rng: np.random.Generator, num: int) -> list[Target]:
  """Different words, to be said as they are."""
  return [Target(x, x, (x,)) for x in some(rng, PLAIN, num)]


def deeds(rng: np.random.Generator, num: int) -> list[Target]:
  """Different things to be reminded of."""
  drawn = rng.choice(len(_DEEDS), num, replace=False)
  return [Target(_DEEDS[n][0], *_DEEDS[n]) for n in drawn]


def targets(rng: np.random.Generator, num: int, *, rich: bool) -> list[Target]:
  """Different words, or, in rich items, things to be reminded of."""
  return deeds(rng, num) if rich else words(rng, num)


def talk(rng: np.random.Generator, num: int, *, rich: bool) -> list[str]:
  """Different sentences of no importance."""
  return some(rng, _TALK[rich], num)


def sights(
  rng: np.random.Generator, things: Sequence[str], *, rich: bool
) -> list[str]:
  """Sentences in which things occur, one each, in order."""
  drawn = some(rng, _SIGHTS[rich], len(things))
  return [form.format(x) for form, x in zip(drawn, things, strict=True)]


def number(value: int) -> str:
  """A number in words."""
  return " ".join(world.number(value))


def forms(value: int) -> tuple[str, ...]:
  """How a recogniser may write a number that was said."""
  alike = (_HOMOPHONES[value],) if value in _HOMOPHONES else ()
  return (number(value), str(value), *alike)


def small(text: str) -> bool:
  """Whether a text has only words that the shipped models know."""
  return set(text.split()) <= set(world.WORDS)
