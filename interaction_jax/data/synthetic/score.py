"""What a model wrote, held against what happened in a conversation."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from interaction_jax.data.synthetic import world
from interaction_jax.turns import clock
from interaction_jax.turns.vocabulary import Control, Vocabulary


@dataclasses.dataclass(frozen=True)
class Verdict:
  """How one exchange went.

  Attributes:
    scenario: of the exchange.
    wanted, written: words.
    delay: turns between the first word that was wanted and the first that
      was written; negative: too early; None: one of them is missing.
    breaks: where the user breaks the assistant off: how many words are said
      by then, and which would have followed.
  """

  scenario: str
  wanted: tuple[str, ...]
  written: tuple[str, ...]
  delay: int | None
  breaks: tuple[tuple[int, tuple[str, ...]], ...] = ()

  @property
  def right(self) -> bool:
    """Whether the words are those wanted, and no others.

    Before a break there may be one word more, the next one that would have
    been said, or one fewer: it falls silent a little later or sooner.
    """
    said, start = {()}, 0
    for place, dropped in self.breaks:
      words = self.wanted[start:place]
      ends = {words, words[:-1], words + dropped[:1]}
      said = {before + end for before in said for end in ends}
      start = place
    return self.written in {before + self.wanted[start:] for before in said}


def judge(
  written: Sequence[Sequence[int]],
  labels: Sequence[Mapping[str, Any]],
  *,
  vocabulary: Vocabulary | None = None,
) -> list[Verdict]:
  """A verdict on what was said in each exchange of a conversation.

  What is written from the beginning of an exchange to the beginning of the
  next counts as the answer to it.

  Args:
    written: tokens of each turn.
    labels: as made with the conversation, in order of time.
    vocabulary: of the model that wrote; None: that of the synthetic world.
  """
  vocabulary = vocabulary or world.vocabulary()
  said = spoken(written, vocabulary=vocabulary)
  starts = [clock.turn_at(label["start"]) for label in labels]
  verdicts = []
  for label, first, last in zip(
    labels, starts, [*starts[1:], len(said)], strict=True
  ):
    tokens = [token for turn in said[first:last] for token in turn]
    turns = [turn for turn in range(first, last) if said[turn]]
    delay = None
    if turns and label["onset_turn"] is not None:
      # What a turn writes is audible in the next.
      delay = turns[0] + 1 - label["onset_turn"]
    verdicts.append(
      Verdict(
        label["scenario"],
        tuple(label["answer"]),
        tuple(vocabulary.decode(tokens).split()),
        delay,
        tuple((place, tuple(dropped)) for place, dropped in label["broken"]),
      )
    )
  return verdicts


def summary(verdicts: Sequence[Verdict]) -> dict[str, dict[str, float]]:
  """By scenario, and for "all": how many, how often right, and the delay.

  The delay is the mean distance from the turn wanted, early or late; it is
  left out where nothing was both wanted and written.
  """
  groups: dict[str, list[Verdict]] = {"all": list(verdicts)}
  for verdict in verdicts:
    groups.setdefault(verdict.scenario, []).append(verdict)
  return {name: _numbers(group) for name, group in groups.items() if group}


def _numbers(group: Sequence[Verdict]) -> dict[str, float]:
  right = sum(verdict.right for verdict in group)
  numbers = {"n": float(len(group)), "right": right / len(group)}
  delays = [abs(v.delay) for v in group if v.delay is not None]
  if delays:
    numbers["delay"] = sum(delays) / len(delays)
  return numbers


def spoken(
  written: Sequence[Sequence[int]],
  control: Control = Control.SAY,
  *,
  vocabulary: Vocabulary | None = None,
) -> list[list[int]]:
  """The tokens of each turn that went to one channel; none at first.

  Args:
    vocabulary: of the model that wrote; None: that of the synthetic world.
  """
  vocabulary, channel = vocabulary or world.vocabulary(), None
  chosen = []
  for turn in written:
    chosen.append([])
    for token in turn:
      named = vocabulary.control_of(token)
      if named is not None:
        channel = named
      elif channel == control:
        chosen[-1].append(token)
  return chosen
