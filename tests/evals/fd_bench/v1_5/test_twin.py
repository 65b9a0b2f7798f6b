import json

import numpy as np
import soundfile

from interaction_jax.evals.fd_bench.v1_5 import load


def entries(folder):
  for task in load.SIZES:
    for number in range(3):
      place = folder / task / str(number)
      yield task, place, json.loads((place / "metadata.json").read_bytes())


def test_files_are_those_of_the_official_layout(v1_5_folder):
  for task, place, entry in entries(v1_5_folder):
    assert {path.name for path in place.iterdir()} == {
      "input.wav", "clean_input.wav", "metadata.json",
    }  # fmt: skip
    assert ("answer" in entry) == (task == load.INTERRUPTION)


def test_both_differ_where_something_comes_into_the_answer(v1_5_folder):
  levels = {}
  for task, place, entry in entries(v1_5_folder):
    whole, rate = soundfile.read(place / "input.wav")
    clean, _ = soundfile.read(place / "clean_input.wav")
    assert len(whole) == len(clean)
    times = np.flatnonzero(whole != clean) / rate
    start, end = entry["timestamps"]
    assert start - 1e-3 <= times[0] and times[-1] <= end + 1e-3
    # An answer has begun by then.
    assert 1.4 <= start - entry["context_end"] <= 2.01
    level = np.sqrt(np.mean(whole[int(start * rate) : int(end * rate)] ** 2))
    levels.setdefault(task, []).append(level)
  far = np.mean(levels.pop("background_speech"))
  # -15 dB, and voices differ.
  assert all(far < 0.4 * np.mean(near) for near in levels.values())


def test_what_is_said_to_others_begins_with_a_name(v1_5_folder):
  texts = {}
  for task, _, entry in entries(v1_5_folder):
    texts.setdefault(task, []).append(entry["current_turn_text"].split())
  asks = {"set", "show"}
  assert all(words[1] in asks for words in texts["talking_to_other"])
  assert all(words[0] in asks for words in texts["background_speech"])
  assert all(len(words) <= 2 for words in texts["user_backchannel"])
