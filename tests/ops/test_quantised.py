import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import settings
from interaction_jax.ops import dispatch, grouped, quantised
from interaction_jax.ops.quantised import Quantised

EXPERTS, WIDTH, INNER = 5, 6, 7
TOP = {"int8": 127.0, "fp8": 448.0}
WAYS = {
  "grouped": dispatch.grouped,
  "gathered": dispatch.gathered,
  "everyone": dispatch.everyone,
  # As it is done off the CPU.
  "ragged": lambda x, routing, weights: grouped.ragged(
    x,
    routing.experts,
    routing.weights,
    weights.gate,
    weights.up,
    weights.down,
  ),
}


@pytest.fixture(params=TOP)
def kind(request):
  return request.param


@pytest.fixture
def way(request, quick):
  return jax.jit(WAYS[request.param], compiler_options=quick)


every_way = pytest.mark.parametrize("way", WAYS, indirect=True)


def normal(*shape, seed=0):
  rng = np.random.default_rng(seed)
  return jnp.asarray(rng.normal(size=shape), jnp.float32)


def drawn(kind, seed=1):
  """Experts, and the float weights that they stand for exactly."""
  gate, up = normal(2, EXPERTS, WIDTH, INNER, seed=seed)
  down = normal(EXPERTS, INNER, WIDTH, seed=seed + 1)
  kept = [quantised.quantise(w, kind) for w in (gate, up, down)]
  meant = [quantised.dequantise(w) for w in kept]
  return dispatch.ExpertWeights(*kept), dispatch.ExpertWeights(*meant)


def routed(experts, seed=3):
  experts = jnp.sort(jnp.asarray(experts, jnp.int32), axis=-1)
  shares = np.random.default_rng(seed).uniform(0.1, 2, experts.shape)
  shares = jnp.asarray(shares, jnp.float32)
  return dispatch.Routing(experts, shares, jnp.zeros((len(experts), 1)))


def spread(length, seed=2):
  rng = np.random.default_rng(seed)
  return [rng.choice(EXPERTS, 2, replace=False) for _ in range(length)]


def loop(x, routing, weights):
  """The definition in float64, pair by pair."""
  x = np.float64(x)
  gate, up, down = (
    np.float64(w) for w in (weights.gate, weights.up, weights.down)
  )
  out = np.zeros_like(x)
  for t, experts in enumerate(np.asarray(routing.experts)):
    for expert, share in zip(experts, routing.weights[t], strict=True):
      hidden = x[t] @ gate[expert]
      hidden = hidden / (1 + np.exp(-hidden)) * (x[t] @ up[expert])
      out[t] += float(share) * (hidden @ down[expert])
  return out


def bound(w, kept, kind):
  """How far the nearest value may be, in the units of the weights."""
  scales = np.float64(kept.scales)[..., None, :]
  if kind == "int8":
    far = scales / 2
  else:
    # Three bits behind the point, and steps of 2^-9 at the lower end.
    far = np.maximum(np.abs(np.float64(w)) / 16, scales / 1024)
  # The quotient is rounded to float32 before it is rounded to a value.
  return far + 2e-7 * np.abs(np.float64(w))


@pytest.mark.parametrize("size", [1e-30, 1e-3, 1.0, 1e30], ids=str)
def test_numbers_are_as_near_as_a_byte_allows(kind, size):
  # Channels of very different sizes, which share no scale.
  sizes = 10.0 ** np.linspace(-4, 4, 3 * INNER).reshape(3, 1, INNER)
  w = jnp.asarray(size * sizes * normal(3, 50, INNER), jnp.float32)
  kept = quantised.quantise(w, kind)
  assert kept.values.dtype.itemsize == 1 and kept.shape == w.shape
  assert kept.nbytes == w.size + 4 * 3 * INNER
  off = np.abs(np.float64(quantised.dequantise(kept)) - np.float64(w))
  assert (off <= bound(w, kept, kind)).all()
  # The largest number of each channel takes the whole range.
  largest = np.abs(np.float32(kept.values)).max(axis=-2)
  assert (largest == TOP[kind]).all()
  wanted = np.abs(np.float32(w)).max(axis=-2) / np.float32(TOP[kind])
  np.testing.assert_allclose(kept.scales, wanted, rtol=1e-6)


def test_rounding_is_to_the_nearest_and_symmetric(kind):
  w = jnp.asarray([[[TOP[kind]], [2.4], [-2.4], [2.6], [-2.6], [0.0]]])
  values = np.float32(quantised.quantise(w, kind).values)[0, 1:, 0]
  near = {"int8": [2, -2, 3, -3, 0], "fp8": [2.5, -2.5, 2.5, -2.5, 0]}
  assert values.tolist() == near[kind]


def test_zeros_and_what_is_smaller_than_any_scale(kind):
  w = np.array(normal(2, 9, 4))
  w[0, :, 1] = 0
  w[1, :, 2] = 1e-42
  kept = quantised.quantise(jnp.asarray(w), kind)
  back = np.asarray(quantised.dequantise(kept))
  assert np.isfinite(back).all() and (np.asarray(kept.scales) > 0).all()
  assert (back[0, :, 1] == 0).all()
  assert (np.abs(back[1, :, 2]) < 1e-37).all()
  assert (back[0, :, 0] != 0).all()


@pytest.mark.parametrize("strange", [np.nan, np.inf], ids=str)
def test_what_is_not_finite_is_not_hidden(kind, strange):
  w = normal(2, 9, 4).at[1, 3, 2].set(strange)
  back = np.asarray(quantised.dequantise(quantised.quantise(w, kind)))
  ill = ~np.isfinite(back)
  assert ill[1, :, 2].all() and ill.sum() == 9


@every_way
@pytest.mark.parametrize(
  "experts",
  [spread(11), [[0, 1]] * 9 + [[1, 4]] * 2, [[2, 4]] * 6, spread(1)],
  ids=["even", "uneven", "empty-experts", "one-token"],
)
def test_every_way_equals_the_loop_over_what_is_meant(way, kind, experts):
  kept, meant = drawn(kind)
  routing = routed(experts)
  x = normal(len(experts), WIDTH, seed=9)
  with jax.default_matmul_precision("highest"):
    got = way(x, routing, kept)
  # Products of three float32 numbers around ten, some dozens of them.
  np.testing.assert_allclose(got, loop(x, routing, meant), rtol=2e-5, atol=2e-4)
  assert np.abs(got).max() > 1


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_grouped_and_gathered_agree(kind, dtype, quick):
  kept, _ = drawn(kind)
  routing, x = routed(spread(13)), normal(13, WIDTH, seed=5).astype(dtype)
  one, other = (
    np.float32(jax.jit(way, compiler_options=quick)(x, routing, kept))
    for way in (dispatch.grouped, dispatch.gathered)
  )
  # Both multiply the same exact numbers; sums may be added in another order,
  # and each of three products is rounded once.
  close = {"float32": 1e-6, "bfloat16": 2**-7}[dtype]
  assert np.abs(one - other).max() <= close * np.abs(one).max()


@every_way
@pytest.mark.parametrize("garbage", [np.nan, 1e30], ids=["nan", "huge"])
def test_a_row_does_not_depend_on_the_others(way, kind, garbage):
  kept, _ = drawn(kind)
  routing, x = routed(spread(12)), normal(12, WIDTH)
  mine = np.array([2, 7, 11])
  others = np.setdiff1d(np.arange(12), mine)
  near = np.isin(np.arange(12), mine)[:, None]
  elsewhere = dispatch.Routing(
    jnp.where(near, routing.experts, routed(spread(12, seed=8)).experts),
    routing.weights.at[others].set(garbage),
    routing.shared,
  )
  before = way(x, routing, kept)
  after = way(x.at[others].set(garbage), elsewhere, kept)
  np.testing.assert_array_equal(before[mine], after[mine])
  assert np.isfinite(before).all()


def test_an_expert_past_the_last_adds_nothing(kind):
  kept, meant = drawn(kind)
  routing = routed([[0, 2], [5, 5], [4, 5]])
  x = normal(3, WIDTH)
  got = jax.jit(dispatch.grouped)(x, routing, kept)
  longer = dispatch.ExpertWeights(
    *(
      jnp.concatenate([w, jnp.zeros_like(w[:1])])
      for w in (meant.gate, meant.up, meant.down)
    )
  )
  np.testing.assert_allclose(
    got, loop(x, routing, longer), rtol=2e-5, atol=2e-4
  )
  np.testing.assert_array_equal(got[1], 0)


def test_the_scale_comes_behind_the_product():
  """With weights of whole numbers bfloat16 loses nothing but the last bits."""
  rng = np.random.default_rng(0)
  values = rng.integers(-127, 128, (WIDTH, INNER))
  w = Quantised(
    jnp.asarray(values, jnp.int8),
    jnp.asarray(rng.uniform(0.1, 3, INNER), jnp.float32),
  )
  x = jnp.asarray(rng.integers(-8, 9, (4, WIDTH)), jnp.bfloat16)
  exact = np.float32(x) @ np.float32(values)
  wanted = jnp.asarray(exact * w.scales, jnp.bfloat16)
  np.testing.assert_array_equal(quantised.contract("TD,DF->TF", x, w), wanted)


def test_no_weights_are_widened_all_at_once(kind):
  """What is compiled for a CPU holds no wide array of all experts."""
  given = (normal(13, WIDTH), routed(spread(13)), drawn(kind)[0])
  leaves, tree = jax.tree.flatten(given)
  for way in (dispatch.grouped, dispatch.gathered):
    # Trees of typed classes are none that `lower` could describe.
    flat = jax.jit(lambda leaves, way=way: way(*tree.unflatten(leaves)))
    text = flat.lower(leaves).compile().as_text()
    assert f"[{EXPERTS},{WIDTH},{INNER}]" in text
    for wide in ("f32", "bf16"):
      assert f"{wide}[{EXPERTS},{WIDTH},{INNER}]" not in text
      assert f"{wide}[{EXPERTS},{INNER},{WIDTH}]" not in text


def test_they_pass_through_transformations(kind):
  w = normal(EXPERTS, WIDTH, INNER)
  kept = jax.jit(functools.partial(quantised.quantise, kind=kind))(w)
  one = quantised.of(kept, 3)
  np.testing.assert_array_equal(one.values, kept.values[3])
  np.testing.assert_array_equal(one.scales, kept.scales[3])
  rest = quantised.convert(w, kind)
  np.testing.assert_array_equal(rest.values, kept.values)
  np.testing.assert_array_equal(rest.scales, kept.scales)
  assert len(jax.tree.leaves(kept)) == 2


def test_kinds_are_those_of_the_command_line():
  assert settings.QUANTISED["experts"] == quantised.KINDS
  with pytest.raises(ValueError, match=r"kind='int4' is not known.*int8, fp8"):
    quantised.quantise(normal(1, 2, 3), "int4")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_gradient_is_refused_and_told_what_it_needs(way, kind):
  kept, meant = drawn(kind)
  routing, x = routed(spread(6)), normal(6, WIDTH)

  def loss(x, share, weights):
    mine = dispatch.Routing(routing.experts, share, routing.shared)
    return jnp.sum(way(x, mine, weights) ** 2)

  told = r"quantised, and no gradient.*dequantise\(weights\)"
  with pytest.raises(TypeError, match=told):
    jax.grad(loss)(x, routing.weights, kept)
  # What stands for them has one.
  assert np.abs(jax.grad(loss)(x, routing.weights, meant)).max() > 0


@pytest.mark.parametrize("by", ["shares", "weights"])
@pytest.mark.parametrize("way", ["grouped", "gathered", "everyone"])
def test_so_is_one_by_shares_or_by_the_weights_themselves(way, kind, by):
  kept, _ = drawn(kind)
  routing, x = routed(spread(6)), normal(6, WIDTH)
  leaves, tree = jax.tree.flatten(kept)

  def loss(shares, leaves):
    mine = dispatch.Routing(routing.experts, shares, routing.shared)
    return jnp.sum(WAYS[way](x, mine, tree.unflatten(leaves)))

  # So that JAX lets values of int8 come to where they are used.
  slope = jax.grad(
    jax.jit(loss), ["shares", "weights"].index(by), allow_int=True
  )
  stored = {"int8": "int8", "fp8": "float8_e4m3fn"}[kind]
  told = rf"weights of {stored}\[{EXPERTS}, {WIDTH}, {INNER}\] are quantised"
  with pytest.raises(TypeError, match=told):
    slope(routing.weights, leaves)


def test_what_nobody_differentiates_may_be_quantised(kind):
  kept, _ = drawn(kind)
  routing, x = routed(spread(6)), normal(6, WIDTH)
  slope = jax.grad(lambda s: s * jnp.sum(dispatch.grouped(x, routing, kept)))
  wanted = jnp.sum(dispatch.grouped(x, routing, kept))
  np.testing.assert_allclose(slope(2.0), wanted, rtol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_to_refuse_gradients_costs_nothing(way, kind, monkeypatch):
  """What is compiled is the same, instruction by instruction."""
  given = (normal(13, WIDTH), routed(spread(13)), drawn(kind)[0])
  leaves, tree = jax.tree.flatten(given)

  def instructions():
    flat = jax.jit(lambda leaves: WAYS[way](*tree.unflatten(leaves)))
    text = flat.lower(leaves).compile().as_text()
    # Behind each stands from which line of which file it comes.
    return re.findall(r"^ +(?:ROOT )?(%.*?)(?:, metadata=.*)?$", text, re.M)

  with_it = instructions()
  asked = []
  monkeypatch.setattr(
    quantised, "ungraded", lambda *both: asked.append(both) or both
  )
  assert instructions() == with_it
  assert asked and len(with_it) > 50
