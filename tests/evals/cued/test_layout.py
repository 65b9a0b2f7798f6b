import json
import shutil
import zlib
from functools import partial

import numpy as np
import pytest

from interaction_jax.evals.cued import cuespeak, layout, timespeak
from interaction_jax.evals.harness.inventory import Inventory


@pytest.fixture
def copy(folders, tmp_path):
  return shutil.copytree(folders["timespeak"], tmp_path / "data")


def change(folder, name, **fields):
  path = folder / "items.json"
  entries = json.loads(path.read_text())
  (entry,) = (one for one in entries if one["name"] == name)
  entry |= fields
  path.write_text(json.dumps(entries))


load = partial(layout.load, benchmark="timespeak")


def test_a_folder_says_what_it_is(folders):
  about = json.loads((folders["cuespeak"] / "about.json").read_text())
  assert about == {
    "benchmark": "cuespeak",
    "version": 1,
    "seed": 0,
    "items": 32,
    "items_of_a_kind": 4,
    "time_window": [0.6, 1.2],
    "cue_window": [0.0, 1.6],
    "free_s": 2.0,
  }


def test_items_are_as_the_file_says(folders):
  inventory = Inventory(folders["timespeak"])
  items = load(inventory)
  assert inventory.problems == []
  entries = json.loads((folders["timespeak"] / "items.json").read_text())
  assert [item.name for item in items] == [one["name"] for one in entries]
  for item, entry in zip(items, entries, strict=True):
    heard = item.open((0, 0)).heard
    assert len(heard) == round(entry["seconds"] * 16_000)
    # What is heard is what the user says, when it says so.
    for line in entry["user"]:
      first, last = (round(line[x] * 16_000) for x in ("start", "end"))
      assert np.abs(heard[first:last]).max() > 0.05
    assert not heard[: round(entry["user"][0]["start"] * 16_000) - 1].any()
    assert len(item.wanted) == len(entry["events"])


def test_the_same_seed_draws_the_same(folders, tmp_path):
  timespeak.generate(tmp_path / "again", 4, 0)
  for path in sorted(folders["timespeak"].rglob("*")):
    if path.is_file():
      other = tmp_path / "again" / path.relative_to(folders["timespeak"])
      assert path.read_bytes() == other.read_bytes(), path.name


@pytest.mark.parametrize(
  ("one", "digest"),
  [(timespeak, 353978612), (cuespeak, 2369941916)],
  ids=["timespeak", "cuespeak"],
)
def test_the_benchmark_stays_what_it_is(one, digest):
  # What the users say in the 208 items of version 1. Whoever changes it makes
  # another benchmark, with another `VERSION`.
  plans = layout.drawn(one.KINDS, 26, 0)
  assert len(plans) == 208 and layout.VERSION == 1
  told = json.dumps({name: plan.lines for name, plan in plans.items()})
  assert zlib.crc32(told.encode()) == digest


def test_more_items_leave_the_first_as_they_are():
  few, many = (layout.drawn(cuespeak.KINDS, num, 0) for num in (2, 3))
  assert all(many[name].lines == plan.lines for name, plan in few.items())


@pytest.mark.parametrize(
  ("fields", "says"),
  [
    ({"events": []}, "nothing is to be said"),
    ({"events": [{"t_ref": 1.0}]}, "KeyError('window')"),
    ({"seconds": "long"}, "could not convert"),
    ({"free": [[3.0, 1.0]]}, "from 3.0 to 1.0 ends before it begins"),
    (
      {
        "events": [
          {"t_ref": 9.0, "window": [3.0, 4.0], "accept": ["a"], "say": "a",
           "overlap": False}
        ]
      },
      "t_ref=9.0 is outside of 3.0 to 4.0",
    ),
  ],
)  # fmt: skip
def test_a_corrupt_item_is_left_out(copy, fields, says):
  change(copy, "delay_01", **fields)
  inventory = Inventory(copy)
  assert len(load(inventory)) == 31
  (problem,) = inventory.problems
  assert problem.startswith("items.json: item delay_01 is corrupt")
  assert says in problem and inventory.left_out == ["delay_01"]


def test_what_is_wrong_with_the_sound_is_named(copy):
  (copy / "audio/count_00.flac").unlink()
  whole = (copy / "audio/count_01.flac").read_bytes()
  (copy / "audio/count_01.flac").write_bytes(whole[: len(whole) // 2])
  change(copy, "count_02", seconds=3.0)
  (copy / "audio/more.flac").write_bytes(whole)
  inventory = Inventory(copy)
  assert len(load(inventory)) == 29
  assert inventory.left_out == ["count_00", "count_01", "count_02"]
  gone, cut, long, extra = inventory.problems
  assert gone == "audio/count_00.flac: missing"
  assert cut.startswith("audio/count_01.flac: ")
  assert long.endswith("s long, and its item 3.0 s")
  assert extra == "audio/more.flac: extra, it belongs to nothing"


def test_the_wrong_folder_is_noticed(folders, tmp_path):
  inventory = Inventory(folders["cuespeak"])
  assert load(inventory) == []
  assert inventory.problems == ["about.json: is not about timespeak"]
  inventory = Inventory(tmp_path)
  assert load(inventory) == []
  assert inventory.problems == ["about.json: missing", "items.json: missing"]


def test_missing_items_are_counted(copy):
  path = copy / "items.json"
  path.write_text(json.dumps(json.loads(path.read_text())[:-1]))
  (copy / "audio/change_03.flac").unlink()
  inventory = Inventory(copy)
  assert len(load(inventory)) == 31
  assert inventory.problems == ["items.json: missing, 31 of 32 are there"]
