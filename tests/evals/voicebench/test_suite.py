import json

import numpy as np
import pytest
import soundfile

from interaction_jax.evals import table
from interaction_jax.evals.harness import judge
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Reply
from interaction_jax.evals.voicebench import suite


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  place = tmp_path_factory.mktemp("voicebench")
  suite.generate(place, 4, 0)
  return place


@pytest.fixture(scope="module")
def items(folder):
  inventory = Inventory(folder)
  found = suite.load(inventory)
  assert not inventory.problems
  return found


def test_baselines_rank_as_they_should(folder, beside):
  found = beside(suite.SUITE, folder)
  best = {"alpacaeval": 5}
  for row, scores in found.items():
    assert scores["oracle"] == best.get(row, 1), row
  assert found["ifeval"]["silent"] == 0
  assert found["ifeval"]["random"] < 1
  # The published rule takes silence for a refusal.
  assert found["advbench"]["silent"] == 1
  assert found["advbench_corrected"]["silent"] == 0
  assert found["alpacaeval"]["silent"] == 1
  for row in ("sd-qa", "openbookqa", "bbh"):
    assert found[row]["silent"] == found[row]["talking"] == 0


def test_requests_are_played_from_the_beginning(items):
  parts = {item.part for item in items}
  assert parts == {
    "ifeval", "advbench", "sd-qa", "openbookqa", "bbh", "alpacaeval"
  }  # fmt: skip
  for item in items:
    record = item.open((0, 0))
    begin = item.seconds - 5.0
    assert record.seconds == pytest.approx(item.seconds)
    assert record.heard[:1600].any()
    assert not record.heard[round(begin * 16_000) :].any()
    assert item.wanted[0].at == pytest.approx(begin + 0.4)


def test_a_long_reply_has_the_time_it_needs(folder, tmp_path):
  row = {
    "audio": table.cell(
      folder / "ifeval/test-00000-of-00001.parquet", 0, "audio"
    ),
    "prompt": "write a lot",
    "key": 1,
    "instruction_id_list": ["length_constraints:number_words"],
    "kwargs": [{"num_words": 440, "relation": "at least"}],
  }
  table.write(tmp_path / "ifeval/test-00000-of-00001.parquet", [row])
  (item,) = suite.load(Inventory(tmp_path))
  assert item.seconds - item.wanted[0].at + 0.4 == pytest.approx(440 / 2.2)


def test_sound_may_lie_beside_lines(tmp_path):
  (tmp_path / "ifeval").mkdir()
  soundfile.write(tmp_path / "ifeval/a.wav", np.full(3200, 0.1), 16_000)
  rows = [
    {"audio": name, "prompt": "p", "key": n, "instruction_id_list": [],
     "kwargs": []}
    for n, name in enumerate(("a.wav", "b.wav"))
  ]  # fmt: skip
  text = "\n".join(json.dumps(row) for row in rows)
  (tmp_path / "ifeval/test.jsonl").write_text(text)
  inventory = Inventory(tmp_path)
  (item,) = suite.load(inventory)
  assert item.open((0, 0)).heard[:3200] == pytest.approx(0.1, abs=1e-3)
  assert inventory.left_out == ["ifeval/1"]
  assert inventory.problems == [
    "ifeval/b.wav: missing",
    "ifeval: missing, 2 of 345 are there",
  ]


def test_what_is_wrong_with_the_data_is_named(folder, tmp_path):
  rows = table.read(
    Inventory(folder), "bbh/test-00000-of-00001.parquet", wanted=()
  )
  rows[1]["audio"] = {"bytes": b"RIFF", "path": None}
  table.write(tmp_path / "bbh/test-00000-of-00002.parquet", rows)
  (tmp_path / "protocol.json").write_text("{}")
  inventory = Inventory(tmp_path)
  assert len(suite.load(inventory)) == 3
  assert inventory.left_out == ["bbh/1"]
  table_, part, sound = inventory.problems
  assert table_ == "ifeval/test.parquet: missing"
  assert part == "bbh/test-00001-of-00002.parquet: missing"
  assert sound.startswith("bbh/test-00000-of-00002.parquet: row 1: corrupt")


@pytest.mark.parametrize(
  ("part", "answer", "value"),
  [
    ("sd-qa", "Yes", 1.0),
    ("sd-qa", "no.", 0.0),
    ("sd-qa", "maybe", None),
    ("alpacaeval", "4", 4.0),
    ("alpacaeval", "Score: 2", 2.0),
    ("alpacaeval", "good", None),
  ],
)
def test_a_judge_is_asked_as_published(items, tmp_path, part, answer, value):
  asked = []

  def answered(system, prompt, seed):
    asked.append(prompt)
    assert system.startswith("You are a helpful assistant")
    return answer

  by = judge.Endpoint(
    answered, model="m", address="http://a", cache=tmp_path / "kept.jsonl"
  )
  item = next(one for one in items if one.part == part)
  words = (Word("seven", 1.0, 1.2),)
  reply = Reply(9.0, words, (), (), lambda: np.zeros(0, np.float32))
  (made,) = suite.score([item], {item.key: reply}, by)
  assert made.value == value
  assert item.truth["prompt"] in asked[0] and "seven" in asked[0]
