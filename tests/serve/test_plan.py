import pytest

from interaction_jax.serve import plan
from interaction_jax.serve.plan import Costs

# Seconds of a tick: a little for each slot, now and then twice as much.
COSTS = Costs(
  {slots: [0.004 * slots] * 19 + [0.008 * slots] for slots in (1, 4, 16, 64)}
)


def test_one_session_waits_for_its_tick_alone():
  found = plan.forecast(1, Costs({1: [0.03]}), num_turns=50)
  assert found.p50_ms == pytest.approx(30) == found.p99_ms
  assert found.missed == 0 and found.busy == pytest.approx(0.15, rel=0.05)


def test_more_sessions_wait_longer():
  found = [plan.forecast(num, COSTS, num_turns=100) for num in (2, 8, 30)]
  assert [one.tick_ms for one in found] == pytest.approx([8, 32, 120])
  late = [one.p95_ms for one in found]
  assert late == sorted(late) and late[1] < 3 * 32
  assert found[0].missed == found[1].missed == 0 < found[2].missed
  assert all(0 < one.busy <= 1 for one in found)


def test_turns_pile_up_where_ticks_are_longer_than_turns():
  found = plan.forecast(3, Costs({3: [0.25]}), num_turns=100)
  assert found.missed > 0.9 and found.busy > 0.98


def test_the_most_that_hold():
  num = plan.most(COSTS, num_turns=60)
  assert plan.forecast(num, COSTS, num_turns=60).missed <= 0.001
  assert plan.forecast(num + 1, COSTS, num_turns=60).missed > 0.001
  assert plan.most(Costs({1: [0.3]}), num_turns=50) == 0


def test_calls_of_their_own_wait_only_for_those_before_them():
  # Two at a time, of which each takes as long as a tick for all eight would.
  each = Costs({1: [0.03], 2: [0.03]}, together=False)
  found = plan.forecast(8, each, num_turns=100)
  assert found.tick_ms == pytest.approx(30)
  # One after the other, eight would need 240 of 200 ms.
  assert found.busy < 1 and found.missed == 0
  assert plan.forecast(1, each, num_turns=50).p99_ms == pytest.approx(30)
  # At most 13 in 200 ms.
  assert 8 < plan.most(each, num_turns=100, limit=32) <= 13
  assert plan.most(Costs({1: [1e-6]}, together=False), limit=5) == 5


def test_what_was_seen_often_counts_more_than_what_was_measured():
  each = Costs({1: [0.02], 2: [0.03]}, together=False)
  found = each.after({2: [0.05] * 50, 1: [0.5] * 3})
  assert found == Costs({1: [0.02], 2: [0.05] * 50}, together=False)
  few, many = (plan.most(one, num_turns=60, limit=32) for one in (found, each))
  assert few < many


def test_costs_of_so_many_are_needed():
  with pytest.raises(ValueError, match=r"sessions=65, but .* up to 64 slots"):
    plan.forecast(65, COSTS)
  with pytest.raises(ValueError, match="sessions=0 must be"):
    plan.forecast(0, COSTS)
