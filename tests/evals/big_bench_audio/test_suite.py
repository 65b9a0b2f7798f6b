import json
import shutil

import numpy as np
import pytest

from interaction_jax.evals.big_bench_audio import closed, suite
from interaction_jax.evals.harness import judge
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Reply


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  place = tmp_path_factory.mktemp("big_bench_audio")
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
  for row in ("accuracy", "accuracy_closed", *suite.PARTS):
    assert found[row]["oracle"] == 1, row
    assert found[row]["silent"] == 0, row
    # It says no answer, and "no" is in none of its words.
    assert found[row]["talking"] == 0, row
  assert found["accuracy"]["random"] < 1
  # Sound that has been an MP3 may begin and end a little later.
  assert found["latency"]["oracle"] == pytest.approx(0.4, abs=0.1)


def test_questions_are_played_from_the_beginning(items):
  assert {item.part for item in items} == set(suite.PARTS)
  for item in items:
    record = item.open((0, 0))
    loud = np.flatnonzero(np.abs(record.heard) > 0.02) / 16_000
    asked = item.truth["asked"]
    assert loud[0] < 0.3 and loud[-1] < asked + 0.01
    assert asked - loud[-1] < 0.6
    assert record.seconds == pytest.approx(item.seconds)
    # Turns are whole: 5 s from the turn in which the question ends.
    assert 5.0 <= item.seconds - asked < 5.2


def test_both_answers_come_up(items):
  for part in ("formal_fallacies", "navigate", "web_of_lies"):
    answers = {x.truth["official"] for x in items if x.part == part}
    assert answers == set(closed.ANSWERS[part])


def reply(*words):
  said = tuple(Word(text, at, at + 0.2) for at, text in words)
  return Reply(9.0, said, (), (), lambda: np.zeros(0, np.float32))


def scored(item, *words, by=None):
  made = suite.score([item], {item.key: reply(*words)}, by or judge.Rules())
  return {one.row: one.value for one in made}


def test_by_hand(items):
  item = next(one for one in items if one.part == "object_counting")
  asked, right = item.truth["asked"], item.truth["official"]
  # Working, and then the answer; it begins 1.5 s after the question.
  found = scored(
    item, (asked + 1.5, "one"), (asked + 2, "so,"), (asked + 3, right)
  )
  assert found["accuracy"] == found["object_counting"] == 1
  assert found["latency"] == pytest.approx(1.5)
  # The answer, and then another one.
  found = scored(item, (asked + 1, right), (asked + 2, "no,"), (asked + 3, "0"))
  assert found["accuracy_closed"] == 0
  # What is said into the question is no reply to it, but it is said.
  found = scored(item, (asked - 1, right))
  assert found["accuracy_closed"] == 1 and found["latency"] is None
  assert scored(item)["accuracy"] == 0


@pytest.mark.parametrize(
  ("said", "value"),
  [
    ("CORRECT", 1),
    ("Incorrect.", 0),
    ("CORRECT or INCORRECT", None),
    ("", None),
  ],
)
def test_a_judge_is_asked_as_published(items, tmp_path, said, value):
  asked = []

  def answered(system, prompt, seed):
    asked.append(prompt)
    return said

  by = judge.Endpoint(
    answered, model="m", address="http://a", cache=tmp_path / "kept.jsonl"
  )
  found = scored(items[0], (5.0, "seven"), by=by)
  assert found["accuracy"] == found[items[0].part] == value
  # Rules need no judge.
  assert found["accuracy_closed"] == 0
  for part in (items[0].truth["question"], "ANSWER:invalid", "\nseven\n"):
    assert part in asked[0]


def test_what_is_wrong_with_the_data_is_named(folder, tmp_path):
  data = shutil.copytree(folder, tmp_path / "data")
  (data / "protocol.json").unlink()
  lines = (data / "metadata.jsonl").read_text().splitlines()
  rows = [json.loads(line) for line in lines]
  rows[0]["category"] = "riddles"
  rows[4]["official_answer"] = "maybe"
  rows[8]["official_answer"] = "many"
  text = "\n".join(json.dumps(row) for row in rows)
  (data / "metadata.jsonl").write_text(text)
  (data / "data/question_1.mp3").unlink()
  (data / "data/question_2.mp3").write_bytes(b"no sound")
  (data / "data/extra.mp3").write_bytes(b"x")
  inventory = Inventory(data)
  assert len(suite.load(inventory)) == 11
  assert inventory.left_out == [f"question_{n}" for n in (0, 1, 2, 4, 8)]
  count, riddles, gone, corrupt, maybe, many, extra = inventory.problems
  assert count == "metadata.jsonl: missing, 16 of 1000 are there"
  assert riddles.startswith("metadata.jsonl: question_0: category='riddles'")
  assert gone == "data/question_1.mp3: missing"
  assert corrupt.startswith("data/question_2.mp3: corrupt")
  assert maybe.endswith("official_answer='maybe' is none of yes, no")
  assert many.endswith("official_answer='many' is no whole number")
  assert extra == "data/extra.mp3: extra, it belongs to nothing"
