import itertools
import json
import re

import pytest

from interaction_jax.data.synthetic import world
from interaction_jax.evals.cued import cuespeak, layout
from interaction_jax.evals.harness.inventory import Inventory


@pytest.fixture(scope="module")
def items(folders):
  inventory = Inventory(folders["cuespeak"])
  found = layout.load(inventory, benchmark="cuespeak")
  assert not inventory.problems
  return found


@pytest.fixture(scope="module")
def entries(folders):
  return json.loads((folders["cuespeak"] / "items.json").read_text())


def test_baselines_rank_as_they_should(folders, beside):
  found = beside(cuespeak.SUITE, folders["cuespeak"])
  for row in ("accuracy", "accuracy_small", "accuracy_wide", "events"):
    assert found[row]["oracle"] == 1 > found[row]["random"], row
    assert found[row]["silent"] == found[row]["talking"] == 0
  assert found["false_alarms"]["oracle"] == found["false_alarms"]["silent"] == 0
  assert found["false_alarms"]["talking"] > 3
  # An oracle takes 400 ms; times are kept to the millisecond.
  assert found["off_by"]["oracle"] == pytest.approx(0.4, abs=1e-3)


def test_windows_are_as_stated(items):
  assert len({item.part for item in items}) == 8
  for item in items:
    (_, (begin, end)) = item.truth["user"]
    for event in item.truth["events"]:
      first, last = event.window
      assert event.overlap and begin < first == event.t_ref
      assert last - first == pytest.approx(1.6, abs=2e-3)
      # The user goes on long enough: no window is cut short.
      assert last <= end


def test_cues_leave_time_for_an_answer(items):
  for item in items:
    times = [event.t_ref for event in item.truth["events"]]
    assert times == sorted(times)
    for one, other in itertools.pairwise(times):
      assert other - one > 1.2


def test_what_is_to_be_said_follows_from_what_is_said(entries):
  seen = set()
  for entry in entries:
    request, story = (one["text"] for one in entry["user"])
    says = [one["say"] for one in entry["events"]]
    kind = entry["kind"]
    if kind == "keyword" and entry["small"]:
      _, target, _, _, _, cue = request.split()
      assert says == [target] * story.split().count(cue)
    elif kind == "tally" and entry["small"]:
      cue = request.split()[-1]
      numbers = ["one", "two", "three"]
      assert says == numbers[: story.split().count(cue)]
    elif kind == "second":
      assert len(says) == 1
    elif kind == "codeswitch":
      words = [cuespeak._SPANISH.get(word) for word in story.split()]
      assert says == [word for word in words if word]
    elif kind == "lookup":
      home = dict(re.findall(r"(\w+) is in (\w+)", request))
      assert says == [home[word] for word in story.split() if word in home]
    elif kind == "correction" and not entry["small"]:
      told = re.findall(r"capital of (\w+) is (\w+)", story)
      right = [cuespeak._CAPITALS[land] for land, _ in told]
      pairs = zip(told, right, strict=True)
      assert says == [city for (_, said), city in pairs if said != city]
    elif kind == "correction":
      told = re.findall(r"(\w+) plus (\w+) is (\w+)", story)
      sums = [world.value(one) + world.value(other) for one, other, _ in told]
      pairs = zip(told, sums, strict=True)
      wrong = [
        right for (*_, said), right in pairs if world.value(said) != right
      ]
      assert [world.value(*said.split()) for said in says] == wrong
    else:
      continue
    seen.add(kind)
  assert len(seen) == 6


def test_half_are_in_small_words(items):
  small = [item for item in items if item.truth["small"]]
  assert {item.part for item in items} - {item.part for item in small} == {
    "category", "lookup", "codeswitch"
  }  # fmt: skip
  assert len(small) == 10
