"""The examples run, at a small size."""

import importlib.util
import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import checkpoint, settings, sharding
from interaction_jax.data.synthetic import recorder, world
from interaction_jax.model import interaction
from interaction_jax.turns.schema import Episode

# The small model with the words of the synthetic world.
CONFIG = """
import dataclasses
from interaction_jax.core import settings
from interaction_jax.data.synthetic import world
from interaction_jax.model import config


def experiment():
  small, words = settings.load({small!r}), world.vocabulary()
  text = config.TextConfig(
    table_size=words.table_size,
    vocab_size=words.table_size,
    first_control=words.first_control,
  )
  model = dataclasses.replace(
    small.model, text=text, turn=config.TurnConfig(text_in=5, text_out=2)
  )
  return dataclasses.replace(small, model=model)
"""


@pytest.fixture
def run(root, quick_flags):
  """A function that runs an example as a person does."""

  def run(name, *flags):
    done = subprocess.run(
      [sys.executable, root / "examples" / f"{name}.py", *flags],
      env=os.environ | {"XLA_FLAGS": quick_flags},
      capture_output=True,
      text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout

  return run


@pytest.fixture
def model(root, tmp_path):
  """A folder with weights drawn by NumPy, and the file that describes them."""
  file = tmp_path / "mine.py"
  file.write_text(CONFIG.format(small=str(root / "tests" / "small.py")))
  plan = settings.load(str(file))
  rng = np.random.default_rng(0)
  shapes = jax.eval_shape(
    lambda: interaction.init(jax.random.key(0), cfg=plan.model)
  )
  checkpoint.save(
    tmp_path / "drawn",
    jax.tree.map(
      lambda leaf: np.asarray(0.2 * rng.normal(size=leaf.shape), leaf.dtype),
      shapes,
    ),
    config=settings.to_dict(plan),
    tokenizer=world.vocabulary().tokenizer.to_str().encode(),
  )
  return file, tmp_path / "drawn"


def test_a_model_learns_timing_from_reward(run, model, tmp_path):
  file, drawn = model
  recorder.make(
    tmp_path / "bank", seed=1, num_clips=300, num_shards=1, num_workers=1,
    num_voices=3,
  )  # fmt: skip
  shown = run(
    "reward",
    *(f"--out={tmp_path / 'out'}", f"--bank={tmp_path / 'bank'}"),
    *(f"--model={drawn}", f"--config={file}"),
    *("--habit=1", "--steps=2", "--batch=2", "--turns=25", "--exams=2"),
  )
  assert "2/2 reward" in shown
  report = json.loads((tmp_path / "out" / "report.json").read_text())
  assert report["conversations"] == 4
  assert len(report["steps"]) == 2 and report["skipped"] == 0
  # Nothing is better than what the labels say, in any part.
  labels = report["labels"]
  assert labels["reward"] == labels["answers_in_time"] > 0
  assert labels["turns_intruded"] == labels["turns_silent"] == 0
  silence = report["silence"]
  assert silence["answers_in_time"] == silence["turns_intruded"] == 0
  for when in ("trained", "before", "after"):
    assert report[when]["reward"] < labels["reward"]
  # All of it takes on a habit; then what decides learns, and nothing else.
  drawn, before, after = (
    sharding.by_name(checkpoint.load(path).params)
    for path in (drawn, tmp_path / "out" / "before", tmp_path / "out" / "model")
  )

  def moved(one, other):
    return {
      name
      for name, leaf in one.items()
      if np.asarray(leaf).tobytes() != np.asarray(other[name]).tobytes()
    }

  assert "backbone/layers/0/feed/down" in moved(drawn, before)
  learned = moved(before, after)
  assert {"heads/gate/weight", "heads/text/table"} <= learned
  assert all(
    name.startswith(("heads/gate/", "heads/text/")) or "/attention/" in name
    for name in learned
  )


@pytest.fixture
def example(root):
  """The module that an example is."""

  def example(name):
    spec = importlib.util.spec_from_file_location(
      name, root / "examples" / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

  return example


def test_who_hesitates_does_all_of_it_later(example):
  reward, rng = example("reward"), np.random.default_rng(0)
  speaks = rng.random((64, 9)) < 0.5
  one = Episode(
    start=jnp.zeros((64,), jnp.int32),
    num_turns=jnp.full((64,), 9, jnp.int32),
    heard=jnp.asarray(rng.random((64, 9, 4)), jnp.float32),
    voice=jnp.asarray(rng.random((64, 9, 4)), jnp.float32),
    speaks=jnp.asarray(speaks),
    mel=jnp.asarray(rng.random((64, 9, 2, 3)), jnp.float32),
    text_in=jnp.zeros((64, 9, 2), jnp.int32),
    num_text_in=jnp.zeros((64, 9), jnp.int32),
    text_out=jnp.asarray(rng.integers(1, 9, (64, 9, 3)), jnp.int32),
    num_text_out=jnp.asarray(rng.integers(1, 4, (64, 9)), jnp.int32),
    pinned=jnp.zeros((64, 0), jnp.int32),
    num_pinned=jnp.zeros((64,), jnp.int32),
  )
  late = reward.hesitant(one, jax.random.key(0))
  by = [int(np.argmax(np.asarray(row) > 0)) for row in late.num_text_out]
  assert set(by) == set(range(reward.LATEST + 1))
  for name in ("speaks", "mel", "voice", "text_out", "num_text_out"):
    was, now = np.asarray(getattr(one, name)), np.asarray(getattr(late, name))
    for row, turns in enumerate(by):
      np.testing.assert_array_equal(now[row, turns:], was[row, : 9 - turns])
      if name in ("speaks", "voice", "num_text_out"):
        assert not now[row, :turns].any()
  np.testing.assert_array_equal(late.heard, one.heard)
