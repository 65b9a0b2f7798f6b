import json
from fractions import Fraction

import numpy as np
import pytest

from interaction_jax.data import records
from interaction_jax.data.convert import captioned
from tests.film import film

SRT = """\
1
00:00:00,100 --> 00:00:00,500
a <i>dog</i>
runs

2
00:00:00,700 --> 00:00:01,000
it stops
"""
VTT = """\
WEBVTT

NOTE made by hand

00:00.100 --> 00:00.500 align:start
a dog runs

cue 2
00:00:00.700 --> 00:00:01.000
it stops
"""
LIST = [
  {"start": 0.1, "end": 0.5, "text": "a dog  runs"},
  {"start": 0.7, "end": 1.0, "text": "it stops"},
]


@pytest.fixture
def there(tmp_path):
  film(tmp_path / "there/sub/a.mp4")
  (tmp_path / "there/sub/a.srt").write_text(SRT)
  return tmp_path / "there"


def _convert(there, tmp_path):
  return captioned.convert(there, tmp_path / "made", num_workers=1)


@pytest.mark.parametrize(
  ("suffix", "content"),
  [
    (".srt", SRT),
    (".srt", "\ufeff" + SRT.replace("\n", "\r\n")),
    (".vtt", VTT),
    (".json", json.dumps(LIST)),
    (".json", json.dumps({"segments": LIST})),
  ],
  ids=["srt", "windows", "vtt", "list", "segments"],
)
def test_a_video_becomes_a_record(tmp_path, suffix, content):
  film(tmp_path / "there/a.mp4")
  (tmp_path / f"there/a{suffix}").write_bytes(content.encode())
  report = _convert(tmp_path / "there", tmp_path)
  assert report["converted"] == 1 and report["dropped"] == []
  record = records.load(tmp_path / "made")[0].record()
  assert [(t.at, t.channel, t.text) for t in record.text_out] == [
    (8000, "show", " a dog runs"),
    (16_000, "show", " it stops"),
  ]
  # Its coder makes the sound longer, and the last picture stays.
  num = len(record.frames)
  assert num in (12, 13) and record.frames.shape[1:] == (48, 64, 3)
  assert record.frame_times.tolist() == list(range(0, num * 1600, 1600))
  np.testing.assert_allclose(
    record.frames[:12].mean(axis=(1, 2, 3)), 15 * np.arange(12), atol=8
  )
  assert np.abs(record.heard).max() > 0.2 and not record.voice.any()


def test_a_video_without_sound_is_heard_as_silence(there, tmp_path):
  film(there / "b.mp4", sound=False, size=(480, 320), num=11)
  (there / "b.srt").write_text(SRT)
  report = _convert(there, tmp_path)
  assert report["notes"] == {"videos without a sound track": 1}
  record = records.load(tmp_path / "made")[0].record()
  # Half as large, so that 480 rows fit into 240.
  assert record.frames.shape == (11, 240, 160, 3)
  assert len(record.heard) == 11 * 1600 and not record.heard.any()


@pytest.mark.parametrize(
  ("files", "reason"),
  [
    ({}, "has no captions: there is no .srt, .vtt, .json of its name"),
    ({".srt": "no times"}, "bad.srt cannot be read as captions"),
    ({".json": "{}"}, "bad.json cannot be read as captions"),
    (
      {".json": '[{"start": 0, "end": 9, "text": "x"}]'},
      "=9.00 s lies outside",
    ),
    ({".json": '[{"start": 1, "end": 0, "text": "x"}]'}, "before it begins"),
    ({".json": '[{"start": 0, "end": 1, "text": " "}]'}, "no captions with a"),
    ({".srt": SRT, ".mp4": "no video"}, "cannot be read as video"),
  ],
  ids=["none", "srt", "json", "late", "reversed", "empty", "video"],
)
def test_what_is_wrong_is_dropped_and_named(there, tmp_path, files, reason):
  film(there / "bad.mp4")
  for suffix, content in files.items():
    (there / f"bad{suffix}").write_text(content)
  report = _convert(there, tmp_path)
  assert report["converted"] == 1
  (dropped,) = report["dropped"]
  assert dropped["name"] == "bad.mp4" and reason in dropped["reason"]


def _cut_short(path):
  """Broken off where a player would just stop."""
  film(path, rate=2, num=16, sound=False)
  content = path.read_bytes()
  pictures = content.index(b"mdat")
  path.write_bytes(content[: (pictures + len(content)) // 2])


def _endless(path):
  """Two pictures, each of them two and a half hours long."""
  film(path, rate=Fraction(1, 9000), num=2, sound=False)


@pytest.mark.parametrize(
  ("make", "reason"),
  [
    (_cut_short, "is truncated: it ends at"),
    (_endless, "lasts 18000 s; at most 14400 s are taken"),
  ],
  ids=["truncated", "long"],
)
def test_a_video_of_a_wrong_length_is_dropped(there, tmp_path, make, reason):
  make(there / "bad.mp4")
  (there / "bad.srt").write_text(SRT)
  (dropped,) = _convert(there, tmp_path)["dropped"]
  assert dropped["name"] == "bad.mp4" and reason in dropped["reason"]


def test_captions_without_a_video_are_named(there, tmp_path):
  (there / "lonely.vtt").write_text(VTT)
  (dropped,) = _convert(there, tmp_path)["dropped"]
  assert dropped == {
    "name": "lonely.vtt",
    "reason": "there is no video of that name.",
  }


def test_a_folder_is_wanted(tmp_path):
  with pytest.raises(FileNotFoundError, match="is no folder"):
    _convert(tmp_path / "nothing", tmp_path)
