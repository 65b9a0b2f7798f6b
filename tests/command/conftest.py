"""What the tests of several sub-commands ask for."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import soundfile

from interaction_jax import __main__ as cli
from interaction_jax.core import checkpoint, settings
from interaction_jax.data.synthetic import world
from interaction_jax.model import config, interaction


@pytest.fixture
def refused(capsys):
  """A function that runs a line which is refused, and returns why."""

  def run(line):
    assert cli.main(line) == 2
    shown, err = capsys.readouterr()
    assert shown == ""
    assert err.startswith("interaction-jax: ") and err.count("\n") == 1
    return err

  return run


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
  """Files of sound, good and bad; all are called `name.wav`."""
  path = tmp_path_factory.mktemp("recordings")

  def write(name, samples, rate=16_000, subtype="FLOAT"):
    soundfile.write(path / f"{name}.wav", samples, rate, subtype=subtype)

  rng = np.random.default_rng(0)
  write("good", rng.normal(0, 0.1, 8000))
  write("wide", rng.normal(0, 0.1, (1600, 8)))
  write("empty", np.zeros(0))
  write("nan", np.array([0.0, np.nan]))
  write("huge", np.array([0.0, 1e200]), subtype="DOUBLE")
  write("fast", np.zeros(9), 2**31 - 1)
  (path / "folder.wav").mkdir()
  (path / "png.wav").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
  (path / "cut.wav").write_bytes((path / "good.wav").read_bytes()[:30])
  (path / "words.wav").write_text("these are words")
  return path


@pytest.fixture(scope="session")
def talker(root, tmp_path_factory):
  """A small model with words, drawn at random, as it would be shipped."""
  words = world.vocabulary()
  size = words.table_size
  text = config.TextConfig(size, size, words.first_control)
  model = settings.load(root / "tests" / "small.py").model
  model = dataclasses.replace(model, text=text)
  shapes = jax.eval_shape(
    lambda: interaction.init(jax.random.key(0), cfg=model)
  )
  rng = np.random.default_rng(0)
  params = jax.tree.map(
    lambda leaf: jnp.asarray(rng.normal(0, 0.3, leaf.shape), leaf.dtype), shapes
  )
  path = tmp_path_factory.mktemp("talker") / "small"
  checkpoint.save(
    path,
    params,
    config=settings.to_dict(model),
    tokenizer=words.tokenizer.to_str().encode(),
  )
  return path
