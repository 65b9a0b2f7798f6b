"""What is said in twins: requests in the small world of the shipped models.

Answers have more than three words: shorter ones are no turns to the scorers.
"""

import dataclasses

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.scenarios import story
from interaction_jax.evals.cued import wording


@dataclasses.dataclass(frozen=True)
class Request:
  """Something that is asked, and what is right to say then.

  Attributes:
    parts: what is asked, in pieces between which one may pause.
  """

  parts: tuple[str, str]
  answer: str

  @property
  def text(self) -> str:
    """All that is asked."""
    return " ".join(self.parts)


def request(rng: np.random.Generator) -> Request:
  """One that is answered in a sentence."""
  return (_timer, _chart, _count)[int(rng.integers(3))](rng)


def sentence(rng: np.random.Generator) -> Request:
  """One whose answer has no word in common with a long one's, but numbers."""
  return (_timer, _chart)[int(rng.integers(2))](rng)


def long(rng: np.random.Generator) -> Request:
  """One whose answer can be interrupted."""
  return _count(rng, first=9)


def _timer(rng: np.random.Generator) -> Request:
  minutes = wording.number(int(rng.integers(2, 30)))
  return Request(
    ("set a timer for", f"{minutes} minutes"),
    f"timer set for {minutes} minutes",
  )


def _chart(rng: np.random.Generator) -> Request:
  names = wording.some(rng, wording.COLOURS, 2)
  pairs = [
    f"{name} {wording.number(int(rng.integers(2, 9)))}" for name in names
  ]
  return Request(("show a chart with", " ".join(pairs)), "here is your chart")


def _count(rng: np.random.Generator, first: int = 5) -> Request:
  last = int(rng.integers(first, 13))
  return Request(
    ("count to", wording.number(last)), " ".join(world.NUMBERS[:last])
  )


@dataclasses.dataclass(frozen=True)
class Story:
  """Pieces of a story, and what a listener says behind some of them."""

  pieces: tuple[str, ...]
  nods: dict[int, str]


def tell(rng: np.random.Generator, num: int) -> Story:
  """A story of so many pieces; behind every second one it is nodded."""
  told = [story.piece(rng) for _ in range(num)]
  return Story(
    # "and" says that more is to come.
    tuple(" ".join((*piece, "and")) for piece in told),
    {place: story.nod(told[place]) for place in range(1, num, 2)},
  )
