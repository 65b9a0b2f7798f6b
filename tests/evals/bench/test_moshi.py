import importlib.util

import pytest

from interaction_jax.evals.bench import moshi
from interaction_jax.model import cost


class Other:
  """Stands for Moshi, and counts what it is asked for."""

  weights = 7

  def __init__(self, batch, dtype):
    self.batch, self.dtype = batch, dtype
    self.spoke, self.thought = set(), set()

  def speak(self, frames):
    self.spoke.add(frames)

  def think(self, frames):
    self.thought.add(frames)


@pytest.fixture(scope="module")
def made():
  return []


@pytest.fixture(scope="module")
def report(model, made):
  def other(batch, dtype):
    made.append(Other(batch, dtype))
    return made[-1]

  return moshi.run(
    rounds=1, cfg=model.cfg, batches=(2,), dtypes=("float32",), other=other
  )


def test_a_turn_lasts_as_long_as_two_and_a_half_frames(report, made):
  (other,) = made
  assert (other.batch, other.dtype) == (2, "float32")
  assert other.spoke == other.thought == {5}
  whole, language = report["rows"]
  assert whole["what"] == "200 ms, all of it"
  assert language["what"] == "200 ms, without codecs"
  assert whole["peer"] == "Moshi, all of it"
  assert language["peer"] == "Moshi, without codecs"
  # It does nothing at all, and so is faster.
  assert whole["ratio"] > 1 and language["ratio"] > 1
  assert whole["goal"] is None and whole["met"] is None
  assert language["goal"] == pytest.approx(1 / 3) and not language["met"]


def test_the_memory_is_full(report, model):
  memory = model.cfg.memory
  held = {row["context"] for row in report["rows"]}
  assert held == {memory.text + memory.media}


def test_weights_of_both_are_told(report, model):
  assert report["active"] == {"ours": moshi.active(model.cfg), "Moshi": 7}
  table = cost.parameters(model.cfg)["parts"]["text_embedding"]
  counted = cost.parameters(model.cfg)["active"] - table
  assert moshi.active(model.cfg) > counted
  assert "Moshi: 0.0 M weights" in moshi.summary(report)


def test_alone_there_are_no_ratios(model):
  report = moshi.run(rounds=1, cfg=model.cfg, dtypes=("float32",))
  assert [row["peer"] for row in report["rows"]] == [None, None]
  assert [row["goal"] for row in report["rows"]] == [None, None]
  assert list(report["active"]) == ["ours"]


def test_sizes_are_alike():
  ours = moshi.active(moshi.conversing())
  assert 28e6 < ours < 29e6


@pytest.mark.skipif(
  importlib.util.find_spec("moshi") is None,
  reason="the package moshi pins an old torch and is in no extra",
)
def test_moshi_itself_takes_no_more_weights_than_ours():
  make = moshi.installed()
  assert make is not None
  other = make(1, "float32")
  ours = moshi.active(moshi.conversing())
  assert 0.9 * ours < other.weights <= ours
  assert other.speak(1).shape == (1, 1, 1920)
  assert other.think(1).shape == (1, 9, 1)
