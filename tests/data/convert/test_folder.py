import dataclasses
import gzip

import numpy as np
import pytest

from interaction_jax.data import records
from interaction_jax.data.convert import folder
from interaction_jax.data.convert.folder import Found, Refused
from interaction_jax.data.record import Record


def _read(number):
  if number % 3 == 0:
    raise ValueError(f"number {number}\n  is a multiple of three")
  still = np.zeros(100 + number, np.float32)
  return Found(Record(still, still, source=str(number)), {"odd": number % 2})


def _convert(tmp_path, items, **change):
  return folder.convert(
    items,
    _read,
    tmp_path / "made",
    family="numbers",
    source=tmp_path / "there",
    num_workers=1,
    **change,
  )


def test_what_cannot_be_read_is_reported_and_the_others_are_kept(tmp_path):
  items = [("a", 1), ("b", 3), ("c", Refused("c", "why not")), ("d", 4)]
  report = _convert(tmp_path, items)
  assert report == {
    "converted": 2,
    "seconds": (101 + 104) / 16_000,
    "dropped": [
      {"name": "b", "reason": "number 3 is a multiple of three"},
      {"name": "c", "reason": "why not"},
    ],
    "notes": {"odd": 1},
  }
  made = records.load(tmp_path / "made")
  assert made.index["made"] == {"by": "convert numbers", "source": "there"}
  assert [made[i].record().source for i in range(2)] == ["1", "4"]


@pytest.mark.parametrize(
  ("items", "message"),
  [
    ([], "nothing in .*there can be converted.*no records"),
    ([("b", 3)], "nothing in .*there can be converted. b: number 3"),
  ],
  ids=["none", "wrong"],
)
def test_nothing_leaves_nothing_behind(tmp_path, items, message):
  with pytest.raises(ValueError, match=message):
    _convert(tmp_path, items)
  assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_kept(tmp_path):
  _convert(tmp_path, [("a", 1)])
  with pytest.raises(FileExistsError):
    _convert(tmp_path, [("a", 2)])
  _convert(tmp_path, [("a", 2)], overwrite=True)
  assert records.load(tmp_path / "made")[0].record().source == "2"


@pytest.mark.parametrize("packed", [False, True])
def test_lines_that_are_no_objects_are_refused(tmp_path, packed):
  content = b'{"a": 1}\n\n[2]\n{"a": \n{"a": 5}\n'
  path = tmp_path / f"x.jsonl{'.gz' * packed}"
  path.write_bytes(gzip.compress(content) if packed else content)
  lines = dict(folder.json_lines(path))
  assert lines[1] == {"a": 1} and lines[5] == {"a": 5}
  assert [lines[n].name for n in (3, 4)] == [f"{path.name}:3", f"{path.name}:4"]
  assert "no JSON object" in lines[3].reason
  with pytest.raises(FileNotFoundError):
    list(folder.json_lines(tmp_path / "y.jsonl"))


def test_a_refusal_is_plain():
  assert dataclasses.asdict(Refused("a", "b")) == {"name": "a", "reason": "b"}
