import numpy as np
import pytest

from interaction_jax.evals import account
from interaction_jax.evals.behaviours import floor, items, vision
from interaction_jax.evals.behaviours.row import Row

BARGE = next(row for row in floor.ROWS if row.name == "barge_in")
TURNS = next(row for row in floor.ROWS if row.name == "turn_taking")


def test_the_same_seed_draws_the_same(bank):
  first, again, other = (
    items.draw(BARGE, bank, num_items=5, seed=seed) for seed in (1, 1, 2)
  )
  assert [one.labels for one in first] == [one.labels for one in again]
  assert first[0].heard.tobytes() == again[0].heard.tobytes()
  assert [one.labels for one in first] != [one.labels for one in other]
  # More items begin with the same ones.
  more = items.draw(BARGE, bank, num_items=9, seed=1)
  assert more[0].heard.tobytes() == first[0].heard.tobytes()
  assert len(more) > len(first)


@pytest.mark.parametrize("row", [BARGE, vision.ROWS[0]], ids=lambda x: x.name)
def test_conversations_are_of_their_row_and_no_longer_than_needed(row, drawn):
  for record in drawn(row):
    assert {x["scenario"] for x in record.labels} <= set(row.scenarios)
    assert len(record.frames) > 0 if row.sees else len(record.frames) == 0
    assert record.seconds <= record.labels[-1]["end"] + 2.2
    judged = items.judge(row, record, account.of_record(record))
    assert any(said.hit is not None for _, said in judged)


def test_a_row_without_items_is_refused(bank):
  row = Row(
    "none", "nothing", 1.0, {"greet": 1.0}, lambda one: None, num_turns=30
  )
  with pytest.raises(ValueError, match="none: 201 conversations of 30 turns"):
    items.draw(row, bank, num_items=1, seed=0)


def test_guesses_are_no_better_than_chance(drawn):
  for row, most in ((BARGE, 0.5), (TURNS, 0.6)):
    records = drawn(row)
    hits = [
      said.hit
      for draw in range(4)
      for record, made in zip(
        records, items.guesses(row, records, seed=draw), strict=True
      )
      for _, said in items.judge(row, record, made)
      if said.hit is not None
    ]
    assert np.mean(hits) < most
  one, other = (items.guesses(TURNS, drawn(TURNS), seed=x) for x in (0, 1))
  assert any(a.pieces != b.pieces for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("row", [BARGE, floor.ROWS[0]], ids=lambda x: x.name)
def test_who_guesses_does_as_much_as_who_knows(row, drawn):
  """What is swapped or shifted is a real answer, not nothing."""
  records = drawn(row)
  truth = sum(account.of_record(x).sounding.sum() for x in records)
  guessed = sum(
    made.sounding.sum() for made in items.guesses(row, records, seed=0)
  )
  assert 0.6 * truth < guessed < 1.4 * truth
