import dataclasses

import numpy as np
import pytest

from interaction_jax.evals.harness import item as items
from interaction_jax.evals.harness import output, system
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.output import Output
from interaction_jax.evals.harness.system import Folder, Ours
from interaction_jax.serve.events import Event
from interaction_jax.serve.session import Session
from interaction_jax.turns import clock


def item(name, seconds=0.8):
  def opened(canvas):
    return items.listening(np.zeros(round(16_000 * seconds)))

  return Item(name, "p", seconds, opened)


def test_a_folder_is_cut_and_filled_to_the_length_of_items(tmp_path):
  output.write(tmp_path / "a", "", Output(np.full(3200, 0.5, np.float32)))
  output.write(tmp_path / "b", "", Output(np.full(32_000, 0.5, np.float32)))
  folder = Folder(tmp_path)
  given = [item("a"), item("b")]
  assert folder.problems(given) == []
  done = {i.key: o for i, o in folder.perform(given, seed=0, batch=1)}
  assert [len(done[key].voice) for key in "ab"] == [12_800, 12_800]
  assert not done["a"].voice[3200:].any() and done["b"].voice.all()
  (line,) = folder.problems([item("c")])
  assert line.startswith("c: ")
  before = folder.describe()
  output.write(tmp_path / "c", "", Output(np.zeros(320, np.float32)))
  assert folder.describe()["digest"] != before["digest"]
  with pytest.raises(FileNotFoundError, match="is not a folder"):
    Folder(tmp_path / "none")


def test_a_model_does_the_same_with_an_item_whoever_is_beside_it(model):
  ours = Ours(model)
  given = [item("a"), item("b", 1.2)]
  both = {i.key: o for i, o in ours.perform(given, seed=3, batch=2)}
  ((_, alone),) = ours.perform(given[1:], seed=3, batch=2)
  np.testing.assert_array_equal(both["b"].voice, alone.voice)
  assert both["b"].events == alone.events
  assert len(both["a"].voice) == 12_800 and len(both["b"].turn_ms) == 6
  assert ours.problems(given) == [] and ours.describe()["name"] == "small"


class Clerk:
  """Answers whatever is written, a second later."""

  def __init__(self):
    self.written = []

  def write(self, at, text):
    self.written.append((at, text))
    return [(at + 1.0, "done")]


def test_calls_are_answered(model, monkeypatch):
  clerk = Clerk()
  given = dataclasses.replace(item("a", 2.1), tools=lambda: clerk)

  def pushed(self, audio):
    answer = push(self, audio)
    call = Event(clock.audible(0), 0, "call", {"text": "{}"})
    told = (call,) if self.turn == 1 else ()
    return dataclasses.replace(answer, events=(*told, *answer.events))

  push = Session.push
  # A model that has learned nothing writes no call.
  monkeypatch.setattr(Session, "push", pushed)
  ((_, made),) = Ours(model).perform([given], seed=0, batch=1)
  assert clerk.written == [(0.2, "{}")]
  (read,) = [event for event in made.events if event.kind == "call_result"]
  assert read.payload == {"text": "done", "origin": "call"}
  assert (read.t, read.turn) == (1.2, 6)
  # As long as what was played, which nobody made.
  assert len(made.voice) == 33_600 and made.heard is None
  assert len(made.turn_ms) == 11


def test_what_was_answered_needs_the_other_side(tmp_path, echo):
  output.write(tmp_path / "a", "", Output(np.zeros(3200, np.float32)))
  given = dataclasses.replace(item("a"), partner=echo)
  (line,) = Folder(tmp_path).problems([given])
  assert line.startswith("a: ") and "input.wav" in line


def test_seeds_differ_by_item_and_seed():
  seeds = {system.seed_of(item(n), s) for n in "ab" for s in (0, 1)}
  assert len(seeds) == 4
