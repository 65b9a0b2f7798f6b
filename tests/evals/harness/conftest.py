"""A small benchmark that is none: say yes after the beep."""

import dataclasses

import numpy as np
import pytest
import soundfile

from interaction_jax.data import media
from interaction_jax.evals.harness import item as items
from interaction_jax.evals.harness.item import Act, Item
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Row, Score, Suite, write_json


class Echo:
  """A partner who beeps twice, and waits for an answer to each."""

  def __init__(self):
    self.turn, self.beeps, self.heard = 0, [], []
    self._wanted = None

  def speak(self, heard):
    self.heard.append(bool(np.abs(heard).max(initial=0) > 0))
    sound = np.zeros(3200, np.float32)
    if self.turn in (2, 12):
      sound[:] = 0.1
      self.beeps.append(self.turn)
      self._wanted = "yes it is"
    self.turn += 1
    return None if self.turn > 22 else sound

  def wants(self):
    wanted, self._wanted = self._wanted, None
    return wanted

  def said(self):
    return [Word("beep", at / 5, (at + 1) / 5) for at in self.beeps]


def load(inventory):
  found = []
  truths = inventory.json("truth.json") or {}
  for name, truth in truths.items():
    seconds = inventory.sound(f"beep/{name}/input.wav")
    if seconds is None:
      inventory.leave_out(f"beep/{name}")
      continue
    path = inventory.root / "beep" / name / "input.wav"

    def opened(canvas, path=path):
      return items.listening(np.concatenate(list(media.sound(path))))

    wanted = (Act(truth["beep"] + 0.4, truth["word"]),)
    found.append(Item(f"beep/{name}", "beep", seconds, opened, wanted, truth))
  if truths:
    found.append(
      Item(
        "echo/0",
        "echo",
        4.4,
        lambda canvas: items.listening(np.zeros(70_400, np.float32)),
        (Act(0.0, "yes it is"),),
        partner=Echo,
      )
    )
  return found


def generate(folder, num, seed):
  rng = np.random.default_rng(seed)
  truths = {}
  for place in range(num):
    sound = np.zeros(48_000, np.float32)
    sound[16_000:19_200] = 0.3 * np.sin(np.arange(3200) / 5)
    path = folder / "beep" / str(place) / "input.wav"
    path.parent.mkdir(parents=True)
    soundfile.write(path, sound, 16_000)
    word = ("yes", "of course")[int(rng.integers(2))]
    truths[str(place)] = {"beep": 1.2, "word": word}
  write_json(folder / "truth.json", truths)


def score(given, replies, judge):
  scores = []
  for item in given:
    reply = replies[item.key]
    if item.part == "echo":
      # Whoever listens, the other side beeps twice.
      assert [word.text for word in reply.told] == ["beep", "beep"]
      hit = float("yes" in reply.text.split())
      scores.append(Score("echo", item.key, hit))
      continue
    after = [w for w in reply.words if w.start >= item.truth["beep"]]
    right = [w.text for w in reply.words] == item.truth["word"].split()
    scores.append(Score("right", item.key, float(right and bool(after))))
    late = after[0].start - item.truth["beep"] if after else None
    scores.append(Score("delay", item.key, late))
  return scores


SUITE = Suite(
  name="beep",
  about="says the word after the beep",
  source="made up",
  parts=("beep", "echo"),
  asks="voice",
  rows=(
    Row("right", "the word, after the beep", published={"somebody": 0.5}),
    Row("delay", "to the first word", better="less", unit="s", ranked=False),
    Row("echo", "answers somebody who waits"),
  ),
  load=load,
  generate=generate,
  score=score,
  protocol="a beep is played after a second",
  twin_items=3,
)


@pytest.fixture(scope="session")
def suite():
  return SUITE


@pytest.fixture(scope="session")
def judged():
  return dataclasses.replace(SUITE, judged=True)


@pytest.fixture(scope="session")
def echo():
  """Makes a partner."""
  return Echo
