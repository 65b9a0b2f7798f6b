import json

import numpy as np
import pytest
import soundfile

from interaction_jax.serve import recording, replay
from interaction_jax.serve.recording import Request


@pytest.fixture
def recorded(model, lively, tmp_path, movie):
  rng = np.random.default_rng(2)
  sound = tmp_path / "said.wav"
  soundfile.write(sound, rng.normal(0, 0.1, 20_000), 16_000, subtype="PCM_24")
  request = Request(
    sound,
    video=movie,
    texts=((0.3, "say cat"),),
    instructions="be good",
    seed=4,
    sampling=lively,
  )
  folder = tmp_path / "out"
  recording.record(lambda: model, request, folder)
  # The folder alone must do.
  sound.unlink()
  return folder


@pytest.fixture
def load(model):
  return lambda place, mesh: model


def change(folder, edit):
  file = folder / "session.json"
  told = json.loads(file.read_text())
  edit(told)
  file.write_text(json.dumps(told))


def test_every_bit_agrees(recorded, load):
  told = []
  found = replay.replay(
    recorded, load=load, progress=lambda *at: told.append(at)
  )
  assert found == replay.Comparison(7, None, {})
  assert told[-1] == (7, 7)
  assert replay.report(found) == "identical: every bit of 7 turns agrees"
  assert json.loads((recorded / "session.json").read_text())["turns"]["saw"][0]


def nudge(value):
  return float(np.nextafter(np.float32(value), np.float32(9)))


@pytest.mark.parametrize(
  ("field", "edit"),
  [("gate", nudge), ("voice", lambda _: "00"), ("text", lambda t: [*t, 7])],
  ids=["gate", "voice", "text"],
)
def test_the_first_difference_is_shown(recorded, load, field, edit):
  def spoil(told):
    column = told["turns"][field]
    column[3], column[5] = edit(column[3]), edit(column[5])

  was = json.loads((recorded / "session.json").read_text())["turns"][field][3]
  change(recorded, spoil)
  found = replay.replay(recorded, load=load)
  assert found.num_turns == 3
  assert found.difference == replay.Difference(3, field, edit(was), was)
  line = replay.report(found)
  assert f"from turn 3 on (0.8 s), first in {field}" in line
  assert repr(was) in line and repr(edit(was)) in line


def test_what_has_changed_since_is_named(recorded, load):
  change(recorded, lambda told: told["machine"].update(jax="0.0.1"))
  change(recorded, lambda told: told["checkpoint"].update(digest="other"))
  found = replay.replay(recorded, load=load)
  assert found.difference is None
  assert set(found.changed) == {"jax", "checkpoint"}
  assert "jax was '0.0.1', is" in replay.report(found)


@pytest.mark.parametrize("name", ["input.wav", "frames.npz"])
def test_a_changed_input_is_refused(recorded, load, name):
  with (recorded / name).open("ab") as file:
    file.write(b"0")
  with pytest.raises(ValueError, match=rf"{name} has changed since"):
    replay.replay(recorded, load=load)


def test_a_folder_without_a_session_is_refused(tmp_path, load):
  with pytest.raises(ValueError, match=r"it has no session\.json"):
    replay.replay(tmp_path, load=load)
