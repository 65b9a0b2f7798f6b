"""Several processes on this machine: a run that really runs."""

import json
import signal
import subprocess
import sys
import time

import pytest

from interaction_jax.data.synthetic import recorder

CONFIG = """
import dataclasses

from interaction_jax.core import settings
from interaction_jax.data.synthetic import world
from interaction_jax.model import config
from interaction_jax.train.config import DataConfig, TrainConfig


def experiment():
  small = settings.load("{small}")
  words = world.vocabulary()
  model = dataclasses.replace(
    small.model,
    text=config.TextConfig(
      table_size=words.table_size,
      vocab_size=words.table_size,
      first_control=words.first_control,
    ),
    turn=config.TurnConfig(text_in=8, text_out=4),
    memory=dataclasses.replace(small.model.memory, block=20),
  )
  data = DataConfig(bank="{bank}", num_turns=25, positions=200)
  train = TrainConfig(num_steps=500, save_every=2, batch=2, data=data)
  return dataclasses.replace(small, model=model, train=train)
"""


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
  made = tmp_path_factory.mktemp("speech") / "bank"
  recorder.make(
    made, seed=1, num_clips=300, num_shards=1, num_workers=1, num_voices=3
  )
  return made


@pytest.fixture
def line(root, tmp_path, bank):
  """The command, with a model and a bank that are quick."""
  file = tmp_path / "mine.py"
  file.write_text(CONFIG.format(small=root / "tests" / "small.py", bank=bank))
  return [
    *(sys.executable, str(root / "launch" / "local.py")),
    *("--processes=2", f"--config={file}", f"--workdir={tmp_path / 'run'}"),
    "--mesh=data=2",
  ]


@pytest.fixture
def environment(around, quick_flags):
  return around | {"XLA_FLAGS": quick_flags}


def begin(line, environment, *more):
  return subprocess.Popen(
    [*line, *more],
    env=environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def test_two_processes_train_are_stopped_and_go_on(line, environment, tmp_path):
  metrics = tmp_path / "run" / "metrics.jsonl"

  def steps():
    return metrics.read_text().count("\n") if metrics.exists() else 0

  run = begin(line, environment)
  while run.poll() is None and steps() < 2:
    time.sleep(0.05)
  run.send_signal(signal.SIGTERM)
  said, _ = run.communicate(timeout=1800)
  assert run.returncode == 0, said
  before = steps()
  assert 2 <= before < 500
  # The same line goes on, and ends where it should.
  run = begin(line, environment, f"--set=train.num_steps={before + 1}")
  said, _ = run.communicate(timeout=1800)
  assert run.returncode == 0, said
  lines = [json.loads(one) for one in metrics.read_text().splitlines()]
  assert [one["step"] for one in lines] == list(range(before + 1))
  assert "[0] " in said


def test_one_that_fails_ends_the_others(line, environment, tmp_path):
  # Three rows are wanted of each batch of two.
  run = begin([*line[:-1], "--mesh=data=3"], environment)
  said, _ = run.communicate(timeout=1800)
  assert run.returncode == 2, said
  assert "ended with 2" in said and "3" in said
