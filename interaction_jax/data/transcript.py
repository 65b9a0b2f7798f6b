"""The text of a record as tokens, turn by turn, within the budgets of turns.

What arrives during a turn is read in it. What takes effect in a turn is
written in the one before. What exceeds a turn's budget waits for the next; what
still waits when a row ends is not part of it.
"""

import dataclasses
from typing import Final

import numpy as np
from jaxtyping import Int

from interaction_jax.data.form import Form
from interaction_jax.data.record import Record
from interaction_jax.turns import clock
from interaction_jax.turns.vocabulary import Control, Vocabulary

_WORD: Final = 3
"""Tokens that a word has at most; longer pieces of text can wait."""


@dataclasses.dataclass(frozen=True, eq=False)
class Tokens:
  """Tokens of each turn.

  Attributes:
    table: tokens of a turn, from the front.
    count: how many of them are real.
  """

  table: Int[np.ndarray, "J _"]
  count: Int[np.ndarray, " J"]


def pinned(record: Record, *, vocabulary: Vocabulary) -> list[int]:
  """The tokens of the instructions, each opened by its marker."""
  return [
    token
    for text in record.text_in
    if text.speaker == "instruction"
    for token in _marked(text.speaker, text.text, vocabulary)
  ]


def read(
  record: Record, num_turns: int, *, vocabulary: Vocabulary, form: Form
) -> Tokens:
  """What arrives during each turn, each text opened by who speaks."""
  due: dict[int, list[int]] = {}
  for text in record.text_in:
    if text.speaker != "instruction":
      tokens = _marked(text.speaker, text.text, vocabulary)
      due.setdefault(text.at // clock.SAMPLES, []).extend(tokens)
  made = _blank(num_turns, form.text_in)
  waiting: list[int] = []
  for turn in range(num_turns):
    waiting += due.get(turn, [])
    _put(made, turn, waiting[: form.text_in])
    waiting = waiting[form.text_in :]
  return made


def written(
  record: Record, num_turns: int, *, vocabulary: Vocabulary, form: Form
) -> Tokens:
  """What each turn writes.

  Words are bound to their moment: what is said, and captions. Longer pieces,
  as calls are, take what words leave of each turn's budget. A channel is named
  when it changes.
  """
  due: dict[int, list[tuple[Control, list[int]]]] = {}
  for text in record.text_out:
    turn = max(text.at // clock.SAMPLES - 1, 0)
    if turn < num_turns:
      piece = Control[text.channel.upper()], vocabulary.encode(text.text)
      due.setdefault(turn, []).append(piece)
  made = _blank(num_turns, form.text_out)
  words: list[tuple[Control, list[int]]] = []
  others: list[tuple[Control, list[int]]] = []
  channel = None
  for turn in range(num_turns):
    for piece in due.get(turn, []):
      (words if len(piece[1]) <= _WORD else others).append(piece)
    tokens: list[int] = []
    for waiting in (words, others):
      while waiting:
        wanted, text = waiting[0]
        named = [] if wanted == channel else [vocabulary.id_of(wanted)]
        room = form.text_out - len(tokens) - len(named)
        # A word is not torn apart, unless a whole turn has no room for it.
        whole = len(text) if waiting is words and tokens else 1
        if room < whole:
          break
        tokens += [*named, *text[:room]]
        channel = wanted
        waiting.pop(0)
        if text[room:]:
          waiting.insert(0, (wanted, text[room:]))
    _put(made, turn, tokens)
  return made


def _marked(speaker: str, text: str, vocabulary: Vocabulary) -> list[int]:
  marker = vocabulary.id_of(Control[speaker.upper()])
  return [marker, *vocabulary.encode(text)]


def _blank(num_turns: int, budget: int) -> Tokens:
  return Tokens(
    np.zeros((num_turns, budget), np.int32), np.zeros(num_turns, np.int32)
  )


def _put(made: Tokens, turn: int, tokens: list[int]) -> None:
  made.table[turn, : len(tokens)] = tokens
  made.count[turn] = len(tokens)
