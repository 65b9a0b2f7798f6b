import itertools

import pytest

from interaction_jax.evals.cued import layout, timespeak
from interaction_jax.evals.harness.inventory import Inventory


@pytest.fixture(scope="module")
def items(folders):
  inventory = Inventory(folders["timespeak"])
  found = layout.load(inventory, benchmark="timespeak")
  assert not inventory.problems
  return found


def test_baselines_rank_as_they_should(folders, beside):
  found = beside(timespeak.SUITE, folders["timespeak"])
  for row in ("accuracy", "accuracy_small", "accuracy_wide", "events"):
    assert found[row]["oracle"] == 1 > found[row]["random"], row
    assert found[row]["silent"] == found[row]["talking"] == 0
  assert found["false_alarms"]["oracle"] == found["false_alarms"]["silent"] == 0
  assert found["false_alarms"]["talking"] > 3
  # Times are kept to the millisecond.
  assert found["off_by"]["oracle"] == pytest.approx(0, abs=1e-3)


def test_windows_are_as_stated(items):
  assert len({item.part for item in items}) == 8
  for item in items:
    for event in item.truth["events"]:
      first, last = event.window
      assert event.t_ref - first == pytest.approx(0.6, abs=2e-3)
      assert last - event.t_ref == pytest.approx(1.2, abs=2e-3)
      assert not event.overlap
      # It is over before the item is, and asked for before it begins.
      assert last < item.seconds - 1 and first > item.truth["user"][0][1]


def test_windows_of_an_item_do_not_meet(items):
  for item in items:
    windows = [event.window for event in item.truth["events"]]
    for one, other in itertools.pairwise(windows):
      assert one[1] < other[0]


def test_half_are_in_small_words(items):
  small = [item for item in items if item.truth["small"]]
  # "wait" and "number" are no words of the shipped models.
  assert {item.part for item in items} - {item.part for item in small} == {
    "count"
  }
  assert len(small) == 14


def test_one_who_does_not_stop_is_heard(items):
  for item in items:
    if item.part in ("interval", "alternate"):
      events = item.truth["events"]
      every = events[1].t_ref - events[0].t_ref
      free_until = item.truth["free"][-1][1]
      # A further time comes after "stop", and after all that is free.
      due = events[-1].t_ref + every
      while due <= free_until:
        due += every
      assert due < item.seconds
