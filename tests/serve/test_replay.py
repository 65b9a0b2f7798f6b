import dataclasses
import json

import numpy as np
import pytest
import soundfile

from interaction_jax.data.synthetic import world
from interaction_jax.serve import models, recording, replay
from interaction_jax.serve.background.agent import Agent
from interaction_jax.serve.background.tools.numbers import Calculator
from interaction_jax.serve.recording import Request
from interaction_jax.turns.vocabulary import Control


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
  return lambda place, mesh, quantise: model


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
  assert found.num_turns == 3 and not found.agrees
  assert found.edited == ("session.json: turns",)
  assert found.difference == replay.Difference(3, field, edit(was), was)
  line = replay.report(found)
  assert f"from turn 3 on (0.8 s), first in {field}" in line
  assert repr(was) in line and repr(edit(was)) in line


def test_what_has_changed_since_is_named(recorded, load):
  change(recorded, lambda told: told["machine"].update(jax="0.0.1"))
  change(recorded, lambda told: told["checkpoint"].update(digest="other"))
  change(recorded, lambda told: told["engine"].update(block=5))
  found = replay.replay(recorded, load=load)
  assert found.difference is None
  assert set(found.changed) == {"jax", "checkpoint", "engine.block"}
  assert "jax was '0.0.1', is" in replay.report(found)
  # Versions change by themselves, what is written does not.
  assert found.edited == (
    "session.json: checkpoint", "session.json: engine", "session.json: machine",
  )  # fmt: skip


def test_another_version_alone_is_no_difference(recorded, load):
  change(recorded, lambda told: told["machine"].update(interaction_jax="0.0.1"))
  change(recorded, lambda told: told.pop("seals"))
  found = replay.replay(recorded, load=load)
  assert set(found.changed) == {"interaction_jax"}
  assert found.agrees and found.edited == ()


@pytest.mark.parametrize(
  ("entry", "edit"),
  [
    ("seed", lambda told: told.update(seed=5)),
    ("texts", lambda told: told.update(texts=[[0.3, "say dog"]])),
    ("instructions", lambda told: told.update(instructions="be bad")),
  ],
  ids=["seed", "texts", "instructions"],
)
def test_an_edited_entry_is_named_and_what_comes_of_it(
  recorded, load, entry, edit
):
  change(recorded, edit)
  found = replay.replay(recorded, load=load)
  assert found.edited == (f"session.json: {entry}",)
  assert found.difference is not None and not found.agrees
  report = replay.report(found)
  assert f"session.json: {entry} is not what was written" in report
  assert f"first in {found.difference.field}" in report


@pytest.mark.parametrize("name", ["output.wav", "stereo.wav", "events.jsonl"])
@pytest.mark.parametrize("how", ["edited", "gone"])
def test_an_edited_file_is_named(recorded, load, name, how):
  if how == "gone":
    (recorded / name).unlink()
  else:
    content = bytearray((recorded / name).read_bytes())
    content[-5] ^= 1
    (recorded / name).write_bytes(content)
  found = replay.replay(recorded, load=load)
  assert found.difference is None and found.changed == {}
  assert found.edited == (name,) and not found.agrees
  assert replay.report(found) == (
    "but for what was edited: every bit of 7 turns agrees\n"
    f"  {name} is not what was written"
  )


def test_another_model_is_named_and_compared(recorded, cfg, params, model):
  head = {
    **params["heads"]["gate"],
    "bias": params["heads"]["gate"]["bias"] + 1,
  }
  heads = {**params["heads"], "gate": head}
  words = world.vocabulary()
  other = models.of({**params, "heads": heads}, cfg=cfg, words=words)
  # Programs depend on the shapes of weights, not on what they are.
  other = dataclasses.replace(other, cache=model.cache)
  found = replay.replay(recorded, load=lambda place, mesh, quantise: other)
  assert set(found.changed) == {"checkpoint"} and found.edited == ()
  assert found.difference is not None and found.difference.turn == 0


def test_what_was_quantised_is_quantised_again(recorded, model):
  asked = []

  def load(place, mesh, quantise):
    asked.append(quantise)
    return dataclasses.replace(model, quantise=quantise)

  # Sessions of before it could be done do not say.
  for said in ({"experts": "int8"}, None):

    def edit(told, said=said):
      told["engine"].pop("quantise", None)
      if said is not None:
        told["engine"]["quantise"] = said

    change(recorded, edit)
    found = replay.replay(recorded, load=load)
    assert found.difference is None and found.changed == {}
    assert asked.pop() == (said or {})
  change(recorded, lambda told: told["engine"].update(quantise="int8"))
  with pytest.raises(ValueError, match=r"engine\.quantise='int8' must be an"):
    replay.replay(recorded, load=load)


@pytest.mark.parametrize(
  ("edit", "message"),
  [
    (lambda told: told.update(seed="four"), "seed='four' must be of type int"),
    (lambda told: told.pop("turns"), "turns=None must be of type dict"),
  ],
  ids=["type", "missing"],
)
def test_what_cannot_be_run_is_refused(recorded, load, edit, message):
  change(recorded, edit)
  with pytest.raises(ValueError, match=rf"session\.json is damaged: {message}"):
    replay.replay(recorded, load=load)


def test_a_column_cut_short_is_a_difference(recorded, load):
  change(recorded, lambda told: told["turns"]["mel"].pop())
  found = replay.replay(recorded, load=load)
  assert found.difference is not None
  assert (found.difference.turn, found.difference.field) == (6, "mel")
  assert found.difference.recorded is None


@pytest.mark.parametrize("name", ["input.wav", "frames.npz"])
def test_a_changed_input_is_refused(recorded, load, name):
  with (recorded / name).open("ab") as file:
    file.write(b"0")
  with pytest.raises(ValueError, match=rf"{name} has changed since"):
    replay.replay(recorded, load=load)
  (recorded / name).unlink()
  with pytest.raises(FileNotFoundError, match=rf"{name} is missing"):
    replay.replay(recorded, load=load)


def test_a_folder_without_a_session_is_refused(tmp_path, load):
  with pytest.raises(ValueError, match=r"it has no session\.json"):
    replay.replay(tmp_path, load=load)


def test_what_a_background_model_found_is_read_again(typist, lively, tmp_path):
  keys = [
    Control.CALL, ' {"tool":"calculator","expression":"17*23"}', *[None] * 6
  ]  # fmt: skip
  samples = np.concatenate([typist.sound(key) for key in keys])
  sound, folder = tmp_path / "typed.wav", tmp_path / "out"
  soundfile.write(sound, samples, 16_000, subtype="FLOAT")
  recording.record(
    lambda: typist.model,
    Request(sound, sampling=lively),
    folder,
    background=Agent([Calculator()]),
  )

  def again():
    return replay.replay(
      folder, load=lambda place, mesh, quantise: typist.model
    )

  # Nobody has to find it a second time.
  assert again() == replay.Comparison(8, None, {})

  def edit(told):
    (note,) = told["notes"]
    note[1] = "392"

  change(folder, edit)
  found = again()
  assert found.difference is not None and found.difference.turn >= 3
  assert found.edited == ("session.json: notes",)
