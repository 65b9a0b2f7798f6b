import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.evals.bench import step
from interaction_jax.model import state as states
from interaction_jax.model import step as turns

PARTS = ["front end", "backbone pass", "text step", "flow", "vocoder"]
WHOLE = [f"turn, {name}" for name in step.WAYS]


@pytest.fixture(scope="module")
def rows(model):
  return step.run(model, rounds=1)


def test_every_part_with_an_empty_and_a_full_memory(rows, model):
  memory = model.cfg.memory
  assert [row["what"] for row in rows] == 2 * (PARTS + WHOLE)
  # Instructions are given to no session here.
  held = [0] * 8 + [memory.text + memory.media] * 8
  assert [row["context"] for row in rows] == held
  for row in rows:
    assert row["ours_ms"] > 0 and row["p99_ms"] >= row["ours_ms"]
    assert row["peer"] is None and row["dtype"] == "float32"


def test_no_batch_is_refused(model):
  with pytest.raises(ValueError, match="batch=0 must be 1 or more"):
    step.run(model, batches=(0,), rounds=1)


@pytest.mark.parametrize("way", step.WAYS.values(), ids=step.WAYS)
def test_weights_decide_which_way_a_turn_goes(model, way):
  cfg, batch = model.cfg, 1
  params = step.steered(model.params, way, cfg=cfg, strength=512.0)
  shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), params)
  wanted = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), model.params)
  assert shapes == wanted
  program = step.program(cfg, turns.GREEDY)
  state = states.start(jnp.arange(batch, dtype=jnp.uint32), cfg=cfg)
  for _ in range(3):
    state, out = program(params, state, step._turn(cfg, batch))
    assert np.asarray(out.num_text).tolist() == [way.tokens] * batch
    assert np.asarray(out.speaks).tolist() == [way.speaks] * batch
    assert np.asarray(out.ended).all()
