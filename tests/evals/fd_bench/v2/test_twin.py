import json

from interaction_jax.evals.cued import wording
from interaction_jax.evals.fd_bench.v2 import load, twin


def test_prompts_have_four_goals_in_the_small_world(tmp_path):
  twin.generate(tmp_path, 6, 3)
  prompts = json.loads((tmp_path / load.FILE).read_bytes())
  assert len(prompts) == 4 * 6
  assert {one["category"] for one in prompts} == set(load.FAMILIES)
  for prompt in prompts:
    goals = [prompt[f"T{number}"] for number in range(1, 5)]
    assert "T5" not in prompt
    assert any(goal["tests"] for goal in goals)
    for goal in goals:
      assert wording.small(goal["say"]) and wording.small(goal["answer"])
      assert (goal["expect"] == load.REFUSAL) == ("make" in goal["say"])


def test_what_was_corrected_is_asked_for(tmp_path):
  twin.generate(tmp_path, 3, 0)
  for prompt in json.loads((tmp_path / load.FILE).read_bytes()):
    said = [prompt[f"T{number}"] for number in range(1, 5)]
    if prompt["category"] == "correction":
      assert said[1]["say"] == f"remember {said[2]['answer']}"
      assert said[0]["say"] != said[1]["say"]
    if prompt["category"] == "entity":
      assert said[0]["say"] == f"remember {said[3]['answer']}"


def test_the_same_seed_makes_the_same_file(v2_folder, tmp_path):
  twin.generate(tmp_path, 1, 0)
  for name in (load.FILE, "protocol.json"):
    assert (tmp_path / name).read_bytes() == (v2_folder / name).read_bytes()
