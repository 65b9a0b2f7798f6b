"""A stage to play on, and the rule of time."""

import numpy as np
import pytest

from interaction_jax.data.synthetic.scenarios import SCENARIOS
from interaction_jax.data.synthetic.stage import Stage
from interaction_jax.data.synthetic.voices import Split


@pytest.fixture
def play(bank):
  """A function that plays an exchange, from a seed."""

  def play(
    name, seed=0, *, split: Split = "train", start=4000, left=60.0, **memory
  ):
    voices = bank.user_voices(split)
    stage = Stage(
      bank,
      np.random.default_rng(seed),
      split=split,
      voice=voices[seed % len(voices)],
      start=start,
      seconds_left=left,
      memory=memory,
    )
    SCENARIOS[name].play(stage)
    return stage

  return play


@pytest.fixture(scope="session")
def said():
  """The assistant's words on a stage."""
  return lambda stage: " ".join(word.word for word in stage.spoken)


@pytest.fixture(scope="session")
def in_time():
  """Whether a word comes 200 to 400 ms after something, in samples."""
  return lambda word, end: 3200 <= word.turn * 3200 - end < 6400


@pytest.fixture(scope="session")
def at_once():
  """Whether a word comes 100 to 300 ms after something, in samples."""
  return lambda word, end: 1600 <= word.turn * 3200 - end < 4800
