import shutil

import numpy as np
import pytest

from interaction_jax.evals import table
from interaction_jax.evals.harness import judge
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Reply
from interaction_jax.evals.qivd import suite


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  place = tmp_path_factory.mktemp("qivd")
  suite.generate(place, 6, 0)
  return place


@pytest.fixture(scope="module")
def items(folder):
  inventory = Inventory(folder)
  found = suite.load(inventory)
  assert not inventory.problems
  return found


def test_baselines_rank_as_they_should(folder, beside):
  found = beside(suite.SUITE, folder)
  accuracy = found["accuracy"]
  assert accuracy["oracle"] == 1 > accuracy["random"]
  assert accuracy["silent"] == accuracy["talking"] == 0
  assert found["latency"]["oracle"] == pytest.approx(0.4, abs=0.01)


def test_the_clip_is_heard_and_seen_from_its_beginning(items):
  for item in items:
    record = item.open((60, 80))
    assert record.frame_times[0] == 0
    end = item.truth["asked"]
    loud = np.flatnonzero(np.abs(record.heard) > 0.02) / 16_000
    assert end - 2.5 < loud[0] < end
    # The codec may add a little.
    assert loud[-1] == pytest.approx(end, abs=0.15)
    skin = abs(record.frames[5].astype(int) - (230, 180, 150)) < 30
    people = skin.all(-1).sum()
    assert (people > 3) == (item.truth["short"] == "yes")


def reply(text):
  words = tuple(Word(one, 1.0, 1.2) for one in text.split())
  return Reply(9.0, words, (), (), lambda: np.zeros(0, np.float32))


@pytest.mark.parametrize(
  ("short", "text", "right"),
  [
    ("yes", "Yes, I see you.", 1),
    ("yes", "no", 0),
    ("no", "Well, no", 1),
    ("no", "yes no", 0),
    ("a red cup", "It's a cup, a red one", 1),
    ("a red cup", "a blue cup", 0),
    ("two", "", 0),
  ],
)
def test_the_rule_looks_for_the_short_answer(items, short, text, right):
  item = items[0]
  item = type(item)(**{**vars(item), "truth": item.truth | {"short": short}})
  made = suite.score([item], {item.key: reply(text)}, judge.Rules())
  assert made[0].value == right


@pytest.mark.parametrize(
  ("said", "value"), [("Yes.", 1.0), ("NO", 0.0), ("Perhaps", None)]
)
def test_a_judge_sees_the_question_and_both_answers(
  items, tmp_path, said, value
):
  asked = []

  def answered(system, prompt, seed):
    asked.append(prompt)
    return said

  by = judge.Endpoint(
    answered, model="m", address="http://a", cache=tmp_path / "kept.jsonl"
  )
  made = suite.score(items[:1], {items[0].key: reply("somebody is")}, by)
  assert made[0].value == value
  for part in ("is anyone there", "no, nobody is / no", "somebody is"):
    assert part in asked[0]


def test_what_is_wrong_with_the_data_is_named(folder, tmp_path):
  data = tmp_path / "data"
  shutil.copytree(folder, data)
  rows = table.read(Inventory(data), "metadata.parquet", wanted=())
  rows[0] |= {"answer": "", "short_answer": None}
  table.write(data / "metadata.parquet", rows)
  (data / "videos/00000002.mp4").unlink()
  (data / "protocol.json").unlink()
  inventory = Inventory(data)
  assert len(suite.load(inventory)) == 4
  assert inventory.left_out == ["00000000.mp4", "00000002.mp4"]
  assert inventory.problems == [
    "metadata.parquet: missing, 6 of 2900 are there",
    "metadata.parquet: 00000000.mp4 has no answer",
    "videos/00000002.mp4: missing",
  ]


def test_columns_go_by_several_names(tmp_path):
  names = {"video_file_name": "a.mp4", "long_answer": "x", "question": "y"}
  table.write(tmp_path / "metadata.parquet", [names])
  inventory = Inventory(tmp_path)
  suite.load(inventory)
  assert inventory.problems == [
    "metadata.parquet: missing, 1 of 2900 are there",
    "a.mp4: missing",
  ]
  table.write(
    tmp_path / "metadata.parquet", [{"video_file_name": "a.mp4", "z": 1}]
  )
  inventory = Inventory(tmp_path)
  assert suite.load(inventory) == []
  question, answer = sorted(inventory.problems[:2], reverse=True)
  assert "no column for the question (question, transcribed" in question
  assert answer.endswith("it has video_file_name, z")
