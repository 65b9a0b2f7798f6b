import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import sharding
from interaction_jax.train import state as states
from interaction_jax.train import update
from interaction_jax.train.config import OptimizerConfig, TrainConfig

TRAIN = TrainConfig(
  num_steps=40,
  batch=2,
  optimizer=OptimizerConfig(
    learning_rate=5e-3, warmup=2, ema=0.9, balance=0.01
  ),
)


@pytest.fixture(scope="module")
def once(cfg):
  """One update; the state is kept."""

  def run(state, episode):
    state = jax.tree.map(jnp.copy, state)
    return update.update(state, episode, cfg=cfg, train=TRAIN)

  return run


@pytest.fixture(scope="module")
def fresh(cfg, weights):
  return states.restart(weights, cfg, TRAIN)


@pytest.fixture(scope="module")
def first(once, fresh, episode):
  """The second update, since at the first one the learning rate is 0."""
  state, _ = once(fresh, episode)
  return state, *once(state, episode)


@pytest.fixture(scope="module")
def history(once, fresh, episode):
  state, seen = fresh, []
  for _ in range(TRAIN.num_steps):
    state, parts = once(state, episode)
    seen.append(parts)
  return state, seen


@pytest.fixture(scope="module")
def slope(cfg, weights, episode, quick):
  """The gradient of the losses, as an update computes it, and the losses."""

  def run(level=0, **changes):
    train = dataclasses.replace(TRAIN, **changes)
    state = states.restart(weights, cfg, train)
    options = quick | {"xla_backend_optimization_level": level}

    @functools.partial(jax.jit, compiler_options=options)
    def program(state, episode):
      return update._gradient(state, episode, jax.random.key(3), cfg, train)

    return program(state, episode)

  return run


@pytest.fixture(scope="module")
def plain(slope):
  return slope()


def apart(one, other):
  """The largest distance of each array, in parts of its largest number."""
  found = {}
  for name, leaf in sharding.by_name(one).items():
    a, b = np.float64(leaf), np.float64(sharding.by_name(other)[name])
    if np.abs(a).max(initial=0):
      found[name] = np.abs(a - b).max() / np.abs(a).max()
  assert len(found) > 20
  return found


@pytest.mark.parametrize(
  "changes",
  [{"accumulate": 2}, {"remat": "full"}, {"accumulate": 2, "remat": "dots"}],
  ids=["in-parts", "computed-anew", "both"],
)
def test_saving_memory_changes_no_gradient(slope, plain, changes):
  """In two parts of one row each, though rows differ in what they hold."""
  gradient, parts = slope(**changes)
  # float32 sums in another order, through two layers.
  assert max(apart(plain[0], gradient).values()) < 1e-4
  for name in ("total", "text", "gate", "flow"):
    np.testing.assert_allclose(
      getattr(parts, name), getattr(plain[1], name), rtol=1e-5
    )
  for name in ("text_count", "gate_count", "flow_count", "positions", "load"):
    np.testing.assert_array_equal(getattr(parts, name), getattr(plain[1], name))


def test_in_bfloat16_the_gradient_is_near_and_float32(slope, plain):
  # Unoptimised, XLA has no such products on a CPU.
  gradient, parts = slope(level=3, dtype="bfloat16")
  assert {leaf.dtype for leaf in jax.tree.leaves(gradient)} == {
    jnp.dtype("float32")
  }
  far = apart(plain[0], gradient)
  # Eight bits of a mantissa: it is another one, and about the same.
  assert 1e-4 < np.median(list(far.values())) < 0.1
  assert parts.total.dtype == jnp.float32
  np.testing.assert_allclose(parts.total, plain[1].total, rtol=0.03)


def bits(tree):
  return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


@pytest.mark.parametrize("part", ["total", "text", "gate", "flow"])
def test_one_batch_is_learned_by_heart(history, part):
  losses = [float(getattr(parts, part)) for parts in history[1]]
  assert np.isfinite(losses).all()
  assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:3])


def test_a_run_counts_its_steps(history):
  state, _ = history
  assert (int(state.step), int(state.skipped)) == (TRAIN.num_steps, 0)


def test_an_update_is_a_function_of_state_and_batch(once, first, episode):
  before, after, _ = first
  again, _ = once(before, episode)
  assert bits(again) == bits(after)


@pytest.mark.parametrize("what", ["loss", "weights"])
def test_what_is_not_finite_is_left_out_and_counted(once, first, episode, what):
  before, _, _ = first
  if what == "loss":
    ill = dataclasses.replace(episode, mel=episode.mel.at[0].set(jnp.nan))
    after, parts = once(before, ill)
    assert np.isnan(parts.total)
  else:
    heads = before.params["heads"]
    gate = heads["gate"] | {"bias": jnp.asarray(jnp.inf, jnp.float32)}
    sick = before.params | {"heads": heads | {"gate": gate}}
    before = dataclasses.replace(before, params=sick)
    after, _ = once(before, episode)
  for name in ("params", "average", "optimizer"):
    assert bits(getattr(after, name)) == bits(getattr(before, name)), name
  assert int(after.step) == int(before.step) + 1
  assert int(after.skipped) == 1


def test_a_skipped_batch_is_forgotten(once, first, episode):
  """What comes after is as if the clock alone had moved on."""
  before, _, _ = first
  ill = dataclasses.replace(episode, mel=episode.mel.at[0].set(jnp.nan))
  skipped, _ = once(before, ill)
  later, _ = once(skipped, episode)
  moved = dataclasses.replace(before, step=before.step + 1)
  wanted, _ = once(moved, episode)
  assert bits(later.params) == bits(wanted.params)


def test_selection_biases_move_against_the_load(cfg, first):
  before, after, parts = first

  def bias(state):
    layer = state.params["backbone"]["layers"]["1"]
    return np.asarray(layer["feed"]["router"]["selection_bias"])

  load = np.asarray(parts.load[0])
  assert load.std() > 0
  wanted = TRAIN.optimizer.balance * np.sign(load.mean() - load)
  # No gradient reaches them; the sum is rounded once.
  np.testing.assert_allclose(bias(after) - bias(before), wanted, atol=1e-7)


def test_the_average_follows(first):
  """At step 1 it is still short: 2 / 11 of it is kept, and later 9 / 10."""
  before, after, _ = first
  decay = min(TRAIN.optimizer.ema, 2 / 11)
  for old, new, kept in zip(
    jax.tree.leaves(before.average),
    jax.tree.leaves(after.params),
    jax.tree.leaves(after.average),
    strict=True,
  ):
    wanted = decay * np.float64(old) + (1 - decay) * np.float64(new)
    np.testing.assert_allclose(kept, wanted, rtol=1e-5, atol=1e-7)


def test_all_but_the_vocoder_learns(first):
  """It is trained by itself."""
  before, after, _ = first
  moved = jax.tree.map(
    lambda one, two: bool((one != two).any()), before.params, after.params
  )
  still = {
    jax.tree_util.keystr(path, simple=True, separator="/")
    for path, yes in jax.tree_util.tree_leaves_with_path(moved)
    if not yes
  }
  vocoder = {name for name in still if name.startswith("heads/vocoder/")}
  every = jax.tree.leaves(before.params["heads"]["vocoder"])
  assert len(vocoder) == len(every)
  # There is no video in the episode, so patches and their vector stand still.
  seen = ("embed/video/", "embed/streams/video")
  assert [one for one in still - vocoder if not one.startswith(seen)] == []
