import json
import math

import numpy as np
import soundfile

from interaction_jax.evals.fd_bench.v1 import load, twin
from interaction_jax.evals.harness import output, runner


def entry(path):
  (one,) = json.loads(path.read_bytes())
  return one


def loud(path):
  """When there is sound, in seconds."""
  sound, rate = soundfile.read(path)
  return np.flatnonzero(np.abs(sound) > 1e-3) / rate


def test_files_are_those_of_the_official_layout(v1_folder):
  usual = ["input.wav", "transcription.json"]
  files = {
    **{task: [*usual, "pause.json"] for task in load.PAUSES},
    load.TURNS: [*usual, "turn_taking.json"],
    load.NODS: usual,
    load.INTERRUPTIONS: [
      "input.wav", "interrupt.json", "context.wav", "interrupt.wav",
    ],
  }  # fmt: skip
  for task, names in files.items():
    for number in range(4):
      place = v1_folder / task / str(number)
      assert {path.name for path in place.iterdir()} == set(names)


def test_a_pause_is_silent_and_nothing_follows(v1_folder):
  for task in load.PAUSES:
    for number in range(4):
      place = v1_folder / task / str(number)
      start, end = entry(place / "pause.json")["timestamp"]
      times = loud(place / "input.wav")
      assert 0.8 <= end - start < 1.61
      # Times are kept to the millisecond.
      assert not ((times > start + 1e-3) & (times < end - 1e-3)).any()
      assert (times < start).any() and (times > end).any()
      last = soundfile.info(place / "input.wav").duration
      words = output.read_words(place / "transcription.json")
      assert words[-1].end == round(last, 3)


def test_there_is_time_for_an_answer(v1_folder):
  for number in range(4):
    place = v1_folder / load.TURNS / str(number)
    start, _ = entry(place / "turn_taking.json")["timestamp"]
    assert loud(place / "input.wav")[-1] <= start
    assert soundfile.info(place / "input.wav").duration - start > 3.4
    place = v1_folder / load.INTERRUPTIONS / str(number)
    told = entry(place / "interrupt.json")
    start, end = told["timestamp"]
    times = loud(place / "input.wav")
    before = times[times < start - 0.5]
    assert before[-1] < soundfile.info(place / "context.wav").duration
    assert start <= times[times > start - 0.5][0] < times[-1] <= end
    length = soundfile.info(place / "interrupt.wav").duration
    assert length == round(length, 3) or math.isclose(
      length, end - start, abs_tol=2e-3
    )


def test_people_nod_in_pauses(v1_folder):
  people = json.loads((v1_folder / load.PEOPLE).read_bytes())
  for number, spread in people.items():
    place = v1_folder / load.NODS / number / "input.wav"
    seconds = soundfile.info(place).duration
    assert len(spread) == math.ceil(seconds / 0.2)
    times = loud(place)
    for at in np.flatnonzero(np.array(spread) > 0.8 * max(spread)) * 0.2:
      assert not ((times > at + 0.05) & (times < at + 0.15)).any()


def test_the_same_seed_makes_the_same_files(v1_folder, tmp_path):
  twin.generate(tmp_path / "a", 4, 0)
  twin.generate(tmp_path / "b", 4, 1)
  assert runner.digest(tmp_path / "a") != runner.digest(tmp_path / "b")
  files = [path for path in v1_folder.rglob("*.*") if path.is_file()]
  assert len(files) == 4 * (3 + 3 + 3 + 2 + 4) + 2
  for path in files:
    same = tmp_path / "a" / path.relative_to(v1_folder)
    assert same.read_bytes() == path.read_bytes()
