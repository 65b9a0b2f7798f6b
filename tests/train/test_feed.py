import dataclasses
import json

import jax
import numpy as np
import pytest

from interaction_jax.core import settings, sharding
from interaction_jax.data import episodes, generate, mixture
from interaction_jax.data.source import Source
from interaction_jax.data.synthetic import world
from interaction_jax.train import feed
from interaction_jax.train.feed import Feed


def same(one, other):
  for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
    assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def test_a_feed_goes_on_behind_its_state(experiment):
  with Feed(experiment) as one:
    batches = [next(one) for _ in range(3)]
    assert one.waited > 0
    third = one.state()
  with Feed(experiment) as other:
    next(other), next(other)
    second = json.loads(json.dumps(other.state()))
  with Feed(experiment, state=second) as other:
    again = next(other)
    assert other.state() == third != second
  same(again, batches[2])
  assert np.asarray(batches[1].heard).tobytes() != again.heard.tobytes()


def test_a_batch_on_a_mesh_is_the_same(experiment):
  mesh = sharding.mesh("data=1")
  with Feed(experiment) as one, Feed(experiment, mesh=mesh) as other:
    here, there = next(one), next(other)
  same(here, there)
  assert there.heard.sharding.mesh == mesh


@pytest.mark.parametrize(
  ("line", "num_rows", "message"),
  [
    (
      "data=2,fsdp=2",
      6,
      r"batch=6 cannot be split 4 ways over data=2 \* fsdp=2; 4 and 8 can",
    ),
    ("data=8", 2, r"batch=2 cannot be split 8 ways over .*; 8 can"),
  ],
  ids=["between", "below"],
)
def test_a_batch_that_cannot_be_spread_is_refused(line, num_rows, message):
  with pytest.raises(ValueError, match=message):
    feed.check_rows(sharding.planned(line), num_rows)


def test_other_axes_do_not_split_a_batch():
  feed.check_rows(sharding.planned("data=2,expert=4,tensor=3"), 2)


def test_one_process_has_all_rows(experiment):
  place = jax.sharding.NamedSharding(
    sharding.mesh("data=1"), jax.sharding.PartitionSpec("data")
  )
  assert feed.rows_of_process(place, 5) == (0, 1, 2, 3, 4)


def test_a_bank_that_is_half_made_is_made_again(experiment, tmp_path):
  """What a kill left behind neither counts nor stays."""
  path = tmp_path / "bank"
  half = tmp_path / ".bank.making"
  half.mkdir()
  (half / "000.pcm").write_bytes(b"half")
  data = dataclasses.replace(experiment.train.data, bank=str(path))
  train = dataclasses.replace(experiment.train, data=data)
  made = []

  def make(draft, *, seed):
    made.append((draft.name, seed, list(draft.parent.iterdir())))
    draft.mkdir()

  feed.ready_bank(dataclasses.replace(experiment, train=train), make=make)
  feed.ready_bank(dataclasses.replace(experiment, train=train), make=make)
  assert made == [(".bank.making", 0, [])]
  assert [one.name for one in tmp_path.iterdir()] == ["bank"]


@pytest.fixture(scope="module", params=["nano", "tiny"])
def shipped(request, experiment):
  """A shipped experiment over a small bank."""
  found = settings.load(request.param)
  bank = experiment.train.data.bank
  data = dataclasses.replace(found.train.data, bank=bank)
  train = dataclasses.replace(found.train, data=data)
  return dataclasses.replace(found, train=train)


@pytest.mark.parametrize("source", ["made", "recorded", "short"])
def test_of_the_positions_of_shipped_experiments_few_hold_nothing(
  shipped, source, tmp_path
):
  """Fewer than one in twenty, of conversations of any length."""
  bank = shipped.train.data.bank
  path = bank
  if source != "made":
    path = tmp_path / "talks"
    seconds = {"recorded": 60.0, "short": 7.0}[source]
    generate.generate(path, bank, num_episodes=12, seed=5, seconds=seconds)
  form = feed.form(shipped)
  rows = mixture.rows(
    (Source(str(path)),), vocabulary=world.vocabulary(), form=form, seed=3
  )
  used = [episodes.taken(rows[number].arrays, form) for number in range(24)]
  assert max(used) <= form.room == shipped.train.data.positions
  assert 1 - np.mean(used) / form.room < 0.05


@pytest.mark.parametrize("name", sorted(settings.shipped()))
def test_silence_alone_fills_a_row_of_any_shipped_experiment(name):
  form = feed.form(settings.load(name))
  assert form.num_turns * (1 + form.audio) >= form.room
