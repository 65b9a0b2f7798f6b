import io

import numpy as np
import pytest
import soundfile

from interaction_jax.evals import table
from interaction_jax.evals.harness.inventory import Inventory

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def _wav(samples, rate):
  file = io.BytesIO()
  soundfile.write(file, samples, rate, format="WAV")
  return file.getvalue()


@pytest.fixture
def inventory(tmp_path):
  table.write(tmp_path / "set/test-00000-of-00001.parquet", ROWS)
  (tmp_path / "plain.csv").write_text("a,b\n1,x\n2,y\n")
  (tmp_path / "lines.jsonl").write_text('{"a": 1, "b": "x"}\n\n{"a": 2}\n')
  (tmp_path / "bad.jsonl").write_text('{"a": 1')
  (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing else")
  soundfile.write(tmp_path / "a.wav", np.full(1600, 0.5), 16_000)
  return Inventory(tmp_path)


def test_a_table_is_found_in_parts(inventory, tmp_path):
  assert table.find(inventory, "set", "test") == [
    "set/test-00000-of-00001.parquet"
  ]
  assert not inventory.problems
  for part in (0, 2):
    table.write(tmp_path / f"more/test-0000{part}-of-00003.parquet", ROWS)
  assert len(table.find(inventory, "more", "test")) == 2
  assert inventory.problems == ["more/test-00001-of-00003.parquet: missing"]


def test_a_table_that_is_not_there_is_noted(inventory):
  assert table.find(inventory, "none", "test") == []
  assert inventory.problems == ["none/test.parquet: missing"]


@pytest.mark.parametrize(
  ("path", "wanted"),
  [
    ("set/test-00000-of-00001.parquet", ROWS),
    ("plain.csv", [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]),
    ("lines.jsonl", [{"a": 1, "b": "x"}, {"a": 2}]),
  ],
)
def test_rows_are_read(inventory, path, wanted):
  assert table.read(inventory, path, wanted=("a",)) == wanted
  assert not inventory.problems


def test_a_cell_is_read_by_itself(tmp_path):
  import pyarrow
  import pyarrow.parquet

  rows = [{"a": n, "big": f"x{n}"} for n in range(7)]
  path = tmp_path / "t.parquet"
  pyarrow.parquet.write_table(
    pyarrow.Table.from_pylist(rows), path, row_group_size=3
  )
  inventory = Inventory(tmp_path)
  read = table.read(
    inventory, "t.parquet", wanted=("a", "big"), apart=("big", "other")
  )
  assert read == [{"a": n, "big": None} for n in range(7)]
  assert [table.cell(path, n, "big") for n in (0, 2, 3, 6)] == [
    "x0", "x2", "x3", "x6",
  ]  # fmt: skip
  with pytest.raises(IndexError, match="no such row"):
    table.cell(path, 7, "big")


def test_lines_are_written(inventory, tmp_path):
  table.write_lines(tmp_path / "new/lines.jsonl", ROWS)
  assert table.read(inventory, "new/lines.jsonl", wanted=("a", "b")) == ROWS


@pytest.mark.parametrize(
  ("path", "said"),
  [
    ("none.csv", "none.csv: missing"),
    ("bad.jsonl", "bad.jsonl: corrupt, it is no JSON"),
    ("bad.parquet", "bad.parquet: corrupt, it is no Parquet"),
    ("plain.csv", "plain.csv: has no column c; it has a, b"),
  ],
)
def test_what_cannot_be_read_is_noted(inventory, path, said):
  assert table.read(inventory, path, wanted=("c",)) == []
  (problem,) = inventory.problems
  assert problem.startswith(said)


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_sound_within_a_table_is_read(inventory, rate):
  cell = {"bytes": _wav(np.full(rate, 0.25), rate), "path": None}
  samples = table.sound(inventory, "row 0", cell)
  assert len(samples) == 16_000
  assert samples[8000] == pytest.approx(0.25, abs=1e-3)


def test_sound_beside_a_table_is_read(inventory):
  assert len(table.sound(inventory, "row 0", "a.wav")) == 1600
  assert table.sound(inventory, "row 1", "b.wav") is None
  assert inventory.problems == ["b.wav: missing"]


@pytest.mark.parametrize(
  ("cell", "said"),
  [
    ({"bytes": b"RIFF....", "path": None}, "corrupt, it cannot be read"),
    ({"bytes": None, "path": None}, "missing, the cell holds no sound"),
    ({"bytes": _wav(np.zeros(0), 8000), "path": "x"}, "empty, it has no"),
  ],
)
def test_sound_that_cannot_be_read_is_noted(inventory, cell, said):
  assert table.sound(inventory, "row 3", cell) is None
  (problem,) = inventory.problems
  assert problem.startswith(f"row 3: {said}")


@pytest.mark.parametrize(
  ("cell", "value"), [("1.5", 1.5), (2, 2.0), ("", None), (None, None),
                      ("nan", None)]
)  # fmt: skip
def test_numbers_of_cells(cell, value):
  assert table.number(cell) == value
