import json

import numpy as np
import pytest

from interaction_jax.data import records
from interaction_jax.data.convert import moshi

MAIN = "SPEAKER_MAIN"


@pytest.fixture
def talks(tmp_path, stereo):
  """An index of recordings, of which one is as it should be."""
  base = tmp_path / "there"
  lines = []

  def add(
    name, words, *, duration=4.0, left=((1.0, 2.0),), right=((0.2, 0.7),)
  ):
    stereo(base / f"stereo/{name}.wav", left, right, rate=24_000)
    if words is not None:
      (base / f"stereo/{name}.json").write_text(
        json.dumps({"alignments": words})
      )
    lines.append({"path": f"stereo/{name}.wav", "duration": duration})
    index = "\n".join(map(json.dumps, lines))
    (base / "talks.jsonl").write_text(index)

  add(
    "good",
    [
      ["how", [0.2, 0.4], "SPEAKER_USER"],
      ["are", [0.4, 0.7], "SPEAKER_USER"],
      ["fine", [1.0, 1.5], MAIN],
      ["thanks", [1.5, 2.0], MAIN],
    ],
  )
  return base, add


def _convert(base, tmp_path):
  return moshi.convert(base, tmp_path / "made", num_workers=1)


def test_a_recording_becomes_a_record(talks, tmp_path):
  report = _convert(talks[0], tmp_path)
  assert report["converted"] == 1 and report["dropped"] == []
  (record,) = [records.load(tmp_path / "made")[0].record()]
  # The assistant is on the left.
  assert np.abs(record.voice[17_000:31_000]).max() > 0.1
  assert np.abs(record.heard[17_000:31_000]).max() < 0.01
  assert len(record.heard) == 64_000
  ((first, last),) = record.speech
  assert abs(first - 16_000) <= 640 and abs(last - 32_000) <= 640
  assert [(t.at, t.channel, t.text) for t in record.text_out] == [
    (6400, "show", " how"),
    (11_200, "show", " are"),
    (16_000, "say", " fine"),
    (24_000, "say", " thanks"),
  ]


@pytest.mark.parametrize(
  ("change", "reason"),
  [
    ({"words": None}, "bad.json does not exist"),
    ({"words": [["x", 1.0]]}, "bad.json holds no alignments"),
    ({"words": [["x", [3.0, 9.0], MAIN]]}, "=9.00 s lies outside the sound"),
    ({"words": [["x", [2.0, 1.0], MAIN]]}, "before it begins at 2.0 s"),
    ({"words": [], "duration": 7.0}, "lasts 4.00 s, but the index says 7.00"),
    ({"words": [["x", [1, 2], MAIN]], "left": ()}, "left channel is silent"),
  ],
  ids=["json", "shape", "late", "reversed", "duration", "silent"],
)
def test_what_is_wrong_is_dropped_and_named(talks, tmp_path, change, reason):
  base, add = talks
  add("bad", **change)
  report = _convert(base, tmp_path)
  assert report["converted"] == 1
  (dropped,) = report["dropped"]
  assert dropped["name"] == "stereo/bad.wav" and reason in dropped["reason"]
  assert "\n" not in dropped["reason"]


def test_a_transcript_without_its_sound_is_named(talks, tmp_path):
  base, add = talks
  add("bad", [])
  (base / "stereo/bad.wav").unlink()
  (dropped,) = _convert(base, tmp_path)["dropped"]
  assert dropped["reason"].endswith("bad.wav does not exist.")


def test_an_index_is_wanted(talks, tmp_path):
  base, _ = talks
  (base / "more.jsonl").write_text('{"duration": 3}')
  with pytest.raises(FileNotFoundError, match=r"holds 2 files \.jsonl"):
    _convert(base, tmp_path)
  with pytest.raises(ValueError, match=r"more\.jsonl:1: the line has"):
    _convert(base / "more.jsonl", tmp_path)
