import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.evals.bench import peer, train
from interaction_jax.model import cost, language

IDS = np.random.default_rng(0).integers(0, 13, (2, 9), np.int32)


def test_ours_learns_and_leaves_alone_what_text_does_not_use(cfg):
  learner = train.Learner(cfg, IDS, "float32")
  before = jax.tree.map(np.asarray, learner.state.frozen)
  losses = [learner() for _ in range(40)]
  assert np.isfinite(losses).all() and int(learner.state.skipped) == 0
  assert losses[-1] < losses[0] - 0.1
  for one, other in zip(
    jax.tree.leaves(before), jax.tree.leaves(learner.state.frozen), strict=True
  ):
    np.testing.assert_array_equal(one, other)


def test_its_loss_is_of_what_comes_next(cfg):
  params = train.subject.weights(cfg)
  logits = language.logits(
    params, jnp.asarray(IDS), cfg=cfg, audio_token=-1, image_token=-1
  )
  likely = jax.nn.log_softmax(logits)[:, :-1]
  each = np.take_along_axis(np.asarray(likely), IDS[:, 1:, None], axis=2)
  # A mean over sixteen float32 numbers of about seven.
  got = train.Learner(cfg, IDS, "float32")()
  assert got == pytest.approx(-float(each.mean()), rel=1e-5)


def test_one_row_where_there_is_no_peer(cfg):
  report = train.run(
    rounds=1, cfg=cfg, batch=2, length=9, dtypes=["float32"], others=()
  )
  (row,) = report["rows"]
  assert (row["what"], row["batch"], row["context"]) == (
    "train, float32",
    2,
    9,
  )
  assert row["peer"] is row["ratio"] is row["peer_per_s"] is None
  assert row["ours_per_s"] == pytest.approx(18_000 / row["ours_ms"], rel=1e-2)
  assert 0 < row["mfu"] < 1 and row["peak_gflops"] > 1


def test_a_row_for_every_peer(cfg):
  others = [peer.Peer("Qwen3-MoE", compiled=False)]
  report = train.run(
    rounds=1, cfg=cfg, batch=2, length=9, dtypes=["float32"], others=others
  )
  (row,) = report["rows"]
  assert (row["peer"], row["dtype"]) == ("Qwen3-MoE", "float32")
  assert row["ratio"] > 0 and row["ours_cpu_ms"] > 0 and row["peer_cpu_ms"] > 0
  assert report["parameters"].keys() == {"ours", "Qwen3-MoE"}


def test_what_is_compared_has_the_sizes_that_are_told():
  cfg = train.language_model()
  counts = cost.parameters(cfg)
  unused = ("audio_embedding", "video_tower", "other_embeddings", "other_heads")
  used = counts["total"] - sum(counts["parts"][name] for name in unused)
  assert round(used / 1e6) == 118
  assert (
    round((counts["active"] - counts["parts"]["text_embedding"]) / 1e6) == 26
  )
