import dataclasses
import json

import jax
import numpy as np
import pytest

from interaction_jax.core import settings
from interaction_jax.data.synthetic import recorder, world
from interaction_jax.evals.rehearsal import SAMPLES, Rehearsal
from interaction_jax.model import config, interaction
from interaction_jax.train import keep
from interaction_jax.train.config import (
  DataConfig,
  Experiment,
  TrainConfig,
  WatchConfig,
)

TURNS = 25


@pytest.fixture(scope="module")
def experiment(root, tmp_path_factory):
  words = world.vocabulary()
  bank = tmp_path_factory.mktemp("bank") / "bank"
  recorder.make(
    bank, seed=1, num_clips=300, num_shards=1, num_workers=1, num_voices=3
  )
  model = settings.load(root / "tests" / "small.py").model
  model = dataclasses.replace(
    model,
    text=config.TextConfig(
      table_size=words.table_size,
      vocab_size=words.table_size,
      first_control=words.first_control,
    ),
    turn=config.TurnConfig(text_in=8, text_out=4),
  )
  train = TrainConfig(
    data=DataConfig(bank=str(bank)),
    watch=WatchConfig(sample_every=10, sample_turns=TURNS),
  )
  return Experiment(name="small", model=model, train=train)


@pytest.fixture(scope="module")
def model(experiment, tmp_path_factory):
  """The folder of a model, drawn by NumPy, which is quicker."""
  rng = np.random.default_rng(0)
  shapes = jax.eval_shape(
    lambda: interaction.init(jax.random.key(0), cfg=experiment.model)
  )
  weights = jax.tree.map(
    lambda leaf: np.asarray(0.3 * rng.normal(size=leaf.shape), leaf.dtype),
    shapes,
  )
  path = tmp_path_factory.mktemp("run") / keep.MODEL
  keep.export(experiment, weights, path)
  return path


def test_a_conversation_is_recorded_when_it_is_due(
  experiment, model, tmp_path, monkeypatch
):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
  rehearse = Rehearsal(experiment, tmp_path)
  for step in (4, 9, 12, 16):
    rehearse(step, model)
  # Another process goes on with the run; 12 was the first after 10.
  Rehearsal(experiment, tmp_path)(19, model)
  (folder,) = (tmp_path / SAMPLES).iterdir()
  assert folder.name == "00000012"
  names = {path.name for path in folder.iterdir()}
  assert {"input.wav", "stereo.wav", "timeline.png", "events.jsonl"} <= names
  told = json.loads((folder / "session.json").read_text())
  assert told["input"]["seconds"] == pytest.approx(TURNS / 5)


def test_without_being_asked_for_there_are_none(experiment, model, tmp_path):
  watch = dataclasses.replace(experiment.train.watch, sample_every=None)
  train = dataclasses.replace(experiment.train, watch=watch)
  Rehearsal(dataclasses.replace(experiment, train=train), tmp_path)(50, model)
  assert list(tmp_path.iterdir()) == []
