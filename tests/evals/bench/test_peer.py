import numpy as np
import pytest
import torch

from interaction_jax.evals.bench import peer, train

IDS = np.random.default_rng(0).integers(0, 11, (2, 6), np.int32)


def plain(family):
  return peer.Peer(family, compiled=False)


def test_all_are_timed_as_they_come_and_compiled():
  names = [one.name for one in peer.installed()]
  assert names == [
    "Inkling", "Qwen3-MoE", "Inkling, compiled", "Qwen3-MoE, compiled",
  ]  # fmt: skip


@pytest.mark.parametrize(
  ("family", "dtype"), [("Inkling", "float32"), ("Qwen3-MoE", "bfloat16")]
)
def test_a_peer_learns(cfg, family, dtype):
  learn, _ = peer.learner(plain(family), cfg, IDS, dtype=dtype)
  losses = [learn() for _ in range(12)]
  # Nothing is known at first, and every step helps.
  assert losses[0] == pytest.approx(np.log(15), abs=0.5)
  assert losses[-1] < losses[0] - 1e-3


def test_inkling_is_our_model_weight_for_weight(cfg):
  _, theirs = peer.learner(plain("Inkling"), cfg, IDS, dtype="float32")
  assert theirs == train.Learner(cfg, IDS, "float32").num_parameters


def test_a_family_nobody_knows(cfg):
  with pytest.raises(ValueError, match="'Llama' is none of: Inkling, Qwen3-"):
    peer.learner(plain("Llama"), cfg, IDS, dtype="float32")


TEXT = np.random.default_rng(1).integers(0, 11, 300, np.int32)


def whole(model, context, ids):
  """What whole sequences give behind a context."""
  rows = [np.concatenate([context, row]) for row in ids]
  given = torch.tensor(np.stack(rows), dtype=torch.long)
  with torch.inference_mode():
    logits = model(input_ids=given, use_cache=False).logits
  return logits[:, len(context) :].float().numpy()


def reader(one, model, context, ids):
  cache = peer.read(model, context, room=ids.shape[1])
  return peer.Reader(one, model, peer.Past(cache, len(ids)), ids)


@pytest.mark.parametrize("context", [0, 2, 300])
@pytest.mark.parametrize(
  "one",
  [one for one in peer.READERS if not one.compiled],
  ids=lambda one: one.name,
)
def test_what_is_appended_equals_the_whole(cfg, one, context):
  model = peer.make(one.family, cfg, dtype="float32")
  wanted = whole(model, TEXT[:context], IDS)
  own = reader(one, model, TEXT[:context], IDS)
  atol = 2e-5 * np.abs(wanted).max()
  for _ in range(2):
    np.testing.assert_allclose(own.logits(), wanted, rtol=0, atol=atol)


# Of the compiler's own.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("family", ["Inkling", "Qwen3-MoE"])
def test_compiled_it_is_the_same(cfg, family):
  model = peer.make(family, cfg, dtype="float32")
  own = reader(peer.Peer(family, compiled=True), model, TEXT[:9], IDS)
  wanted = whole(model, TEXT[:9], IDS)
  atol = 2e-5 * np.abs(wanted).max()
  for _ in range(2):
    np.testing.assert_allclose(own.logits(), wanted, rtol=0, atol=atol)
  peer.forget()


@pytest.mark.parametrize("family", ["Inkling", "Qwen3-MoE"])
def test_a_context_of_the_wrong_length_gives_something_else(cfg, family):
  model = peer.make(family, cfg, dtype="float32")
  wanted = whole(model, TEXT[:9], IDS)
  got = reader(plain(family), model, TEXT[1:9], IDS).logits()
  assert np.abs(got - wanted).max() > 1e-3 * np.abs(wanted).max()


def test_no_more_is_attended_to_than_there_is(cfg):
  model = peer.make("Qwen3-MoE", cfg, dtype="float32")
  cache = peer.read(model, TEXT[:9], room=7)
  with pytest.raises(ValueError, match="6 positions: the cache has room for 7"):
    peer.Reader(plain("Qwen3-MoE"), model, peer.Past(cache, 2), IDS)


def test_peers_of_a_family_share_weights_and_nothing_that_is_set(cfg):
  model = peer.make("Qwen3-MoE", cfg, dtype="bfloat16")
  cache = peer.read(model, TEXT[:9], room=IDS.shape[1])
  past = peer.Past(cache, len(IDS))
  forms = ("eager", "batched_mm", "grouped_mm")
  own = [
    peer.Reader(peer.Peer("Qwen3-MoE", False, form), model, past, IDS)
    for form in forms
  ]
  ran = [one._run for one in own]
  assert tuple(one.config._experts_implementation for one in ran) == forms
  places = [{leaf.data_ptr() for leaf in one.parameters()} for one in ran]
  assert places[0] == places[1] == places[2]
  # Rounded to eight bits after every product.
  first, *others = [one.logits() for one in own]
  for other in others:
    np.testing.assert_allclose(
      other, first, rtol=0, atol=2e-2 * np.abs(first).max()
    )


@pytest.mark.parametrize("context", [0, 9])
@pytest.mark.parametrize("family", ["Inkling", "Qwen3-MoE"])
def test_who_comes_after_another_begins_behind_the_context(
  cfg, family, context
):
  model = peer.make(family, cfg, dtype="float32")
  cache = peer.read(model, TEXT[:context], room=IDS.shape[1])
  past = peer.Past(cache, len(IDS))
  first = peer.Reader(plain(family), model, past, IDS).logits()
  second = peer.Reader(plain(family), model, past, IDS).logits()
  np.testing.assert_array_equal(first, second)
