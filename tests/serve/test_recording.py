import hashlib
import json

import av
import numpy as np
import pytest
import soundfile

from interaction_jax.serve import recording
from interaction_jax.serve.background.agent import Agent
from interaction_jax.serve.background.office import Note
from interaction_jax.serve.background.tools.numbers import Calculator
from interaction_jax.serve.recording import Request
from interaction_jax.turns.vocabulary import Control


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


def film(path):
  """A second of a phone's film: a tone, and a picture that lies on its side."""
  pixels = np.zeros((40, 60, 3), np.uint8)
  pixels[:, :30] = 255
  with av.open(str(path), "w") as container:
    video = container.add_stream("mpeg4", rate=10)
    video.width, video.height, video.pix_fmt = 60, 40, "yuv420p"
    video.set_display_rotation(-90)
    audio = container.add_stream("aac", rate=48_000, layout="mono")
    for _ in range(10):
      frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
      container.mux(video.encode(frame.reformat(format="yuv420p")))
    tone = 0.5 * np.sin(2 * np.pi * 300 * np.arange(48_000) / 48_000)
    for first in range(0, 48_000, 1024):
      part = np.zeros((1, 1024), np.float32)
      piece = tone[first : first + 1024]
      part[0, : len(piece)] = piece
      sound = av.AudioFrame.from_ndarray(part, "fltp", "mono")
      sound.sample_rate, sound.pts = 48_000, first
      container.mux(audio.encode(sound))
    for stream in (video, audio):
      container.mux(stream.encode())
  return path


def test_a_film_is_heard_and_seen_upright(run, cfg, tmp_path):
  path = film(tmp_path / "film.mp4")
  folder, told = run(path, video=path)
  assert told["input"]["name"] == told["video"]["name"] == "film.mp4"
  assert told["input"]["seconds"] == pytest.approx(1.0, abs=0.05)
  middle = read(folder / "input.wav")[4000:12_000]
  assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.354, rel=0.05)
  every = cfg.video.every
  seen = [turn for turn, saw in enumerate(told["turns"]["saw"]) if saw]
  # A coder may add a bit of sound, in which there is no picture any more.
  assert seen == list(range(0, 5, every))
  frames = np.load(folder / "frames.npz")
  assert sorted(frames) == [f"{turn:06d}" for turn in seen]
  pair = frames["000000"]
  # What was on the left is above: the phone was turned clockwise.
  assert pair.shape == (2, 12, 6, 3)
  assert pair[:, 2:5, 1:5].min() > 200 and pair[:, 7:9, 1:5].max() < 50


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


def test_what_lies_beside_a_session_is_left_alone(run, sound):
  folder, _ = run(sound)
  (folder / "notes.txt").write_text("mine")
  with pytest.raises(FileExistsError, match=r"holds notes\.txt beside a sess"):
    run(sound, force=True)
  assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("out", ["file", "file/below", "file/below/that"])
def test_a_folder_cannot_lie_in_a_file(run, sound, tmp_path, out):
  (tmp_path / "file").write_text("mine")
  before = set(tmp_path.iterdir())
  with pytest.raises(OSError, match=r"is a file, not a folder|is left alone"):
    run(sound, out=out, force=True)
  assert set(tmp_path.iterdir()) == before
  assert (tmp_path / "file").read_text() == "mine"


def test_every_file_is_listed_with_its_digest(run, sound, movie):
  folder, told = run(sound, video=movie)
  names = {path.name for path in folder.iterdir()} - {"session.json"}
  assert set(told["files"]) == names == {
    "input.wav", "frames.npz", "output.wav", "stereo.wav", "events.jsonl",
  }  # fmt: skip
  for name, digest in told["files"].items():
    content = (folder / name).read_bytes()
    assert digest == hashlib.sha256(content).hexdigest()
  assert set(told["seals"]) == set(told) - {"seals"}
  assert recording.edited(folder, told) == ()


def test_nothing_half_written_stays(model, lively, sound, tmp_path):
  def fail(folder):
    assert (folder / "session.json").exists()
    raise RuntimeError("no picture")

  request = Request(sound, sampling=lively)
  before = set(tmp_path.iterdir())
  with pytest.raises(RuntimeError, match="no picture"):
    recording.record(lambda: model, request, tmp_path / "out", finish=fail)
  assert set(tmp_path.iterdir()) == before


def test_what_no_wav_file_holds_is_refused(run, sound, tmp_path, monkeypatch):
  assert 18.5 < recording._MOST_SAMPLES / 16_000 / 3600 < 18.7
  monkeypatch.setattr(recording, "_MOST_SAMPLES", 20_799)
  before = set(tmp_path.iterdir())
  with pytest.raises(ValueError, match=r"said\.wav is longer than .* hours"):
    run(sound)
  assert set(tmp_path.iterdir()) == before


def test_text_after_the_end_is_refused(run, sound, tmp_path):
  before = set(tmp_path.iterdir())
  with pytest.raises(ValueError, match=r"at 1\.3 s is after .* at 1\.300 s"):
    run(sound, texts=((1.3, "late"),))
  assert set(tmp_path.iterdir()) == before


def test_text_before_the_beginning_is_refused(sound):
  with pytest.raises(ValueError, match=r"'x' at -0\.1 s is before"):
    Request(sound, texts=((-0.1, "x"),))


def test_text_in_another_encoding_is_refused(sound):
  with pytest.raises(ValueError, match=r"caf\\udce9' holds '\\udce9', which"):
    Request(sound, texts=((0.1, b"caf\xe9".decode(errors="surrogateescape")),))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_is_refused_before_anything_is_read(seed, tmp_path):
  with pytest.raises(ValueError, match=f"seed={seed} must lie in 0 to"):
    Request(tmp_path / "none.wav", seed=seed)


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


SUM = ' {"tool":"calculator","expression":"17*23"}'


def test_what_a_background_model_found_is_kept(typist, lively, tmp_path):
  keys = [Control.CALL, SUM, *[None] * 6]
  samples = np.concatenate([typist.sound(key) for key in keys])
  soundfile.write(tmp_path / "typed.wav", samples, 16_000, subtype="FLOAT")
  told = recording.record(
    lambda: typist.model,
    Request(tmp_path / "typed.wav", sampling=lively),
    tmp_path / "out",
    background=Agent([Calculator()]),
  )
  (note,) = recording.notes(told)
  assert note.text == "391" and note.about["task"] == SUM.strip()
  assert recording.notes(recording.read(tmp_path / "out")) == [note]
  lines = (tmp_path / "out" / "events.jsonl").read_text().splitlines()
  seen = [json.loads(line) for line in lines]
  (read,) = [event for event in seen if event["payload"].get("text") == "391"]
  assert read["kind"] == "call_result" and read["turn"] == note.turn
  assert told["turns"]["text"][1] == [typist.tokens[SUM]]


def test_sessions_without_a_background_model_have_no_notes(run, sound):
  _, told = run(sound)
  assert told["notes"] == [] == recording.notes({})


@pytest.mark.parametrize("entry", [None, [1, "x"], ["1", "x", {}], [1, 2, {}]])
def test_notes_that_are_damaged_are_told(entry):
  good = [3, "x", {"job": 1}]
  assert recording.notes({"notes": [good]}) == [Note(3, "x", {"job": 1})]
  with pytest.raises(ValueError, match=r"damaged: notes=.* must be a turn"):
    recording.notes({"notes": [good, entry]})


def test_turns_are_heeded_as_they_come(sound, model, lively, tmp_path):
  heeded = []
  request = Request(sound, sampling=lively)
  recording.record(lambda: model, request, tmp_path / "out", heed=heeded.append)
  assert heeded[-1] is None
  assert [step.turn.index for step in heeded[:-1]] == list(range(7))
