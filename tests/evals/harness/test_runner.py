import dataclasses
import json
import shutil

import pytest
import soundfile

from interaction_jax.evals.harness import baseline, runner
from interaction_jax.evals.harness.runner import Benchmark, Options
from interaction_jax.evals.harness.system import Folder, Ours


class Counted(Ours):
  """Ours, which counts its items and may be cut short."""

  def __init__(self, model, most=None):
    super().__init__(model)
    self.done, self.most = [], most

  def perform(self, items, *, seed, batch):
    for item, made in super().perform(items, seed=seed, batch=batch):
      if len(self.done) == self.most:
        raise KeyboardInterrupt
      self.done.append(item.key)
      yield item, made


@pytest.fixture(scope="module")
def whole(model, suite, tmp_path_factory):
  folder = tmp_path_factory.mktemp("whole")
  options = Options(batch=2, keep=1, recogniser="pocketsphinx")
  return Benchmark(suite).run(model, folder, options), folder


def test_every_baseline_is_beside_every_row(whole):
  report, folder = whole
  assert json.loads((folder / "report.json").read_bytes()) == report
  right = report["rows"]["right"]
  assert right["oracle"] == 1 and right["silent"] == 0
  assert right["talking"] == 0 and right["chance"] == right["random"]
  assert right["n"] == 3 and right["ranking_holds"]
  assert report["ranking"]["right"][0] == "oracle"
  assert right["published"] == {"somebody": 0.5}
  assert report["rows"]["echo"]["oracle"] == 1
  assert report["rows"]["echo"]["silent"] == 0
  delay = report["rows"]["delay"]
  # It begins 400 ms behind the beep, and the oracle is there at once.
  assert delay["oracle"] == pytest.approx(0.4)
  assert delay["beside"]["silent"]["latency"]["misses"] == 3
  assert report["items"] == 4 and report["data"] == "synthetic twin"


def test_files_of_every_item_are_kept(whole):
  _, folder = whole
  for name in ("beep/0", "beep/1", "beep/2", "echo/0"):
    place = folder / "outputs" / "seed_0" / name
    for file in ("output.wav", "output.json", "own.json", "events.jsonl"):
      assert (place / file).is_file()
    lines = (place / "ticks.csv").read_text().splitlines()
    assert len(lines) == {"beep": 16, "echo": 23}[name.split("/")[0]]
  assert soundfile.info(folder / "outputs/seed_0/beep/0/output.wav").frames == (
    48_000
  )
  assert (folder / "outputs/seed_0/echo/0/input.wav").is_file()
  assert (folder / "outputs/seed_0/echo/0/input.json").is_file()
  assert len(list((folder / "worst").glob("*/*/timeline.png"))) == 2


def test_a_run_that_was_cut_short_goes_on(whole, model, suite, tmp_path):
  report, _ = whole
  options = Options(batch=2, keep=1)
  first, second = Counted(model, most=2), Counted(model)
  with pytest.raises(KeyboardInterrupt):
    Benchmark(suite).run(first, tmp_path, options)
  again = Benchmark(suite).run(second, tmp_path, options)
  assert sorted(first.done + second.done) == [
    "beep/0", "beep/1", "beep/2", "echo/0",
  ]  # fmt: skip
  # All but what a clock says.
  assert {**report, "wall_s": 0} == {**again, "wall_s": 0}


def test_part_of_another_run_is_left_alone(whole, model, suite, tmp_path):
  _, folder = whole
  copy = tmp_path / "copy"
  shutil.copytree(folder, copy)
  (copy / "report.json").unlink()
  with pytest.raises(ValueError, match="holds part of another run"):
    Benchmark(suite).run(model, copy, Options(seed=1))


def test_outputs_of_another_system_are_scored(whole, suite, tmp_path):
  report, folder = whole
  outputs = Folder(folder / "outputs" / "seed_0")
  again = Benchmark(suite).run(
    outputs,
    tmp_path / "report",
    Options(data=str(folder / "data"), recogniser="given", against=str(folder)),
  )
  for name, row in report["rows"].items():
    assert again["rows"][name]["score"] == row["score"]
  assert "too few" in again["against"]["rows"]["right"]["says"]
  (tmp_path / "none").mkdir()
  with pytest.raises(ValueError, match=r"beep/0: .*output\.wav"):
    Benchmark(suite).run(
      Folder(tmp_path / "none"),
      tmp_path / "other",
      Options(data=str(folder / "data")),
    )


def test_a_scorer_hears_the_other_side(whole, suite, tmp_path):
  _, folder = whole
  heard = []

  def score(given, replies, judge):
    heard.append({key: reply.other() for key, reply in replies.items()})
    return suite.score(given, replies, judge)

  Benchmark(dataclasses.replace(suite, score=score)).run(
    Folder(folder / "outputs" / "seed_0"),
    tmp_path,
    Options(data=str(folder / "data"), recogniser="given", detector="energy"),
  )
  # What was heard, its own words, and each of the baselines.
  assert len(heard) == 6
  for spans in heard:
    assert [round(at, 1) for at, _ in spans["echo/0"]] == [0.4, 2.4]
    assert spans["beep/1"] == ((1.0, 1.2),)


def test_data_that_is_not_whole(whole, suite, tmp_path, model):
  _, folder = whole
  data = tmp_path / "data"
  shutil.copytree(folder / "data", data)
  (data / "beep/1/input.wav").unlink()
  wav = (data / "beep/2/input.wav").read_bytes()
  (data / "beep/2/input.wav").write_bytes(wav[:30_000])
  with pytest.raises(
    ValueError, match=r"2 problems\): beep/1/input.wav: missing; beep/2.*trunc"
  ):
    Benchmark(suite).run(model, tmp_path / "a", Options(data=str(data)))
  report = Benchmark(suite).run(
    model,
    tmp_path / "b",
    Options(
      data=str(data), allow_missing=True, parts=("beep",), keep=0, batch=2
    ),
  )
  assert report["left_out"] == ["beep/1", "beep/2"]
  assert report["items"] == 1 and len(report["problems"]) == 2


def test_several_seeds(model, suite, tmp_path):
  options = Options(seeds=2, parts=("beep",), num_items=2, keep=0, batch=2)
  report = Benchmark(suite).run(model, tmp_path, options)
  right = report["rows"]["right"]
  assert right["n"] == 4 and len(right["by_seed"]) == 2
  assert (tmp_path / "outputs/seed_1/beep/1/output.wav").is_file()


def test_a_stand_in_is_called_one(model, judged, tmp_path):
  options = Options(parts=("beep",), num_items=1, keep=0, batch=2)
  report = Benchmark(judged).run(model, tmp_path, options)
  assert report["judge"]["label"].startswith("stand-in")


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"num_items": 0}, "items=0 must be 1 or more"),
    ({"seeds": 0}, "seeds=0 must be 1 or more"),
    ({"seed": -1}, "seed=-1 must lie in 0"),
    ({"keep": -2}, "keep=-2 must be -1"),
    ({"recogniser": "whispers"}, "mean whisper?"),
    ({"detector": "silver"}, "there is silero, energy"),
    ({"data": "nowhere"}, "data='nowhere' is not a folder"),
    ({"against": "tests"}, "holds no items.jsonl"),
  ],
  ids=str,
)
def test_mistakes_are_told(options, message, root, monkeypatch):
  monkeypatch.chdir(root)
  with pytest.raises(ValueError, match=message):
    Options(**options)


def test_an_unknown_part(model, suite, tmp_path):
  with pytest.raises(ValueError, match=r"no part 'peep' .*mean beep"):
    Benchmark(suite).run(model, tmp_path, Options(parts=("peep",)))
  assert set(baseline.NAMES) == {"oracle", "random", "silent", "talking"}


def test_a_digest_tells_folders_apart(tmp_path):
  (tmp_path / "a").write_text("one")
  before = runner.digest(tmp_path)
  assert runner.digest(tmp_path) == before
  (tmp_path / "a").write_text("three")
  assert runner.digest(tmp_path) != before
