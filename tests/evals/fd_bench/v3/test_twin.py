import json

import pytest
import soundfile

from interaction_jax.evals.cued import wording
from interaction_jax.evals.fd_bench.v3 import call as calls
from interaction_jax.evals.fd_bench.v3 import twin


@pytest.fixture(scope="module")
def told(v3_folder):
  return {
    path.parent.name: json.loads(path.read_bytes())
    for path in sorted(v3_folder.glob("*/metadata.json"))
  }


def test_folders_are_those_of_the_official_layout(v3_folder, told):
  assert len(told) == 15
  for name, fields in told.items():
    assert {path.name for path in (v3_folder / name).iterdir()} == {
      "input.wav",
      "metadata.json",
    }
    length = soundfile.info(v3_folder / name / "input.wav").duration
    assert fields["user_end"] == pytest.approx(length, abs=1e-3)


def test_parts_differ_in_calls(told):
  for name, fields in told.items():
    wanted = {"e": 1, "m": 2, "h": 3}[name[0]]
    assert len(fields["expected_tool_calls"]) == wanted
  # Only the hard ones refer to what an earlier call brings.
  for name, fields in told.items():
    listed = [calls.parse(one) for one in fields["expected_tool_calls"]]
    assert bool(calls.references(listed)) == name.startswith("hard")


def test_each_way_is_heard(told):
  ways = {fields["disfluency"] for fields in told.values()}
  assert ways == set(twin.DISFLUENCIES)
  for fields in told.values():
    words, plain = fields["transcript"].split(), fields["scenario"].split()
    assert wording.small(fields["transcript"])
    assert wording.small(fields["answer"])
    way = fields["disfluency"]
    assert ("uh" in words) == (way == "filler")
    assert ("sorry" in words) == (way == "self_correction")
    if way == "hesitation":
      assert words[:2] == words[2:4] == plain[:2]
    if way == "false_start":
      assert words[:3] == ["tell", "me", "the"]


def test_what_is_corrected_is_expected(told):
  for fields in told.values():
    if fields["disfluency"] == "self_correction":
      before, after = fields["transcript"].split(" no sorry ")
      first = fields["expected_tool_calls"][0]
      (value,) = first.get("args", {}).values()
      said = wording.number(value) if isinstance(value, int) else value
      assert f" {said}" in f" {after}"
      assert f" {said} " not in f" {before} "
