import json

import pytest

from interaction_jax.evals.behaviours import suite
from interaction_jax.evals.behaviours.suite import Options

NAMES = {
  "listens_while_speaking",
  "turn_taking",
  "waits_through_pauses",
  "backchannel",
  "barge_in",
  "ignores_side_talk",
  "simultaneous_translation",
  "verbal_correction",
  "visual_interjection",
  "rep_counting",
  "temporal_localisation",
  "elapsed_time",
  "interval_reminder",
  "condition_alert",
  "stays_quiet",
  "tool_call",
  "generative_ui",
  "search",
  "delegation_context",
  "woven_in",
  "responsive_while_pending",
  "monitoring",
  "concurrent_text_audio",
  "refusal",
  "presence",
}


def test_every_behaviour_has_its_row():
  assert set(suite.ROWS) == NAMES
  for row in suite.ROWS.values():
    assert 0 < row.threshold <= 1 and row.about and row.scenarios


@pytest.fixture(scope="module")
def found(model, bank, tmp_path_factory):
  folder = tmp_path_factory.mktemp("report")
  options = Options(
    num_items=3,
    rows=("turn_taking", "refusal"),
    batch=2,
    keep=1,
    other=False,
    bank=str(bank.path),
  )
  told = []
  report = suite.run(
    model, folder, options, progress=lambda *numbers: told.append(numbers)
  )
  assert told == [(1, 2), (2, 2)]
  return report, folder


def test_a_model_that_knows_nothing_is_told_from_one_that_does(found):
  report, _ = found
  assert report["suite"] == "behaviours" and list(report["rows"]) == [
    "turn_taking",
    "refusal",
  ]
  for row in report["rows"].values():
    assert row["n"] >= 3 and row["turns"] > 50
    assert row["oracle"] == 1 and row["silent"] == 0
    assert 0 <= row["chance"] < 1
    assert row["ci"][0] <= row["score"] <= row["ci"][1]
    assert row["score"] < 0.9 and not row["passed"]
    assert set(row["beside"]) == {"chance", "silent", "oracle"}
  assert report["passed"] == 0 and report["wall_s"] > 0
  assert report["checkpoint"]["name"] == "small"
  assert report["complete"]


def test_report_and_items_are_kept(found):
  report, folder = found
  assert json.loads((folder / "report.json").read_bytes()) == report
  for name in report["rows"]:
    assert (folder / name / "items.jsonl").read_text().count("\n") >= 3
    assert len(list((folder / name).glob("*/timeline.png"))) == 1


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"num_items": 0}, "items=0 must be 1 or more"),
    ({"batch": -2}, "batch=-2 must be 1 or more"),
    ({"seed": -1}, "seed=-1 must lie in 0"),
    ({"keep": -2}, "keep=-2 must be -1"),
    (
      {"rows": ("barge",)},
      r"no row 'barge' \(did you mean barge_in\?\); there is .*presence",
    ),
  ],
  ids=str,
)
def test_mistakes_are_told(options, message):
  with pytest.raises(ValueError, match=message):
    Options(**options)


def test_a_bank_that_is_not_there(model, tmp_path):
  options = Options(rows=("refusal",), other=False, bank=str(tmp_path))
  with pytest.raises(FileNotFoundError, match="is not a bank"):
    suite.run(model, tmp_path, options)
