import json

import pytest

from interaction_jax.evals import report

ROW = {
  "score": 0.5,
  "ci": [0.25, 0.75],
  "n": 12,
  "threshold": 0.9,
  "passed": False,
  "chance": 0.1,
  "silent": 0.0,
  "oracle": 1.0,
  "wall_s": 3.0,
}
REPORT = {"rows": {"turn_taking": ROW, "none": ROW | {"score": None}}}


def test_a_report_is_written_whole(tmp_path):
  folder = report.prepare(tmp_path / "a" / "b", force=False)
  path = report.write(folder, REPORT)
  assert json.loads(path.read_bytes()) == REPORT
  assert [one.name for one in folder.iterdir()] == ["report.json"]
  with pytest.raises(ValueError, match="not JSON compliant"):
    report.write(folder, {"score": float("nan")})
  assert json.loads(path.read_bytes()) == REPORT


def test_what_is_there_is_not_lost(tmp_path):
  folder = report.prepare(tmp_path / "new", force=False)
  (folder / "letter").write_text("dear")
  with pytest.raises(FileExistsError, match="not a report and is left alone"):
    report.prepare(folder, force=True)
  report.write(folder, REPORT)
  with pytest.raises(FileExistsError, match="--force replaces it"):
    report.prepare(folder, force=False)
  assert report.prepare(folder, force=True) == folder
  assert not list(folder.iterdir())


def test_the_table_has_a_line_for_every_row():
  lines = report.table(REPORT | {"wall_s": 7.2}).splitlines()
  assert len(lines) == 4
  assert lines[1].split()[:7] == [
    "turn_taking", "50", "25", "to", "75", "12", "90",
  ]  # fmt: skip
  assert lines[2].split()[1] == "-"
  assert lines[3].startswith("0 of 2 rows passed; 7 s")


def test_medians_of_seconds_and_means_of_shares():
  values = {"a_s": [1.0, 2.0, 9.0], "b": [1.0, 2.0, 9.0], "c": []}
  assert report.medians(values) == {"a_s": 2.0, "b": 4.0, "c": None}
