import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.model import state as sessions
from interaction_jax.train import reward
from interaction_jax.train import state as states
from interaction_jax.train.config import OptimizerConfig, TrainConfig
from interaction_jax.train.reward import RewardConfig

TRAIN = TrainConfig(
  num_steps=40,
  optimizer=OptimizerConfig(learning_rate=2e-2, warmup=1, balance=0.0),
)
REWARD = RewardConfig(num_tries=6, text=0.1)


def turns(line):
  """A row of turns, drawn: `x` is a turn with a voice."""
  return jnp.asarray([[sign == "x" for sign in line]])


@pytest.mark.parametrize(
  ("speaks", "wanted", "in_time", "intrusion", "silence"),
  [
    ("...xxx..", "...xxx..", 1, 0, 0),
    ("....xx..", "...xxx..", 1, 0, 0),
    (".....x..", "...xxx..", 0, 0, 0),
    ("........", "...xxx..", 0, 0, 1),
    ("..xxxx..", "...xxx..", 0, 1, 0),
    ("...xxxx.", "...xxx..", 1, 0, 0),
    ("...xxxxx", "...xxx..", 1, 1, 0),
    ("xx......", "........", 0, 2, 0),
    ("x...x...", "x...xx..", 2, 0, 0),
  ],
  ids=["right", "later", "late", "never", "early", "over", "on", "in", "two"],
)
def test_timing_is_judged(speaks, wanted, in_time, intrusion, silence):
  cfg = RewardConfig(in_time=100.0, intrusion=10.0, silence=1.0)
  found = reward.judge(
    turns(speaks), turns(wanted), jnp.ones((1, 8), bool), cfg=cfg
  )
  assert found.sum() == 100 * in_time - 10 * intrusion - silence


def test_padding_is_not_judged():
  cfg = RewardConfig()
  found = reward.judge(turns("xxxx"), turns("...."), turns("x..."), cfg=cfg)
  np.testing.assert_allclose(found, [[-cfg.intrusion, 0, 0, 0]])


def test_a_try_is_compared_with_the_others():
  rewards = jnp.asarray([[1.0, 0], [0, 2], [0, 0], [4, 0], [0, 0], [0, 0]])
  found = reward._advantage(rewards, 3, 0.5)
  # What is to come of the first conversation's tries is 1 0, 1 2 and 0 0.
  np.testing.assert_allclose(
    found, [[0.5, -1], [0.5, 2], [-1, -1], [4, 0], [-2, 0], [-2, 0]]
  )


@pytest.fixture(scope="module")
def talk(episode):
  """The text of a turn says whether an answer is wanted after it."""
  wanted = jnp.asarray([[0, 1, 1], [1, 1, 0]], bool)
  return dataclasses.replace(
    episode,
    start=jnp.zeros((2,), jnp.int32),
    num_turns=jnp.asarray([3, 3], jnp.int32),
    speaks=wanted,
    text_in=jnp.where(wanted[..., None], 2, 3) * jnp.ones_like(episode.text_in),
    num_text_in=jnp.full((2, 3), 2, jnp.int32),
    heard=0.1 * episode.heard,
  )


@pytest.fixture(scope="module")
def history(cfg, weights, talk, quick):
  run = jax.jit(
    reward.learn.__wrapped__,
    static_argnames=("cfg", "train", "reward"),
    compiler_options=quick,
  )
  state, means = states.restart(weights, cfg, TRAIN), []
  for _ in range(TRAIN.num_steps):
    state, mean = run(state, talk, cfg=cfg, train=TRAIN, reward=REWARD)
    means.append(np.asarray(mean))
  return state, np.stack(means)


def test_the_reward_rises(history):
  """The best there is: 1 in each of the two conversations."""
  state, means = history
  assert means.shape == (TRAIN.num_steps, 2)
  assert means.max() <= 1
  assert (int(state.step), int(state.skipped)) == (TRAIN.num_steps, 0)
  assert means[-8:].mean() > means[:8].mean() + 0.3


def test_the_likelihood_is_that_of_the_sampler(cfg, weights, talk, quick):
  """Choices drawn often are those that are likely, gate and text alike."""
  num = 96
  many = jax.tree.map(lambda x: jnp.repeat(x[:1, :1], num, axis=0)
                      if x.ndim > 1 and x.shape[1] == 3 else
                      jnp.repeat(x[:1], num, axis=0), talk)  # fmt: skip
  many = dataclasses.replace(many, num_turns=jnp.ones((num,), jnp.int32))
  played = jax.jit(
    lambda weights: reward.play(
      weights, many, jnp.arange(num, dtype=jnp.uint32), cfg=cfg,
      sampling=REWARD.sampling,
    ),
    compiler_options=quick,
  )(weights)  # fmt: skip
  only = dataclasses.replace(REWARD, text=0.0)
  likely, _ = jax.jit(
    lambda weights: reward.log_likelihood(
      weights, played, cfg=cfg, reward=only
    ),
    compiler_options=quick,
  )(weights)
  assert 0 < played.speaks.mean() < 1
  chance = np.where(played.speaks, np.exp(likely), 1 - np.exp(likely))
  # Of 96 draws of a chance p, the share is off by 0.05 as a rule.
  np.testing.assert_allclose(played.speaks.mean(), chance.mean(), atol=0.15)


def test_long_instructions_are_read_piece_by_piece(cfg, weights, talk, quick):
  """A block that has no room for all of them changes nothing."""
  long = jnp.asarray(np.random.default_rng(3).integers(0, 13, (2, 6)))
  told = dataclasses.replace(
    talk,
    pinned=long.astype(jnp.int32),
    num_pinned=jnp.asarray([6, 3], jnp.int32),
  )
  read = jax.jit(
    reward._instructed, static_argnames="cfg", compiler_options=quick
  )
  seen = {}
  for block in (4, 17):
    memory = dataclasses.replace(cfg.memory, block=block)
    other = dataclasses.replace(cfg, memory=memory)
    session = sessions.start(jnp.zeros((2,), jnp.uint32), cfg=other)
    seen[block] = read(weights, session, told, cfg=other)
  four, all_at_once = (jax.tree.leaves(seen[block]) for block in (4, 17))
  assert len(four) == len(all_at_once)
  for one, other in zip(four, all_at_once, strict=True):
    # A memory has room for a block behind what it keeps: more room, the same
    # places. Products over blocks of other sizes add up in another order.
    other = other[tuple(slice(size) for size in one.shape)]
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"num_tries": 1}, r"reward\.num_tries=1 must be 2 or more"),
    ({"discount": 1.5}, r"reward\.discount=1\.5 must lie in 0 to 1"),
    ({"temperature": 0.0}, r"reward\.temperature=0\.0 must be above 0"),
  ],
  ids=["tries", "discount", "temperature"],
)
def test_a_wrong_number_is_refused_by_name(change, message):
  with pytest.raises(ValueError, match=message):
    RewardConfig(**change)
