"""The conversations of a row: held out, drawn until there are enough items."""

import zlib
from collections.abc import Sequence

import numpy as np

from interaction_jax.data import record as recording
from interaction_jax.data.record import Record
from interaction_jax.data.synthetic import perform
from interaction_jax.data.synthetic.bank import Bank
from interaction_jax.data.synthetic.scenarios import SCENARIOS
from interaction_jax.evals import account
from interaction_jax.evals.account import Account
from interaction_jax.evals.behaviours import exchange as exchanges
from interaction_jax.evals.behaviours.exchange import Exchange, Judgement
from interaction_jax.evals.behaviours.row import Row
from interaction_jax.turns import clock

_AFTER = 10
"""Turns that a conversation goes on after its last exchange."""

_PATIENCE = 200
"""Conversations without a single item, in a row, that are one too many."""


def draw(
  row: Row,
  bank: Bank,
  *,
  num_items: int,
  seed: int,
  size: tuple[int, int] = (60, 80),
) -> list[Record]:
  """Conversations with at least so many items of a row.

  Everything is drawn from (seed, row, number), so that a row has the same
  items whatever other rows there are.

  Args:
    size: rows and columns of pictures.

  Raises:
    ValueError: no item is found in very many conversations.
  """
  shares = dict.fromkeys(SCENARIOS, 0.0) | dict(row.scenarios)
  records, found, barren, number = [], 0, 0, 0
  while found < num_items:
    rng = np.random.default_rng((seed, zlib.crc32(row.name.encode()), number))
    number += 1
    record = perform.record(
      bank,
      rng,
      num_turns=row.num_turns,
      split="held_out",
      shares=shares,
      video=float(row.sees),
      size=size,
    )
    items = _count(row, record)
    barren = 0 if items else barren + 1
    if barren > _PATIENCE:
      raise ValueError(
        f"{row.name}: {barren} conversations of {row.num_turns} turns have no "
        f"item among {', '.join(row.scenarios)}; longer ones are wanted."
      )
    if items:
      end = clock.turn_at(record.labels[-1]["end"]) + _AFTER
      records.append(recording.cut(record, 0, min(end, record.num_turns)))
      found += items
  return records


def judge(
  row: Row, record: Record, made: Account
) -> list[tuple[Exchange, Judgement]]:
  """Every exchange of a conversation that is the row's business."""
  wanted = account.of_record(record)
  judged = []
  for one in exchanges.split(record.labels, made, wanted):
    said = row.judge(one)
    if said is not None:
      judged.append((one, said))
  return judged


def _count(row: Row, record: Record) -> int:
  if not record.labels:
    return 0
  wanted = account.of_record(record)
  said = [judgement for _, judgement in judge(row, record, wanted)]
  return sum(one.hit is not None for one in said)


def guesses(row: Row, records: Sequence[Record], *, seed: int) -> list[Account]:
  """What somebody does in each conversation who only guesses.

  See `row.Chance`. Where another exchange is wanted, it is one of the same
  scenario, if there is a second one.
  """
  rng = np.random.default_rng((seed, zlib.crc32(row.name.encode()), 1))
  accounts = [account.of_record(record) for record in records]
  parts = [
    exchanges.split(record.labels, truth, truth)
    for record, truth in zip(records, accounts, strict=True)
  ]
  if row.chance == "shifted":
    return [_shifted(part, rng) for part in parts]
  pool = [one for part in parts for one in part]
  return [_swapped(part, pool, rng) for part in parts]


def _shifted(part: list[Exchange], rng: np.random.Generator) -> Account:
  rolled = [
    one.wanted.rolled(
      int(rng.integers(1, max(one.last - one.first, 2))), one.first, one.last
    )
    for one in part
  ]
  return account.joined(rolled)


def _swapped(
  part: list[Exchange], pool: list[Exchange], rng: np.random.Generator
) -> Account:
  made = []
  for one in part:
    others = [x for x in pool if x is not one]
    alike = [x for x in others if x.scenario == one.scenario] or others or [one]
    other = alike[int(rng.integers(len(alike)))]
    by = _anchor(one) - _anchor(other)
    moved = other.wanted.moved(by, one.wanted.num_turns)
    made.append(moved.cut(one.first, one.last))
  return account.joined(made)


def _anchor(exchange: Exchange) -> int:
  """The moment at which something is due."""
  onset = exchange.label["onset_turn"]
  return exchange.first if onset is None else onset
