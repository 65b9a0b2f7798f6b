import json

import numpy as np
import pytest
import soundfile

from interaction_jax.serve import recording
from interaction_jax.serve.recording import Request


def write(path, seconds, rate=16_000):
  rng = np.random.default_rng(1)
  samples = rng.normal(0, 0.1, round(seconds * rate)).astype(np.float32)
  soundfile.write(path, samples, rate)
  return path


@pytest.fixture
def sound(tmp_path):
  return write(tmp_path / "said.wav", 1.3)


@pytest.fixture
def run(model, lively, tmp_path):
  """Runs the small model; returns the folder and what was said of it."""

  def run(sound, *, out="out", force=False, **other):
    request = Request(sound, sampling=lively, **other)
    folder = tmp_path / out
    return folder, recording.record(lambda: model, request, folder, force=force)

  return run


def read(path):
  return soundfile.read(path, dtype="float32")[0]


def test_a_folder_holds_the_whole_session(run, sound, model):
  folder, told = run(sound, texts=((0.5, "say cat"),), seed=9)
  assert json.loads((folder / "session.json").read_text()) == told
  assert {path.name for path in folder.iterdir()} == {
    "input.wav", "output.wav", "stereo.wav", "events.jsonl", "session.json",
  }  # fmt: skip
  assert told["input"]["samples"] == 20_800 and told["seed"] == 9
  assert told["checkpoint"]["digest"] == model.digest
  assert {len(column) for column in told["turns"].values()} == {7}
  lines = (folder / "events.jsonl").read_text().splitlines()
  seen = [json.loads(line) for line in lines]
  assert all(set(event) == {"t", "turn", "kind", "payload"} for event in seen)
  assert {"t": 0.5, "turn": 2, "kind": "user_text",
          "payload": {"text": "say cat"}} in seen  # fmt: skip
  speaks = told["turns"]["speaks"]
  starts = [event["turn"] for event in seen if event["kind"] == "speak_start"]
  before = [False, *speaks]
  assert starts == [turn for turn in range(7) if speaks[turn] > before[turn]]


def test_the_voice_comes_one_turn_later(run, sound):
  folder, told = run(sound)
  heard, output, stereo = (
    read(folder / f"{name}.wav") for name in ("input", "output", "stereo")
  )
  assert len(heard) == len(output) == len(stereo) == 20_800
  np.testing.assert_array_equal(output[:3200], 0)
  assert np.abs(output[3200:]).max() > 0
  np.testing.assert_array_equal(stereo[:, 1], output)
  # 16 bits are kept of what was heard.
  np.testing.assert_allclose(stereo[:, 0], heard, atol=2**-15)
  assert len(told["turns"]["voice"]) == 7


def test_a_tenth_of_a_second_is_one_turn(run, tmp_path):
  folder, told = run(write(tmp_path / "short.wav", 0.1))
  assert told["turns"]["speaks"] and len(told["turns"]["gate"]) == 1
  output = read(folder / "output.wav")
  assert output.shape == (1600,) and not output.any()


def test_eight_channels_of_another_rate(run, tmp_path):
  path = tmp_path / "wide.flac"
  soundfile.write(path, np.full((24_000, 8), 0.25, np.float32), 48_000)
  folder, told = run(path)
  assert told["input"]["samples"] == 8000
  assert read(folder / "input.wav")[4000] == pytest.approx(0.25, abs=1e-3)


def test_a_session_is_replaced_only_by_force(run, sound):
  folder, first = run(sound)
  with pytest.raises(FileExistsError, match="holds a session already; --force"):
    run(sound, seed=2)
  assert json.loads((folder / "session.json").read_text()) == first
  _, second = run(sound, seed=2, force=True)
  assert second["seed"] == 2
  assert json.loads((folder / "session.json").read_text()) == second


def test_what_is_no_session_is_left_alone(run, sound, tmp_path):
  (tmp_path / "out").mkdir()
  (tmp_path / "out" / "thesis.txt").write_text("mine")
  with pytest.raises(FileExistsError, match="not a session and is left alone"):
    run(sound, force=True)
  assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


def test_nothing_half_written_stays(model, lively, sound, tmp_path):
  def fail(folder):
    assert (folder / "session.json").exists()
    raise RuntimeError("no picture")

  request = Request(sound, sampling=lively)
  before = set(tmp_path.iterdir())
  with pytest.raises(RuntimeError, match="no picture"):
    recording.record(lambda: model, request, tmp_path / "out", finish=fail)
  assert set(tmp_path.iterdir()) == before


def test_text_after_the_end_is_refused(run, sound, tmp_path):
  before = set(tmp_path.iterdir())
  with pytest.raises(ValueError, match=r"at 1\.3 s is after .* at 1\.300 s"):
    run(sound, texts=((1.3, "late"),))
  assert set(tmp_path.iterdir()) == before


def test_text_before_the_beginning_is_refused(sound):
  with pytest.raises(ValueError, match=r"'x' at -0\.1 s is before"):
    Request(sound, texts=((-0.1, "x"),))


@pytest.mark.parametrize(
  ("line", "pair"),
  [("3.0:hello", (3.0, "hello")), (" 1: a:b ", (1.0, "a:b"))],
  ids=["plain", "colon"],
)
def test_text_is_read_from_a_line(line, pair):
  assert recording.parse_text(line) == pair


@pytest.mark.parametrize("line", ["hello", "x:hello", "3.0:", "nan:x", ":x"])
def test_a_line_without_time_or_text_is_refused(line):
  with pytest.raises(ValueError, match="not SECONDS:WORDS"):
    recording.parse_text(line)


def test_progress_is_told(model, lively, sound, tmp_path):
  told = []
  request = Request(sound, sampling=lively)
  recording.record(
    lambda: model,
    request,
    tmp_path / "out",
    progress=lambda *at: told.append(at),
  )
  assert told == [(turn + 1, 7) for turn in range(7)]


def test_a_summary_is_one_line(run, sound):
  folder, told = run(sound)
  line = recording.summary(told, folder)
  assert "1.3 s in 7 turns" in line and "p99" in line and "\n" not in line


def test_a_damaged_description_is_refused(run, sound, tmp_path):
  folder, _ = run(sound)
  file = folder / "session.json"
  for content, message in (
    ("{", "is damaged"),
    ('{"format": 0}', "not of format=1"),
  ):
    file.write_text(content)
    with pytest.raises(ValueError, match=message):
      recording.read(folder)
  with pytest.raises(ValueError, match="holds no session"):
    recording.read(tmp_path / "nowhere")
