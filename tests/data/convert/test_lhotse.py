import json

import numpy as np
import pytest

from interaction_jax.data import records
from interaction_jax.data.convert import lhotse


@pytest.fixture
def corpus(tmp_path, stereo):
  base = tmp_path / "there"
  stereo(base / "a.wav", [(0.2, 0.7)], [(1.0, 2.0)])
  recordings, supervisions = [], []

  def write():
    for name, lines in (
      ("recordings", recordings),
      ("supervisions", supervisions),
    ):
      text = "\n".join(map(json.dumps, lines))
      (base / f"{name}.jsonl").write_text(text)

  def add(name="a", said=(), **change):
    source = {"type": "file", "channels": [0, 1], "source": "a.wav"}
    recordings.append(
      {"id": name, "sources": [source], "sampling_rate": 16_000, **change}
    )
    supervisions.extend({"recording_id": name, **line} for line in said)
    write()

  add(
    said=[
      {
        "start": 1.0,
        "duration": 1.0,
        "channel": 1,
        "text": "fine thanks",
        "alignment": {"word": [["fine", 1.0, 0.4, 0.9], ["thanks", 1.4, 0.6]]},
      },
      {"start": 0.2, "duration": 0.5, "channel": [0], "text": "how is it"},
    ]
  )
  return base, add


def _convert(base, tmp_path):
  return lhotse.convert(base, tmp_path / "made", num_workers=1)


def test_a_recording_becomes_a_record(corpus, tmp_path):
  report = _convert(corpus[0], tmp_path)
  assert report["converted"] == 1 and report["dropped"] == []
  assert report["notes"] == {"words without times of their own": 3}
  record = records.load(tmp_path / "made")[0].record()
  # The assistant is on the right.
  assert np.abs(record.voice[17_000:31_000]).max() > 0.1
  ((first, last),) = record.speech
  assert abs(first - 16_000) <= 640 and abs(last - 32_000) <= 640
  assert [(t.at, t.channel, t.text) for t in record.text_out] == [
    (6400, "show", " how"),
    (8800, "show", " is"),
    (11_200, "show", " it"),
    (16_000, "say", " fine"),
    (22_400, "say", " thanks"),
  ]


SAID = {"start": 1.0, "duration": 0.5, "channel": 1, "text": "x"}


@pytest.mark.parametrize(
  ("change", "reason"),
  [
    ({}, "has no supervision with a text"),
    ({"said": [{**SAID, "channel": 3}]}, "is of channel 3"),
    ({"said": [{**SAID, "start": 9.0}]}, "=9.00 s lies outside"),
    ({"said": [{**SAID, "start": None}]}, "None is no time"),
    ({"said": [{**SAID, "duration": 0}]}, "lasts 0 s"),
    (
      {"said": [SAID], "sampling_rate": 8000},
      "has sampling_rate=16000, but the manifest says 8000",
    ),
    ({"said": [SAID], "num_samples": 5}, "has num_samples=64000, but"),
    ({"said": [SAID], "sources": []}, "'sources' lists not one file"),
    (
      {"said": [SAID], "sources": [{"type": "url", "source": "x"}]},
      "sources of type 'url'",
    ),
  ],
  ids=[
    "none",
    "channel",
    "late",
    "untimed",
    "empty",
    "rate",
    "length",
    "sources",
    "url",
  ],
)
def test_what_is_wrong_is_dropped_and_named(corpus, tmp_path, change, reason):
  base, add = corpus
  add("bad", **change)
  report = _convert(base, tmp_path)
  assert report["converted"] == 1
  (dropped,) = report["dropped"]
  assert dropped["name"] == "bad" and reason in dropped["reason"]


def test_text_of_nothing_is_named(corpus, tmp_path):
  base, _ = corpus
  with (base / "supervisions.jsonl").open("a") as file:
    file.write('\n{"recording_id": "gone"}\n{')
  names = [one["name"] for one in _convert(base, tmp_path)["dropped"]]
  assert names == ["supervisions.jsonl:4", "gone"]


def test_both_manifests_are_wanted(corpus, tmp_path):
  base, _ = corpus
  (base / "supervisions.jsonl").unlink()
  with pytest.raises(FileNotFoundError, match=r"has no supervisions\.jsonl"):
    _convert(base, tmp_path)
