import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.ops import dispatch

WIDTH, INNER = 6, 7


def asked(x, routing, weights):
  """`everyone` as it is off the CPU."""
  return dispatch._asked(
    x,
    routing.experts,
    routing.weights,
    weights.gate,
    weights.up,
    weights.down,
  )


WAYS = {
  "grouped": dispatch.grouped,
  "gathered": dispatch.gathered,
  "everyone": dispatch.everyone,
  "asked": asked,
}


@pytest.fixture(params=WAYS)
def way(request):
  return jax.jit(WAYS[request.param])


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def draw(num_experts, length, seed=0):
  """Positions and the weights of experts."""
  numbers = np.random.default_rng(seed)
  x = jnp.float32(numbers.normal(size=(length, WIDTH)))
  inner = (num_experts, WIDTH, INNER)
  weights = dispatch.ExpertWeights(
    gate=jnp.float32(numbers.normal(size=inner)),
    up=jnp.float32(numbers.normal(size=inner)),
    down=jnp.float32(numbers.normal(size=(num_experts, INNER, WIDTH))),
  )
  return x, weights


def routed(experts, seed=1):
  """A routing to these experts, with drawn weights."""
  numbers = np.random.default_rng(seed)
  experts = jnp.sort(jnp.asarray(experts, jnp.int32), axis=-1)
  return dispatch.Routing(
    experts,
    jnp.float32(numbers.uniform(0.1, 2, size=experts.shape)),
    jnp.zeros((len(experts), 1)),
  )


def spread(num_experts, num_chosen, length, seed=2):
  """Distinct experts for each position, all as likely."""
  numbers = np.random.default_rng(seed)
  return np.stack(
    [
      numbers.choice(num_experts, num_chosen, replace=False)
      for _ in range(length)
    ]
  )


def loop(x, routing, weights):
  """The definition in float64, pair by pair."""
  x = np.float64(x)
  gate, up, down = (
    np.float64(w) for w in (weights.gate, weights.up, weights.down)
  )
  out = np.zeros_like(x)
  for t, experts in enumerate(np.asarray(routing.experts)):
    for expert, weight in zip(experts, routing.weights[t], strict=True):
      hidden = x[t] @ gate[expert]
      hidden = hidden * sigmoid(hidden) * (x[t] @ up[expert])
      out[t] += float(weight) * (hidden @ down[expert])
  return out


CASES = {
  "even": (5, spread(5, 2, 11)),
  "uneven": (5, [[0, 1]] * 9 + [[1, 4]] * 2),
  "empty-experts": (9, [[3, 7]] * 6),
  "one-position": (5, spread(5, 3, 1)),
  "few-of-many": (40, spread(40, 2, 4)),
  "one-expert": (1, [[0]] * 7),
  "one-chosen": (5, spread(5, 1, 13)),
  "all-chosen": (3, spread(3, 3, 4)),
}


@pytest.mark.parametrize(("num_experts", "experts"), CASES.values(), ids=CASES)
def test_all_ways_equal_the_loop(way, num_experts, experts):
  x, weights = draw(num_experts, len(experts))
  routing = routed(experts)
  with jax.default_matmul_precision("highest"):
    got = way(x, routing, weights)
  # Products of three float32 numbers around ten, some dozens of them.
  wanted = loop(x, routing, weights)
  np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-4)


def test_all_ways_have_the_same_gradients():
  # Uneven, and two experts without a position.
  num_experts, experts = CASES["uneven"]
  x, weights = draw(num_experts, len(experts))
  routing = routed(experts)

  def gradients(way):
    def loss(x, share, weights):
      out = way(x, dataclasses.replace(routing, weights=share), weights)
      return jnp.sum(jnp.sin(out))

    with jax.default_matmul_precision("highest"):
      return jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(
        x, routing.weights, weights
      )

  def dense(x, routing, weights):
    share = jnp.zeros((len(x), num_experts))
    share = share.at[jnp.arange(len(x))[:, None], routing.experts].set(
      routing.weights
    )
    hidden = jax.nn.silu(jnp.einsum("td,edf->tef", x, weights.gate))
    hidden = hidden * jnp.einsum("td,edf->tef", x, weights.up)
    return jnp.einsum("tef,efd,te->td", hidden, weights.down, share)

  wanted = jax.tree.leaves(gradients(dense))
  for which in WAYS.values():
    for ours, theirs in zip(
      jax.tree.leaves(gradients(which)), wanted, strict=True
    ):
      scale = np.abs(theirs).max()
      assert scale > 0.1
      np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5 * scale)


@pytest.mark.parametrize("garbage", [np.nan, 1e30], ids=["nan", "huge"])
def test_a_row_does_not_depend_on_the_others(way, garbage):
  x, weights = draw(5, 12)
  routing = routed(spread(5, 2, 12))
  mine = np.array([2, 7, 11])
  others = np.setdiff1d(np.arange(12), mine)
  changed = routed(spread(5, 2, 12, seed=9)).experts
  elsewhere = dispatch.Routing(
    jnp.where(np.isin(np.arange(12), mine)[:, None], routing.experts, changed),
    routing.weights.at[others].set(garbage),
    routing.shared,
  )
  before = way(x, routing, weights)
  after = way(x.at[others].set(garbage), elsewhere, weights)
  np.testing.assert_array_equal(before[mine], after[mine])


def test_an_expert_past_the_last_adds_nothing():
  x, weights = draw(4, 6)
  routing = routed([[0, 2], [1, 4], [4, 4], [3, 4], [0, 1], [2, 4]])
  got = jax.jit(dispatch.grouped)(x, routing, weights)
  longer = dispatch.ExpertWeights(
    *(
      jnp.concatenate([w, jnp.zeros_like(w[:1])])
      for w in (weights.gate, weights.up, weights.down)
    )
  )
  wanted = loop(x, routing, longer)
  np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-4)
  np.testing.assert_array_equal(got[2], 0)


def logits(length, num_experts, num_shared, seed=0):
  numbers = np.random.default_rng(seed)
  return (
    jnp.float32(numbers.normal(size=(length, num_experts)) * 2),
    jnp.float32(numbers.normal(size=(length, num_shared)) * 2),
  )


@pytest.mark.parametrize("num_chosen", [1, 3, 7])
def test_weights_add_up_to_the_scale_and_follow_the_definition(num_chosen):
  ours, shared = logits(10, 7, 2)
  routing = dispatch.route(
    ours, shared, jnp.zeros(7), num_chosen=num_chosen, scale=5.0
  )
  total = routing.weights.sum(axis=-1) + routing.shared.sum(axis=-1)
  np.testing.assert_allclose(total, 5.0, rtol=1e-6)
  for t in range(10):
    best = np.sort(np.argsort(-np.asarray(ours[t]))[:num_chosen])
    assert routing.experts[t].tolist() == best.tolist()
    scores = sigmoid(np.float64([*ours[t, best], *shared[t]]))
    np.testing.assert_allclose(
      [*routing.weights[t], *routing.shared[t]],
      5 * scores / scores.sum(),
      rtol=1e-5,
    )


def test_the_selection_bias_moves_the_choice_and_never_the_weights():
  ours, shared = logits(10, 7, 2)
  bias = jnp.zeros(7).at[4].set(10.0)
  plain = dispatch.route(ours, shared, jnp.zeros(7), num_chosen=1, scale=1.0)
  moved = dispatch.route(ours, shared, bias, num_chosen=1, scale=1.0)
  assert (plain.experts != 4).any()
  assert (moved.experts == 4).all()
  alone = dispatch.route(
    ours[:, 4:5], shared, jnp.zeros(1), num_chosen=1, scale=1.0
  )
  np.testing.assert_allclose(moved.weights, alone.weights, rtol=1e-6)

  def total(bias):
    routing = dispatch.route(ours, shared, bias, num_chosen=2, scale=1.0)
    return jnp.sum(routing.weights**2)

  np.testing.assert_array_equal(jax.grad(total)(bias), 0)


def test_ties_choose_the_lower_experts():
  routing = dispatch.route(
    jnp.zeros((3, 5)), jnp.zeros((3, 1)), jnp.zeros(5), num_chosen=2, scale=3.0
  )
  assert routing.experts.tolist() == [[0, 1]] * 3
  np.testing.assert_allclose(routing.weights, 1.0, rtol=1e-6)
  np.testing.assert_allclose(routing.shared, 1.0, rtol=1e-6)


def test_saturated_scores_stay_finite():
  routing = dispatch.route(
    jnp.asarray([[-300.0, -200.0, 300.0]]),
    jnp.asarray([[-400.0]]),
    jnp.zeros(3),
    num_chosen=2,
    scale=1.0,
  )
  assert np.isfinite(routing.weights).all()
  assert float(routing.weights[0, 1]) == pytest.approx(1.0)


def test_shared_experts_are_weighted_before_their_last_product():
  numbers = np.random.default_rng(0)
  x = jnp.float32(numbers.normal(size=(5, WIDTH)))
  share = jnp.float32(numbers.uniform(size=(5, 2)))
  gate, up = jnp.float32(numbers.normal(size=(2, 2, WIDTH, INNER)))
  down = jnp.float32(numbers.normal(size=(2, INNER, WIDTH)))
  got = jax.jit(dispatch.shared)(x, share, gate, up, down)
  both = dispatch.Routing(
    jnp.broadcast_to(jnp.arange(2, dtype=jnp.int32), (5, 2)), share, share
  )
  wanted = loop(x, both, dispatch.ExpertWeights(gate, up, down))
  np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-4)
