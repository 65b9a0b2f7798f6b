import json
import shutil

import numpy as np
import pytest

from interaction_jax.evals.harness import judge
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Reply
from interaction_jax.evals.proactive_video_qa import suite
from interaction_jax.evals.proactive_video_qa.pauc import Rating

TURN = {"reply": (10.0, 20.0), "related": (10.0, 15.0), "content": "a red ball"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  place = tmp_path_factory.mktemp("proactive")
  suite.generate(place, 2, 0)
  return place


def test_baselines_rank_as_they_should(folder, beside):
  found = beside(suite.SUITE, folder)
  for row, scores in found.items():
    assert scores["silent"] == 0.25, row
    assert scores["talking"] < 0.25 < scores["oracle"]
    assert scores["random"] < scores["oracle"]
  assert found["pauc_1"]["oracle"] == 1
  # 0.2 of 4 s too late: (0.2 0.5 + 3.8 2) / 8
  assert found["pauc_0"]["oracle"] == pytest.approx(7.7 / 8, abs=1e-3)


def reply(*pairs):
  words = tuple(Word(text, at, at + 0.2) for at, text in pairs)
  return Reply(30.0, words, (), (), lambda: np.zeros(0, np.float32))


@pytest.mark.parametrize(
  ("said", "ratings"),
  [
    ([(11.0, "red"), (11.3, "ball")], [(11.0, 2)]),
    ([(9.0, "red"), (9.3, "ball")], []),
    ([(20.5, "red")], []),
    # What was said adds up.
    ([(11.0, "red"), (14.0, "ball")], [(11.0, 1), (14.0, 2)]),
    ([(11.0, "what"), (14.0, "what"), (17.0, "blue")], [(11.0, 0), (17.0, 0)]),
    ([], []),
  ],
)
def test_utterances_within_the_span_are_rated(said, ratings):
  found = suite.rated("what?", TURN, reply(*said), judge.Rules())
  assert found == [Rating(*one) for one in ratings]


@pytest.mark.parametrize(
  ("answer", "value"), [("3", 2), (" 2: partly", 1), ("1", 0)]
)
def test_a_judge_answers_from_1_to_3(tmp_path, answer, value):
  asked = []

  def answered(system, prompt, seed):
    asked.append((system, prompt))
    return answer

  by = judge.Endpoint(
    answered, model="m", address="http://a", cache=tmp_path / "kept.jsonl"
  )
  said = reply((11.0, "red"))
  assert suite.rated("What comes?", TURN, said, by) == [Rating(11.0, value)]
  ((system, prompt),) = asked
  assert system.endswith("Output the score only, do not add more explanations.")
  assert prompt == (
    "Question: What comes?\nGround Truth Answer: a red ball\n"
    "Predicted Answer: red"
  )


def test_an_answer_that_cannot_be_read_is_none(tmp_path):
  by = judge.Endpoint(
    lambda *_: "good", model="m", address="http://a", cache=tmp_path / "k.jsonl"
  )
  assert suite.rated("?", TURN, reply((11.0, "red")), by) == []


def test_subtitles_are_burnt_in(folder):
  items = suite.load(Inventory(folder))
  (item,) = (one for one in items if one.name == "TV/tv_0")
  record = item.open((120, 160))
  begin = record.frame_times[0] / 16_000
  at = item.truth["turns"][0]["reply"][0] - begin
  before, after = (record.frames[int(10 * at) + step] for step in (-2, 2))
  # White letters at the bottom, where nothing else is that white.
  bottom = slice(100, 119)
  assert (after[bottom] > 235).all(-1).sum() > 10
  assert not (before[bottom] > 235).all(-1).any()


def test_what_is_wrong_with_the_data_is_named(folder, tmp_path):
  data = tmp_path / "data"
  shutil.copytree(folder, data)
  (data / "EGO/anno.json").write_text("[")
  (data / "TV/videos/scene_1.mp4").write_bytes(b"")
  entries = json.loads((data / "VAD/anno.json").read_text())
  del entries[0]["answer"][0]["reply_timespan"]
  (data / "VAD/anno.json").write_text(json.dumps(entries))
  inventory = Inventory(data)
  assert [item.name for item in suite.load(inventory)] == [
    "WEB/web_0", "WEB/web_1", "TV/tv_0", "VAD/vad_1",
  ]  # fmt: skip
  assert inventory.left_out == ["TV/tv_1", "VAD/vad_0"]
  assert inventory.problems[0].startswith("EGO/anno.json: corrupt")
  assert inventory.problems[1] == "EGO/videos/scene_0.mp4: extra, it belongs " \
    "to nothing"  # fmt: skip
  assert inventory.problems[3:] == [
    "TV/videos/scene_1.mp4: empty, it has no bytes",
    "VAD/anno.json: VAD/vad_0 lacks a field",
  ]
