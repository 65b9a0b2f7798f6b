import json

import pytest

from interaction_jax.evals.fd_bench.v2 import load
from interaction_jax.evals.harness.inventory import Inventory


def loaded(folder):
  inventory = Inventory(folder)
  return {item.key: item for item in load.load(inventory)}, inventory


def test_two_items_a_prompt(v2_folder):
  items, inventory = loaded(v2_folder)
  assert not inventory.problems and len(items) == 8
  fast, slow = items["fast/daily_0"], items["slow/daily_0"]
  assert (fast.part, slow.part) == ("daily_fast", "daily_slow")
  assert fast.seconds == 40 and fast.open((0, 0)).seconds == 40
  assert not fast.open((0, 0)).heard.any()
  # Two of them, each at its beginning.
  assert fast.partner() is not fast.partner()
  assert set(load.PARTS) == {item.part for item in items.values()}


OFFICIAL = {
  "id": 7,
  "task": "Entity Tracking",
  "T1": "Ask for a table for two",
  "T2": "Move it to eight",
}


def write(folder, plain, *, twin=True):
  place = folder / "v2" / load.FILE
  place.parent.mkdir(exist_ok=True)
  place.write_text(json.dumps(plain))
  if twin:
    (folder / "protocol.json").write_text("{}")


@pytest.mark.parametrize(
  "plain",
  [
    [OFFICIAL],
    {"7": OFFICIAL},
    {"prompts": [OFFICIAL]},
    [{"prompt_id": "7", "category": "entity", "goals": ["Ask for a table for "
      "two", {"goal": "Move it to eight"}]}],
    [{"name": "7", "type": "ENTITY", "stages": {"T2": "Move it to eight", "T1":
      "Ask for a table for two"}}],
  ],
  ids=["list", "by id", "below a name", "goals", "stages"],
)  # fmt: skip
def test_what_is_not_documented_goes_by_several_names(tmp_path, plain):
  write(tmp_path, plain)
  items, inventory = loaded(tmp_path)
  assert not inventory.problems and list(items) == ["fast/7", "slow/7"]
  item = items["slow/7"]
  assert item.part == "entity_slow" and item.seconds == 75
  goals = item.truth["goals"]
  # The examiner says goals as they stand.
  assert [goal.say for goal in goals] == [
    "Ask for a table for two",
    "Move it to eight",
  ]
  assert goals[0].expect == goals[0].goal and goals[0].tests


def test_what_tests_safety_is_refused(tmp_path):
  write(tmp_path, [OFFICIAL | {"task": "safety"}])
  items, _ = loaded(tmp_path)
  goal = items["fast/7"].truth["goals"][0]
  assert goal.expect == load.REFUSAL
  assert goal.answer == "I'm sorry, I can't help with that."


def test_what_is_wrong_with_the_data_is_named(tmp_path):
  _, inventory = loaded(tmp_path)
  assert inventory.problems == ["prompts_staged_200.json: missing"]
  plain = [OFFICIAL, {"id": 8, "T1": "a"}, {"id": 9, "task": "daily"}, 3]
  write(tmp_path, plain, twin=False)
  items, inventory = loaded(tmp_path)
  assert len(items) == 2
  assert inventory.left_out == [
    "fast/8", "slow/8", "fast/9", "slow/9", "fast/3", "slow/3",
  ]  # fmt: skip
  count, family, goals, nothing = inventory.problems
  assert count == "v2/prompts_staged_200.json: missing, 4 of 200 are there"
  assert "8 has no family (category, task," in family
  assert family.endswith("it has id, T1")
  assert "9 has no goals (T1, T2, ..., or goals, stages" in goals
  assert goals.endswith("it has id, task")
  assert nothing.endswith("it has nothing")
  write(tmp_path, 5)
  _, inventory = loaded(tmp_path)
  assert inventory.problems == [f"v2/{load.FILE}: holds no prompts"]
