"""A model that is compiled quickly, as the benchmarks take it."""

import dataclasses
import os

import pytest

from interaction_jax.core import settings
from interaction_jax.evals.bench import subject


@pytest.fixture(scope="session")
def model(root, tmp_path_factory):
  small = settings.load(root / "tests" / "small.py").model
  model = subject.drawn(small, name="small")
  # What one process compiles serves all others of this run.
  folder = tmp_path_factory.getbasetemp()
  folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
  return dataclasses.replace(model, cache=folder / "programs")


@pytest.fixture(scope="session")
def cfg(model):
  """One layer, with experts, and heads of a width that is even."""
  backbone = model.cfg.backbone
  heads = dataclasses.replace(backbone.global_attention, head_width=8)
  backbone = dataclasses.replace(
    backbone,
    num_layers=1,
    global_layers=(0,),
    dense_layers=(),
    # Kernels of torch take rows of whole words.
    width=32,
    window_attention=heads,
    global_attention=heads,
    log_floor=None,
  )
  text = dataclasses.replace(
    model.cfg.text, vocab_size=15, table_size=15, first_control=5
  )
  return dataclasses.replace(
    model.cfg,
    backbone=backbone,
    text=text,
  )
