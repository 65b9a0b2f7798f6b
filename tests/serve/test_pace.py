import math

import pytest

from interaction_jax.serve import pace
from interaction_jax.serve.pace import PaceConfig, Waiting

CFG = PaceConfig(gather=0.5)
TICK = 0.04


def at(*sessions, now=10.0):
  return pace.begin_at(
    [Waiting(*one) for one in sessions], now, tick_s=TICK, cfg=CFG
  )


def test_nothing_to_do():
  assert at() == at((0, None, 10.1)) == math.inf


@pytest.mark.parametrize(
  ("other", "begins"),
  [
    ((0, None, 10.01), 10.015),
    ((0, None, 9.99), 10.015),
    ((0, None, 9.9), 10.0),
    ((0, None, 10.1), 10.0),
    ((0, None, math.inf), 10.0),
    ((1, 9.999, 10.2), 10.0),
  ],
  ids=["soon", "just late", "very late", "far", "paused", "full too"],
)
def test_the_first_waits_for_others_a_little(other, begins):
  # Full 5 ms ago; half a tick is 20 ms.
  assert at((1, 9.995, 10.195), other) == pytest.approx(begins)


def test_the_wait_has_an_end():
  assert at((1, 9.9, 10.1), (0, None, 10.01)) <= 10.0


@pytest.mark.parametrize(
  ("soon", "begins"),
  [(10.1, 10.0), (10.03, 10.05), (9.0, 10.0), (math.inf, 10.0)],
  ids=["later", "soon", "gone", "nobody"],
)
def test_a_backlog_makes_nobody_late(soon, begins):
  assert at((30, 5.0, math.inf), (0, None, soon)) == pytest.approx(begins)


@pytest.mark.parametrize("since", [9.999, 5.0], ids=["live", "behind"])
@pytest.mark.parametrize("soon", [10.001, 10.03, math.inf])
def test_where_nobody_gathers_nobody_waits(since, soon):
  waiting = Waiting(1 if since > 9 else 30, since, 10.2)
  begins = pace.begin_at(
    [waiting, Waiting(0, None, soon)],
    10.0,
    tick_s=TICK,
    cfg=PaceConfig(gather=0.0),
  )
  assert begins <= 10.0


def test_who_is_live_comes_first_and_of_those_who_waits_longest():
  sessions = {
    0: Waiting(30, 5.0, math.inf),
    1: Waiting(1, 9.99, 10.2),
    2: Waiting(0, None, 10.1),
    3: Waiting(2, 9.7, 10.1),
    4: Waiting(20, 6.0, math.inf),
  }
  assert pace.chosen(sessions, 4) == [3, 1, 0, 4]
  assert pace.chosen(sessions, 1) == [3]
  assert pace.chosen({2: sessions[2]}, 4) == []


def test_sound_is_expected_after_the_least_delay():
  arrivals = pace.Arrivals()
  assert arrivals.expected(1.0) == math.inf
  for end, delay in [(0.2, 0.3), (0.4, 0.1), (0.6, 0.25)]:
    arrivals.see(end, 100 + end + delay)
  assert arrivals.expected(0.8) == pytest.approx(100.9)


def test_a_delay_that_stays_is_believed():
  arrivals = pace.Arrivals()
  for turn in range(100):
    # From 10 s on a quarter of a second more, and a clock 0.1 % too slow.
    end = 0.2 * turn
    arrivals.see(end, 1.001 * end + 0.25 * (end >= 10))
  assert arrivals.expected(20.0) == pytest.approx(20.27, abs=0.01)
  assert len(arrivals._least) < 40


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"deadline_ms": 0.0}, r"pace\.deadline_ms=0\.0 must be more"),
    ({"backlog": -1}, r"pace\.backlog=-1 must be more"),
    ({"gather": -0.1}, r"pace\.gather=-0\.1 must be 0 or more"),
    ({"patience_ms": math.nan}, r"pace\.patience_ms=nan must be"),
  ],
  ids=["deadline", "backlog", "gather", "patience"],
)
def test_settings_that_cannot_be(change, message):
  with pytest.raises(ValueError, match=message):
    PaceConfig(**change)


def test_cost_follows():
  cost = pace.Cost(0.02)
  for _ in range(60):
    cost.see(0.08)
  assert cost.seconds == pytest.approx(0.08, rel=0.01)
