import random

import pytest

from interaction_jax.evals.bench import network


@pytest.fixture(scope="module")
def report(model):
  return network.run(model, num_messages=4000, num_clients=60)


def test_nonsense_is_answered_and_nobody_else_hears_of_it(report):
  assert report["failed"] == 0 and report["bystander_same"]
  assert report["errors"] > 1000 and report["bystander_turns"] >= 20


def test_who_comes_and_goes_leaves_nothing_behind(report):
  left = [report[f"{what}_left"] for what in ("guests", "talks", "sessions")]
  assert left == [0, 0, 0] and report["growth_mib"] < 30
  assert report["first_audio_ms"] > 0
  assert "the same bits" in network.summary(report)


def test_messages_are_drawn_again_from_their_seed():
  one, other = (
    [network.fuzzed(random.Random(seed)) for seed in range(200)]
    for _ in range(2)
  )
  assert one == other and len({type(each) for each in one}) == 2


def test_there_is_something_to_do(model):
  with pytest.raises(ValueError, match="messages=0 and clients=1"):
    network.run(model, num_messages=0, num_clients=1)
