"""One exchange of a conversation, and what a judge may say of it.

    label     when the user spoke, what is wanted, and when
    made      what was done from its beginning to that of the next exchange
    wanted    the same of somebody who does everything right

A judge sees nothing else: neither weights nor probabilities, neither captions
of what is wanted nor what happens in other exchanges, but for the labels of
those before it. Times are in seconds of the conversation, and audible.
"""

import dataclasses
import functools
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from interaction_jax.evals.account import Account
from interaction_jax.turns import clock

Label = Mapping[str, Any]
"""What a generator knows of an exchange; see `Stage.label`."""

SOON = 1.0
"""Seconds in which a reaction has to begin, if it is to be one."""

_EARLY, _LATE = 1, 5
"""Turns that an answer may begin before and after the best one does."""


@dataclasses.dataclass(frozen=True)
class Judgement:
  """What is said of one exchange.

  Attributes:
    hit: 1 where what was wanted was done, 0 where not; None where nothing was
      wanted, so that only what was done too much counts.
    kind: where kinds of exchanges count alike.
    false_alarms: things done that nobody asked for.
    timing: seconds between what was done and the best time, each.
    details: other numbers; of those whose name ends in "_s" the median is
      reported, of others the mean.
  """

  hit: float | None
  kind: str = ""
  false_alarms: int = 0
  timing: tuple[float, ...] = ()
  details: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Exchange:
  """One exchange, with what was done in it.

  Attributes:
    before: labels of earlier exchanges, in order.
    first, last: its turns; `last` is the first of the next exchange.
    made, wanted: as long as the conversation, empty outside of the exchange.
  """

  label: Label
  before: tuple[Label, ...]
  first: int
  last: int
  made: Account
  wanted: Account

  @property
  def scenario(self) -> str:
    """Of which kind it is."""
    return self.label["scenario"]

  @property
  def user_end(self) -> float:
    """When the user has said the last word."""
    return self.label["user"][-1][1]

  @property
  def answer(self) -> tuple[str, ...]:
    """The words that are wanted."""
    return tuple(self.label["answer"])

  @functools.cached_property
  def words(self) -> tuple[str, ...]:
    """The words that can be heard."""
    return tuple(plain(word.text) for word in self.made.said())

  @functools.cached_property
  def turns(self) -> tuple[int, ...]:
    """When each of `words` begins."""
    return tuple(word.turn for word in self.made.said())

  @property
  def right(self) -> bool:
    """Whether the words are those wanted, and no others."""
    return self.words in answers(self.label)

  @property
  def onset(self) -> int | None:
    """The first turn with a voice."""
    stretches = self.made.stretches()
    return stretches[0][0] if stretches else None

  def sounds(self, begin: float, end: float) -> bool:
    """Whether there is a voice in a turn that begins between two times."""
    first, last = turn_from(begin), turn_from(end)
    return bool(self.made.sounding[max(first, 0) : max(last, 0)].any())

  def punctual(self) -> bool:
    """Whether the first word comes when it should, or soon after."""
    if not self.words or self.label["onset_turn"] is None:
      return False
    return -_EARLY <= self.turns[0] - self.label["onset_turn"] <= _LATE

  def answered(self, **more: float) -> Judgement:
    """Right, and at the right time."""
    return Judgement(
      float(self.right and self.punctual()),
      false_alarms=int(bool(self.words) and not self.answer),
      timing=self.delay(),
      details=more,
    )

  def delay(self) -> tuple[float, ...]:
    """From the first word wanted to the first that came."""
    if not self.words or self.label["onset_turn"] is None:
      return ()
    return (seconds(self.turns[0] - self.label["onset_turn"]),)


Judge = Callable[[Exchange], Judgement | None]
"""Says what it thinks of an exchange; None: that is not its business."""


def split(
  labels: Sequence[Label], made: Account, wanted: Account
) -> list[Exchange]:
  """The exchanges of a conversation."""
  starts = [clock.turn_at(label["start"]) for label in labels]
  ends = [*starts[1:], made.num_turns]
  return [
    Exchange(
      label,
      tuple(labels[:place]),
      first,
      last,
      made.cut(first, last),
      wanted.cut(first, last),
    )
    for place, (label, first, last) in enumerate(
      zip(labels, starts, ends, strict=True)
    )
  ]


def seconds(turns: int) -> float:
  """How long turns are; negative ones are before."""
  return turns * clock.TURN_MS / 1000


def turn_from(time: float) -> int:
  """The first turn that begins at a time or after it."""
  return clock.num_turns(round(time * clock.SAMPLE_RATE))


def plain(word: str) -> str:
  """A word without capitals and signs."""
  return "".join(sign for sign in word.lower() if sign.isalnum())


def answers(label: Label) -> set[tuple[str, ...]]:
  """All that counts as right.

  Where the user broke an answer off, one word more or fewer will do.
  """
  whole = tuple(label["answer"])
  options = []
  for place, dropped in label.get("broken", ()):
    options.append(((place, place), (max(place - 1, 0), place)))
    if dropped:
      options[-1] += ((place, place, dropped[0]),)
  found = set()
  for choice in itertools.product(*options):
    words, done = [], 0
    for until, resumed, *extra in choice:
      words += [*whole[done:until], *extra]
      done = max(done, resumed)
    found.add((*words, *whole[done:]))
  return found


def matched(
  wanted: Sequence[int], made: Sequence[int], *, early: int, late: int
) -> tuple[list[tuple[int, int]], list[int]]:
  """Pairs turns that were wanted with turns that came, in order.

  Each wanted turn takes the first free one that is at most so many turns too
  early or too late.

  Returns:
    Pairs, wanted first, and the turns that nobody wanted.
  """
  free = sorted(made)
  pairs = []
  for turn in sorted(wanted):
    near = [one for one in free if -early <= one - turn <= late]
    if near:
      pairs.append((turn, near[0]))
      free.remove(near[0])
  return pairs, free


def objects(text: str) -> list[Any]:
  """The JSON objects within a text, as far as they are whole."""
  decoder, found, at = json.JSONDecoder(), [], text.find("{")
  while at >= 0:
    try:
      value, end = decoder.raw_decode(text, at)
      found.append(value)
    except ValueError:
      end = at + 1
    at = text.find("{", end)
  return found


def edits(wanted: Sequence[str], made: Sequence[str]) -> int:
  """Words to put in, leave out or exchange to make one from the other.

  Reference: Levenshtein 1966.
  """
  row = list(range(len(made) + 1))
  for i, one in enumerate(wanted, 1):
    before, row[0] = row[0], i
    for j, other in enumerate(made, 1):
      cost = before + (one != other)
      before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, cost)
  return row[-1]
