import dataclasses
import json
import os

import jax
import pytest

from interaction_jax.data.synthetic import recorder
from interaction_jax.evals.bench import data
from interaction_jax.model import config
from interaction_jax.train.config import (
  DataConfig,
  Experiment,
  TrainConfig,
  WatchConfig,
)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
  path = tmp_path_factory.mktemp("data") / "bank"
  recorder.make(
    path, seed=1, num_clips=300, num_shards=1, num_workers=1, num_voices=3
  )
  return path


@pytest.fixture(scope="module")
def experiment(model):
  """One layer, which knows the words of the bank."""
  backbone = dataclasses.replace(
    model.cfg.backbone, num_layers=1, global_layers=(0,), dense_layers=()
  )
  cfg = dataclasses.replace(
    model.cfg,
    backbone=backbone,
    turn=config.TurnConfig(text_in=8, text_out=4),
  )
  train = TrainConfig(
    batch=2,
    data=DataConfig(positions=200),
    watch=WatchConfig(peak_tflops=0.0),
  )
  return Experiment(name="small", model=cfg, train=train)


@pytest.fixture
def quick():
  """Programs run a few times: most of their time would be the compiler's."""
  jax.config.update("jax_disable_most_optimizations", True)
  yield
  jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.usefixtures("quick")
def test_making_filling_and_waiting_are_measured(experiment, bank):
  done = []
  report = data.run(
    experiment, rounds=1, num_episodes=2, seconds=8.0, num_rows=8, num_steps=4,
    bank=bank, progress=lambda *told: done.append(told),
  )  # fmt: skip
  json.dumps(report)
  made, filled, waited = report["rows"]
  assert made["what"] == "generate" and made["workers"] == os.cpu_count()
  assert made["ours_per_s"] == pytest.approx(
    16_000 / made["ours_ms"], rel=0.01, abs=0.1
  )
  assert filled["context"] == 200 and filled["n"] == 8
  assert 0 <= filled["padding"] <= filled["worst"] < 0.15
  # Two steps count for nothing.
  assert waited["n"] == 2 and waited["batch"] == 2 and waited["workers"] == 1
  assert 0 <= waited["waiting"] < 1 and waited["ours_per_s"] > 0
  assert done == [(1, 3), (2, 3), (3, 3)]
  assert "% of the positions of small's rows" in data.summary(report)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"rounds": 0}, "rounds=0 must be 1 or more"),
    ({"num_steps": 2}, "steps=2 must be 3 or more"),
  ],
  ids=["rounds", "steps"],
)
def test_too_little_is_refused(change, message):
  with pytest.raises(ValueError, match=message):
    data.run("tiny", **change)
