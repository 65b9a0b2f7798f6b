import shutil

import pytest

from interaction_jax.evals.charades import suite
from interaction_jax.evals.harness.inventory import Inventory


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  place = tmp_path_factory.mktemp("charades")
  suite.generate(place, 3, 0)
  return place


def test_baselines_rank_as_they_should(folder, beside):
  found = beside(suite.SUITE, folder)
  assert len(found) == 10
  for row, scores in found.items():
    assert scores["oracle"] == pytest.approx(1, abs=1e-3), row
    assert scores["silent"] == scores["talking"] == 0
    assert scores["random"] < 1


def test_both_parts_ask_for_the_same_videos(folder):
  items = suite.load(Inventory(folder))
  names = {part: [x.name for x in items if x.part == part] for part in
           ("actions", "sentences")}  # fmt: skip
  assert names == {
    "actions": ["SCN00/c000", "SCN01/c000", "SCN02/c000"],
    "sentences": ["SCN00/1", "SCN01/2", "SCN02/3"],
  }
  record = items[0].open((60, 80))
  (begin, end), *_ = items[0].truth["when"]
  still = record.frames[0].astype(int)
  moved = [abs(frame.astype(int) - still).max() > 60 for frame in record.frames]
  times = record.frame_times / 16_000
  assert times[moved.index(True)] == pytest.approx(begin + 0.1, abs=0.15)
  last = len(moved) - 1 - moved[::-1].index(True)
  assert times[last] == pytest.approx(end - 0.1, abs=0.15)


def test_what_is_wrong_with_the_data_is_named(folder, tmp_path):
  data = tmp_path / "data"
  shutil.copytree(folder, data)
  (data / "Charades_v1_480/SCN01.mp4").unlink()
  with (data / "charades_sta_test.txt").open("a") as file:
    file.write("damaged\n")
  inventory = Inventory(data)
  assert len(suite.load(inventory)) == 4
  assert inventory.left_out == ["SCN01/c000", "SCN01/2"]
  assert inventory.problems == [
    "charades_sta_test.txt:4: corrupt: 'damaged'",
    "Charades_v1_480/SCN01.mp4: missing",
  ]


def test_no_annotation_at_all_is_named(tmp_path):
  inventory = Inventory(tmp_path)
  assert suite.load(inventory) == []
  assert inventory.problems == [
    "Charades_v1_test.csv or charades_sta_test.txt: missing"
  ]
