import numpy as np
import pytest

from interaction_jax.evals import bootstrap
from interaction_jax.evals.bootstrap import Estimate, Item


def test_the_interval_covers_the_truth_as_often_as_it_says():
  rng = np.random.default_rng(0)
  inside = 0
  for trial in range(200):
    hits = rng.random(40) < 0.3
    items = [Item(float(hit), place) for place, hit in enumerate(hits)]
    found = bootstrap.estimate(items, seed=trial, draws=300)
    inside += found.low <= 0.3 <= found.high
  # 95 % of 200 are 190; four deviations of a binomial are 12.
  assert 178 <= inside <= 200


def test_items_of_one_conversation_are_drawn_together():
  apart = [Item(float(place % 2), place) for place in range(40)]
  together = [Item(float(place < 20), place // 20) for place in range(40)]
  wide, narrow = (
    x.high - x.low for x in map(bootstrap.estimate, (together, apart))
  )
  assert wide > 2 * narrow


def test_kinds_count_alike():
  items = [Item(1.0, 0, "a")] * 9 + [Item(0.0, 1, "b")]
  assert bootstrap.estimate(items).mean == 0.5
  assert bootstrap.estimate([Item(0.2, 0), Item(0.4, 1)]).mean == (
    pytest.approx(0.3)
  )


@pytest.mark.parametrize(
  ("values", "low", "high"),
  [
    # Wilson's formula by hand: z^2 = 3.8415.
    ([1.0] * 10, 10 / 13.8415, 1.0),
    ([0.0] * 10, 0.0, 3.8415 / 13.8415),
  ],
  ids=["all", "none"],
)
def test_where_all_agree_something_is_not_known(values, low, high):
  items = [Item(value, place) for place, value in enumerate(values)]
  found = bootstrap.estimate(items)
  assert found.mean == values[0]
  assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_the_seed_decides():
  items = [Item(place**0.5, place) for place in range(30)]
  assert bootstrap.estimate(items, seed=1) == bootstrap.estimate(items, seed=1)
  assert bootstrap.estimate(items, seed=1) != bootstrap.estimate(items, seed=2)


def test_of_nothing_nothing_is_known():
  assert bootstrap.estimate([]) == Estimate(None, None, None, 0)
