import numpy as np
import pytest

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
