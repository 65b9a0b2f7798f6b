"""What the baselines get in a suite, without a model and without its sound."""

import pytest

from interaction_jax.evals.harness import baseline, detector, judge, summary
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.suite import Reply


def _reply(made):
  spans = tuple(detector.energy(made.voice)) if made.voice.any() else ()
  words = tuple(made.own or ())
  return Reply(made.seconds, words, spans, made.events, lambda: made.voice)


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
      replies = {item.key: _reply(one) for item, one in made}
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
