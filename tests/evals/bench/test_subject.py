import jax
import numpy as np
import pytest

from interaction_jax.core import settings
from interaction_jax.data.synthetic import world
from interaction_jax.evals.bench import subject
from interaction_jax.model import interaction


def test_nano_is_measured_as_it_is():
  found = subject.find("nano", None, usual="tiny")
  assert found.name == "nano" and found.cfg == settings.load("nano").model
  assert found.words.first_control == found.cfg.text.first_control
  assert found.words.table_size == found.cfg.text.table_size
  assert found.words.encode("cat") == world.vocabulary().encode("cat")


def test_a_small_table_is_replaced(model, root):
  text = settings.load(root / "tests" / "small.py").model.text
  assert model.cfg.text.table_size == world.vocabulary().table_size
  assert model.cfg.text.first_control == world.vocabulary().first_control
  assert model.cfg.text.logit_divisor == text.logit_divisor
  assert model.cfg.backbone.width == 24


def test_weights_are_those_of_the_model(model):
  wanted = jax.eval_shape(
    lambda: interaction.init(jax.random.key(0), cfg=model.cfg)
  )
  found = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), model.params)
  assert found == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), wanted)
  for path, leaf in jax.tree_util.tree_leaves_with_path(model.params):
    value = np.asarray(leaf)
    assert np.isfinite(value).all() and value.any(), path


def test_the_usual_one_and_one_alone():
  assert subject.find(None, None, usual="tiny").name == "tiny"
  with pytest.raises(ValueError, match="are two models"):
    subject.find("tiny", "nano", usual="tiny")
  with pytest.raises(FileNotFoundError, match="mean tiny"):
    subject.find("tinny", None, usual="tiny")
  with pytest.raises(FileNotFoundError, match="neither a folder"):
    subject.find(None, "no/such/model", usual="tiny")
