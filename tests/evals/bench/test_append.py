import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.evals.bench import append, subject, train
from interaction_jax.evals.bench import peer as peers
from interaction_jax.evals.bench.timing import Times
from interaction_jax.model import cost, language

CONTEXT, NEW = 37, 5
RNG = np.random.default_rng(0)
TEXT = RNG.integers(0, 13, CONTEXT, np.int32)
IDS = RNG.integers(0, 13, (2, NEW), np.int32)


@pytest.fixture(scope="module")
def inner(cfg):
  return append.remembering(cfg, context=CONTEXT, new=NEW, dtype="float32")


@pytest.fixture(scope="module")
def params(inner):
  return subject.weights(inner)


@pytest.fixture(scope="module")
def wanted(params, inner):
  """What whole sequences give at the new positions."""
  whole = np.concatenate([np.tile(TEXT, (len(IDS), 1)), IDS], axis=1)
  logits = jax.jit(
    functools.partial(
      language.logits, cfg=inner, audio_token=-1, image_token=-1
    )
  )
  return np.asarray(logits(params, jnp.asarray(whole)))[:, CONTEXT:]


def test_what_is_appended_equals_the_whole(params, inner, wanted):
  past = append.read(params, TEXT, cfg=inner)
  reader = append.Reader(params, past, IDS, cfg=inner)
  atol = 2e-5 * np.abs(wanted).max()
  # The second time, too, it begins behind the context and nothing else.
  for _ in range(2):
    np.testing.assert_allclose(reader.logits(), wanted, rtol=0, atol=atol)
  assert np.abs(np.asarray(reader()) - wanted).max() > 1e-2
  np.testing.assert_allclose(reader.logits(), wanted, rtol=0, atol=atol)


def test_another_context_gives_something_else(params, inner, wanted):
  past = append.read(params, TEXT[1:], cfg=inner)
  got = append.Reader(params, past, IDS, cfg=inner).logits()
  assert np.abs(got - wanted).max() > 1e-2


def _keys(reader):
  keys = reader._past.layers[0].keys
  assert keys is not None
  return keys


def test_no_ring_is_copied_or_forgotten(params, inner):
  past = append.read(params, TEXT, cfg=inner)
  reader = append.Reader(params, past, IDS, cfg=inner)
  reader.rewind()
  before = _keys(reader)
  where = before.unsafe_buffer_pointer()
  reader()
  assert before.is_deleted()
  assert _keys(reader).unsafe_buffer_pointer() == where
  assert int(reader._past.length[0]) == CONTEXT + NEW
  with pytest.raises(ValueError, match="text=42 is less than 43 positions"):
    append.Reader(params, past, IDS[:, [0, 1, 2, 3, 4, 0]], cfg=inner)


def test_one_that_does_not_begin_anew_is_told_with_its_reason(params, inner):
  past = append.read(params, TEXT, cfg=inner)
  ours = append.Reader(params, past, IDS, cfg=inner)

  class Forgetful(append.Reader):
    def rewind(self):
      pass

  def unable():
    raise NotImplementedError("no such kernel\nand more")

  times, failed = append._measure(
    ours,
    {
      "forgetful": lambda: Forgetful(params, past, IDS[:, :2], cfg=inner),
      "unable": unable,
    },
    rounds=1,
  )
  assert times.keys() == {"ours"}
  (first, second) = failed
  assert first["reason"].startswith("RuntimeError: called again it differs by")
  assert second == {
    "peer": "unable", "reason": "NotImplementedError: no such kernel",
  }  # fmt: skip


def test_a_row_for_every_cell_and_peer(cfg):
  others = [
    peers.Peer("Inkling", compiled=False),
    peers.Peer("Qwen3-MoE", compiled=False, experts="eager"),
    peers.Peer("Qwen3-MoE", compiled=False, experts="batched_mm"),
  ]
  told = []
  report = append.run(
    rounds=1,
    cfg=cfg,
    batches=(1, 2),
    contexts=(20,),
    dtypes=("bfloat16",),
    others=others,
    progress=lambda done, total: told.append((done, total)),
  )
  assert told == [(1, 3), (2, 3), (3, 3)]
  assert report["failed"] == []
  *rows, doubled = report["rows"]
  assert [(row["context"], row["batch"], row["peer"]) for row in rows] == [
    (20, batch, peer)
    for batch in (1, 2)
    for peer in ("Inkling", "Qwen3-MoE, eager", "Qwen3-MoE, batched_mm")
  ]
  for row in rows:
    assert row["what"] == "append, bfloat16" and row["ratio"] > 0
    assert row["goal"] == (0.5 if row["peer"] == "Inkling" else None)
    assert row["met"] in ((True, False) if row["goal"] else (None,))
  routed = cfg.backbone.experts.num_routed
  assert doubled["what"] == f"one token, {2 * routed} experts, bfloat16"
  assert doubled["peer"] == f"ours, {routed} experts"
  assert doubled["goal"] == 1.05
  counts = report["parameters"]
  assert counts["ours"] == counts["Inkling"]
  assert counts.keys() == {"ours", "Inkling", "Qwen3-MoE"}
  text = append.summary(report)
  assert "goals: " in text and "Qwen3-MoE, eager" in text


def test_goals_of_qwen_are_beside_its_fastest_form():
  times = {
    name: Times(np.full((2, 1), ms))
    for name, ms in {
      "ours": 10.0, "Inkling": 21.0, "Qwen3-MoE, eager": 30.0,
      "Qwen3-MoE, grouped_mm, compiled": 9.0,
    }.items()
  }  # fmt: skip
  rows = append._rows(
    times, peers.READERS, dtype="bfloat16", batch=1, context=1024
  )
  assert [(row["peer"], row["goal"], row["met"]) for row in rows] == [
    ("Inkling", 0.5, True),
    ("Qwen3-MoE, eager", None, None),
    ("Qwen3-MoE, grouped_mm, compiled", 1.07, False),
  ]
  (alone,) = append._rows(
    {"ours": times["ours"]}, (), dtype="bfloat16", batch=1, context=0
  )
  assert alone["peer"] is alone["goal"] is alone["met"] is None


@pytest.mark.parametrize(
  ("cell", "message"),
  [
    ({"batches": (1, 0)}, "batch=0 must be 1 or more"),
    ({"contexts": (-1,)}, "context=-1 must be 0 or more"),
    ({"dtypes": ("float16",)}, "'float16' is none of: float32, bfloat16"),
  ],
)
def test_cells_that_are_none(cell, message):
  with pytest.raises(ValueError, match=message):
    append.run(rounds=1, others=(), **cell)


def test_what_one_token_meets_is_counted_right():
  cfg = train.language_model()
  counts = cost.parameters(cfg)
  unused = ("audio_embedding", "video_tower", "other_embeddings", "other_heads")
  apart = sum(counts["parts"][name] for name in unused)
  total = counts["total"] - apart
  wanted = counts["active"] - counts["parts"]["text_embedding"]
  got = append.active(total, cfg=cfg)
  assert round(got / 1e5) == round(wanted / 1e5)


def test_the_larger_memory_changes_no_weight():
  cfg = train.language_model()
  sizes = [
    jax.eval_shape(
      lambda context=context: subject.weights(
        append.remembering(cfg, context=context, new=16, dtype="float32")
      )
    )
    for context in (0, 4096)
  ]
  assert sizes[0] == sizes[1]
  inner = append.remembering(cfg, context=4096, new=16, dtype="bfloat16")
  assert dataclasses.astuple(inner.memory) == (1, 4112, 1, 16)
