import csv
import shutil

import numpy as np
import pytest

from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.repcount import suite


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  place = tmp_path_factory.mktemp("repcount")
  suite.generate(place, 4, 0)
  return place


@pytest.fixture(scope="module")
def items(folder):
  inventory = Inventory(folder)
  found = suite.load(inventory)
  assert inventory.problems == []
  return found


def test_baselines_rank_as_they_should(folder, beside):
  found = beside(suite.SUITE, folder)
  assert found["within_one"]["oracle"] == found["exact"]["oracle"] == 1
  assert found["error"]["oracle"] == found["relative_error"]["oracle"] == 0
  for row in ("within_one", "exact"):
    assert found[row]["silent"] == found[row]["talking"] == 0
    assert found[row]["random"] < 1
  assert found["error"]["silent"] >= 3


def test_the_video_begins_after_the_prompt(items):
  for item in items:
    record = item.open((60, 80))
    begin = record.frame_times[0] / 16_000
    assert 5 * begin == pytest.approx(round(5 * begin))
    voice = np.flatnonzero(record.heard) / 16_000
    assert 1.9 < begin - voice[-1] < 2.6
    assert item.truth["cycles"][0][0] > begin
    assert record.seconds == pytest.approx(item.seconds, abs=1e-3)
    assert not len(item.open((0, 0)).frames)


def test_jumps_are_seen_when_the_annotation_says_so(items):
  item = items[0]
  record = item.open((60, 80))
  times = record.frame_times / 16_000
  still = record.frames[0].astype(int)
  moving = [np.abs(x.astype(int) - still).max() > 60 for x in record.frames]
  for time, moves in zip(times, moving, strict=True):
    inside = any(a + 0.05 < time < b - 0.05 for a, b in item.truth["cycles"])
    outside = not any(
      a - 0.05 < time < b + 0.05 for a, b in item.truth["cycles"]
    )
    assert moves or not inside
    assert not moves or not outside


def test_the_twin_has_the_official_columns(folder):
  with (folder / "annotation/test.csv").open() as stream:
    rows = list(csv.DictReader(stream))
  assert list(rows[0])[:5] == ["type", "name", "count", "L1", "L2"]
  for row in rows:
    assert len(suite.cycles(row, 10.0)) == int(row["count"]) >= 3


@pytest.mark.parametrize(
  ("row", "wanted"),
  [
    ({"L1": "25", "L2": "50", "L3": "75", "L4": "100"}, [(1, 2), (3, 4)]),
    ({"L1": "25", "L2": "50", "L3": "", "L4": ""}, [(1, 2)]),
    ({"L1": "25.0", "L2": "50.0", "L3": "75"}, [(1, 2)]),
    ({"L1": "0", "L2": "0"}, []),
    ({}, []),
  ],
)
def test_frames_become_seconds(row, wanted):
  assert suite.cycles(row, 25.0) == wanted


def test_what_is_wrong_with_the_data_is_named(folder, tmp_path):
  data = tmp_path / "data"
  shutil.copytree(folder, data)
  (data / "video/test/scene_0.mp4").unlink()
  (data / "video/test/scene_1.mp4").write_bytes(b"no video")
  (data / "video/test/other.mp4").write_bytes(b"x")
  inventory = Inventory(data)
  assert [item.name for item in suite.load(inventory)] == [
    "scene_2.mp4",
    "scene_3.mp4",
  ]
  assert inventory.left_out == ["scene_0.mp4", "scene_1.mp4"]
  missing, corrupt, extra = sorted(
    inventory.problems, key=lambda x: ["missing", "corrupt", "extra"].index(
      x.split(": ")[1].split(",")[0]
    )
  )  # fmt: skip
  assert missing == "video/test/scene_0.mp4: missing"
  assert corrupt.startswith("video/test/scene_1.mp4: corrupt")
  assert extra == "video/test/other.mp4: extra, it belongs to nothing"
