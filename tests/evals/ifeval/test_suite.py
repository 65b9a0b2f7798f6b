import json

import pytest

from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.ifeval import suite
from interaction_jax.evals.ifeval.checker import CHECKERS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  place = tmp_path_factory.mktemp("ifeval")
  suite.generate(place, 50, 0)
  return place


def test_the_twin_has_every_kind(folder):
  inventory = Inventory(folder)
  items = suite.load(inventory)
  assert not inventory.problems and len(items) == 50
  names = {one.name for x in items for one in x.truth["instructions"]}
  assert names == set(CHECKERS)


def test_baselines_rank_as_they_should(folder, beside):
  found = beside(suite.SUITE, folder)
  for row, scores in found.items():
    assert scores["oracle"] == 1, row
    assert scores["silent"] == 0 < scores["talking"] < 0.4
    assert scores["random"] < 0.6


def test_the_prompt_is_typed(folder):
  item = suite.load(Inventory(folder))[0]
  record = item.open((0, 0))
  assert record.text_in[0].text == item.truth["prompt"]
  assert record.text_in[0].text.startswith("say ")
  assert not record.heard.any() and record.seconds == item.seconds == 5.0


def test_what_is_wrong_with_the_data_is_named(folder, tmp_path):
  rows = [
    json.loads(line)
    for line in (folder / "input_data.jsonl").read_text().splitlines()
  ]
  rows[1]["instruction_id_list"] = ["keywords:existense"]
  rows[2]["kwargs"] = rows[2]["kwargs"][:1]
  text = "\n".join(json.dumps(row) for row in rows[:4])
  (tmp_path / "input_data.jsonl").write_text(text)
  inventory = Inventory(tmp_path)
  assert [item.name for item in suite.load(inventory)] == ["1000", "1003"]
  assert inventory.left_out == ["1001", "1002"]
  few, unknown, short = inventory.problems
  assert few == "input_data.jsonl: missing, 4 of 541 are there"
  assert "key 1001: corrupt, instruction 'keywords:existense'" in unknown
  assert "did you mean keywords:existence" in unknown
  assert "key 1002: corrupt" in short


def test_the_same_seed_makes_the_same_twin(folder, tmp_path):
  suite.generate(tmp_path, 50, 0)
  for path in folder.iterdir():
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()
