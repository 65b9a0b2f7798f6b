"""A bank of three voices nobody was trained on, and conversations of rows."""

import dataclasses

import numpy as np
import pytest

from interaction_jax.data.synthetic import recorder, voices
from interaction_jax.evals import account
from interaction_jax.evals.account import Account
from interaction_jax.evals.behaviours import items, summary


@pytest.fixture(scope="session")
def bank(tmp_path_factory):
  path = tmp_path_factory.mktemp("held_out") / "bank"
  return recorder.make(
    path,
    seed=2,
    num_clips=600,
    num_shards=2,
    num_workers=2,
    users={"train": (), "held_out": voices.USERS["held_out"][:3]},
  )


@pytest.fixture(scope="session")
def drawn(bank):
  """A function that draws the conversations of a row, once."""
  known = {}

  def draw(row):
    if row.name not in known:
      known[row.name] = items.draw(
        row, bank, num_items=12, seed=3, size=(8, 12)
      )
    return known[row.name]

  return draw


@pytest.fixture(scope="session")
def numbers(drawn):
  """A function that gives the numbers of a row for somebody who acts.

  `act` makes of what is right what is done.
  """

  def judge(row, act):
    judged = [
      (place, said)
      for place, record in enumerate(drawn(row))
      for _, said in items.judge(row, record, act(account.of_record(record)))
    ]
    minutes = sum(record.seconds for record in drawn(row)) / 60
    return summary.numbers(judged, minutes=minutes, seed=0)

  return judge


def right(truth):
  return truth


def silent(truth):
  return account.silent(truth.num_turns)


def late(truth):
  """Everything 1.4 seconds late."""
  return truth.moved(7, truth.num_turns)


def wrong(truth):
  """Nonsense in every channel, at the right times."""
  pieces = [dataclasses.replace(one, text=" zebra") for one in truth.pieces]
  return Account(truth.sounding, tuple(pieces))


def mute(truth):
  """All is written and nothing can be heard."""
  return Account(np.zeros(truth.num_turns, bool), truth.pieces)


def restless(truth):
  """What is right, and a voice all the time."""
  return Account(np.ones(truth.num_turns, bool), truth.pieces)


@pytest.fixture(scope="session")
def acts():
  return {f.__name__: f for f in (right, silent, late, wrong, mute, restless)}
