"""What all evaluations are tested with."""

import pytest

from interaction_jax.core import settings
from interaction_jax.evals.bench import subject
from interaction_jax.evals.harness import baseline, detector, judge, summary
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.suite import Reply


@pytest.fixture(scope="session")
def model(root):
  """A small model that has learned nothing."""
  small = settings.load(root / "tests" / "small.py").model
  return subject.drawn(small, name="small")


def _spans(sound):
  return tuple(detector.energy(sound)) if sound.any() else ()


def _reply(item, made):
  def other():
    heard = item.open((0, 0)).heard if made.heard is None else made.heard
    return _spans(heard)

  words = tuple(made.own or ())
  return Reply(
    made.seconds,
    words,
    _spans(made.voice),
    made.events,
    lambda: made.voice,
    other,
    made.told,
  )


@pytest.fixture(scope="session")
def beside():
  """A function of a suite and its data: row by row, what each one gets."""

  def run(suite, folder, *, parts=None):
    inventory = Inventory(folder)
    items = suite.load(inventory)
    assert inventory.problems == []
    items = [one for one in items if parts is None or one.part in parts]
    found = {}
    for who in baseline.NAMES:
      made = baseline.perform(who, items)
      replies = {item.key: _reply(item, one) for item, one in made}
      scores = suite.score(items, replies, judge.Rules())
      for row in suite.rows:
        if any(one.row == row.name for one in scores):
          numbers = summary.numbers(row, scores, seed=0)
          found.setdefault(row.name, {})[who] = numbers["score"]
    for row in suite.rows:
      if row.name in found:
        assert summary.holds(row, found[row.name]) is not False, row.name
    return found

  return run
