import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.ops import attend

BATCH, QUERIES, KEYS, WIDTH, FEATURES = 2, 6, 3, 5, 4

# Sums of some hundred float32 products of values around one.
TOLERANCE = {"rtol": 0, "atol": 3e-5}


def draw(length, reach, seed=0):
  """Queries, keys, values, features and a bank."""
  numbers = np.random.default_rng(seed)
  shapes = (
    (BATCH, length, QUERIES, WIDTH),
    (BATCH, length, KEYS, WIDTH),
    (BATCH, length, KEYS, WIDTH),
    (BATCH, length, QUERIES, FEATURES),
    (FEATURES, reach),
  )
  return [numbers.normal(size=shape) for shape in shapes]


def dense(q, k, v, features, bank, sees, pos, *, xp=np):
  """The definition, all pairs at once; the oracle of this file."""
  group = QUERIES // KEYS
  k, v = xp.repeat(k, group, axis=2), xp.repeat(v, group, axis=2)
  distance = pos[:, :, None] - pos[:, None, :]
  reach = bank.shape[1]
  near = (distance >= 0) & (distance < reach)
  profiles = features @ bank
  index = xp.where(near, distance, 0)[:, :, None, :]
  index = xp.broadcast_to(index, (*profiles.shape[:3], index.shape[-1]))
  bias = xp.take_along_axis(profiles, index, axis=-1) * near[:, :, None, :]
  scores = xp.einsum("bthd,bshd->bths", q, k) / WIDTH + bias
  scores = xp.where(sees[:, :, None, :], scores, -1e30)
  weights = xp.exp(scores - scores.max(axis=-1, keepdims=True))
  weights = weights / weights.sum(axis=-1, keepdims=True)
  return xp.einsum("bths,bshd->bthd", weights, v)


def place(length, keep, *, num_segments=1, num_real=None, seed=1):
  """Who looks, what is there, and what is seen, entry by entry.

  An entry is seen from its own place on, within its segment, until `keep` of
  its kind have come in.
  """
  numbers = np.random.default_rng(seed)
  shape = (BATCH, length)
  kind = numbers.integers(0, len(keep), shape)
  segment = np.sort(numbers.integers(0, num_segments, shape), axis=1)
  real = np.arange(length) < (length if num_real is None else num_real)
  pos, rank = np.full(shape, -1), np.full(shape, -1)
  horizon = np.zeros((*shape, len(keep)), int)
  sees = np.zeros((*shape, length), bool)
  for row in range(BATCH):
    for t in range(length):
      past = [
        s
        for s in range(t + 1)
        if real[s] and segment[row, s] == segment[row, t]
      ]
      for which, kept in enumerate(keep):
        same = [s for s in past if kind[row, s] == which]
        horizon[row, t, which] = len(same) - kept
        sees[row, t, same[-kept:]] = real[t]
        if which == kind[row, t] and real[t]:
          rank[row, t] = len(same) - 1
      if real[t]:
        pos[row, t] = len(past) - 1
  as_array = functools.partial(jnp.asarray, dtype=jnp.int32)
  cut = as_array(segment)
  queries = attend.Queries(as_array(pos), as_array(horizon), cut)
  entries = attend.Entries(as_array(pos), as_array(kind), as_array(rank), cut)
  return queries, entries, sees, pos


@functools.partial(jax.jit, static_argnames="window")
def episode(q, k, v, features, bank, queries, entries, *, window):
  bias = attend.Bias(features, bank)
  with jax.default_matmul_precision("highest"):
    return attend.episode(q, k, v, bias, queries, entries, window=window)


def narrow(arrays):
  return [jnp.asarray(array, jnp.float32) for array in arrays]


def test_visible_is_what_its_drawing_shows():
  as_row = functools.partial(jnp.asarray, dtype=jnp.int32)
  text, media = 0, 1
  entries = attend.Entries(
    pos=as_row([[0, 1, 2, 3, 4]]),
    kind=as_row([[text, media, text, media, media]]),
    rank=as_row([[0, 0, 1, 1, 2]]),
  )
  queries = attend.Queries(pos=as_row([[4]]), horizon=as_row([[[1, 1]]]))
  seen = attend.visible(queries, entries)[0, 0]
  assert seen.tolist() == [False, False, True, True, True]


def test_nothing_is_seen_of_the_future_or_of_empty_slots():
  as_row = functools.partial(jnp.asarray, dtype=jnp.int32)
  zeros = as_row([[0, 0, 0, 0]])
  entries = attend.Entries(
    as_row([[3, -1, 1, 2]]), zeros, as_row([[3, 9, 1, 2]])
  )
  queries = attend.Queries(as_row([[2]]), as_row([[[0]]]))
  seen = attend.visible(queries, entries)[0, 0]
  assert seen.tolist() == [False, False, True, True]


@pytest.mark.parametrize(
  ("length", "num_segments", "num_real"),
  [
    (3, 1, None),
    (4, 1, None),
    (5, 1, None),
    (8, 1, 7),
    (14, 3, None),
    (14, 2, 9),
  ],
  ids=["below", "at", "above", "blocks", "segments", "padded"],
)
def test_window_episode_equals_the_definition(length, num_segments, num_real):
  window = 4
  arrays = draw(length, window)
  queries, entries, sees, pos = place(
    length, (window,), num_segments=num_segments, num_real=num_real
  )
  got = episode(*narrow(arrays), queries, entries, window=window)
  wanted = dense(*arrays, sees, pos)
  assert np.isfinite(got).all()
  np.testing.assert_allclose(
    got[:, :num_real], wanted[:, :num_real], **TOLERANCE
  )


@pytest.mark.parametrize(
  ("length", "reach", "keep", "num_segments", "num_real"),
  [
    (1, 4, (9,), 1, None),
    (4, 9, (9,), 1, None),
    (5, 2, (9,), 1, 4),
    (23, 30, (2, 5, 3), 3, 19),
    (70, 9, (99,), 1, None),
  ],
  ids=["one", "block", "over", "segments-kinds", "more-blocks"],
)
def test_global_episode_equals_the_definition(
  length, reach, keep, num_segments, num_real, monkeypatch
):
  monkeypatch.setattr(attend, "_MIN_BLOCK", 4)
  jax.clear_caches()
  arrays = draw(length, reach)
  queries, entries, sees, pos = place(
    length, keep, num_segments=num_segments, num_real=num_real
  )
  got = episode(*narrow(arrays), queries, entries, window=None)
  wanted = dense(*arrays, sees, pos)
  assert np.isfinite(got).all()
  np.testing.assert_allclose(
    got[:, :num_real], wanted[:, :num_real], **TOLERANCE
  )


@pytest.mark.parametrize("window", [4, None], ids=["window", "global"])
def test_gradients_equal_those_of_the_definition(window, monkeypatch):
  monkeypatch.setattr(attend, "_MIN_BLOCK", 4)
  jax.clear_caches()
  length = 11
  arrays = narrow(draw(length, window or 6))
  queries, entries, sees, pos = place(
    length, (window or 7,), num_segments=2, num_real=9
  )
  weights = jnp.asarray(
    np.random.default_rng(3).normal(size=arrays[0].shape), jnp.float32
  )
  weights = weights * (pos >= 0)[..., None, None]

  def ours(*arrays):
    out = episode(*arrays, queries, entries, window=window)
    return jnp.sum(out * weights)

  def theirs(*arrays):
    out = dense(*arrays, jnp.asarray(sees), jnp.asarray(pos), xp=jnp)
    return jnp.sum(out * weights)

  every = tuple(range(5))
  got = jax.jit(jax.grad(ours, argnums=every))(*arrays)
  wanted = jax.jit(jax.grad(theirs, argnums=every))(*arrays)
  for ours_, theirs_ in zip(got, wanted, strict=True):
    assert np.abs(theirs_).max() > 0.01
    np.testing.assert_allclose(ours_, theirs_, rtol=0, atol=1e-4)


@pytest.mark.parametrize("keep", [(9,), (2, 5, 3)], ids=["window", "kinds"])
def test_memory_equals_the_definition_in_any_order(keep):
  length, reach, empty = 17, 9, 6
  arrays = draw(length, reach)
  queries, entries, sees, pos = place(length, keep)
  order = np.random.default_rng(4).permutation(length + empty)

  def scrambled(x, fill):
    width = [(0, 0)] * x.ndim
    width[1] = (0, empty)
    return jnp.pad(x, width, constant_values=fill)[:, order]

  q, k, v, features, bank = narrow(arrays)
  got = jax.jit(attend.from_memory)(
    q,
    scrambled(k, 1e3),
    scrambled(v, 1e3),
    attend.Bias(features, bank),
    attend.Queries(queries.pos, queries.horizon),
    attend.Entries(
      scrambled(entries.pos, -1),
      scrambled(entries.kind, 0),
      scrambled(entries.rank, 99),
    ),
  )
  np.testing.assert_allclose(got, dense(*arrays, sees, pos), **TOLERANCE)


def test_bfloat16_sums_in_float32():
  arrays = draw(12, 4)
  queries, entries, sees, pos = place(12, (4,))
  low = [jnp.asarray(array, jnp.bfloat16) for array in arrays]
  got = episode(*low, queries, entries, window=4)
  assert got.dtype == jnp.bfloat16
  # Inputs and weights carry 8 bits; values are around one.
  np.testing.assert_allclose(
    got.astype(jnp.float32), dense(*arrays, sees, pos), rtol=0, atol=0.06
  )


@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize(
  ("num_keys", "start"), [(1, 0), (7, 0), (7, 4), (12, 9)]
)
@pytest.mark.parametrize("reach", [1, 3, 20])
def test_a_bank_by_place_holds_what_its_distances_say(
  length, num_keys, start, reach
):
  bank = np.random.default_rng(5).normal(size=(FEATURES, reach))
  got = attend._by_place(jnp.float32(bank), start, length, num_keys)
  distance = start + np.arange(length)[:, None] - np.arange(num_keys)
  inside = (distance >= 0) & (distance < reach)
  wanted = np.where(inside, bank[:, np.where(inside, distance, 0)], 0.0)
  # Keys that no query has a bias for are left out, and all of them in front.
  far = num_keys - got.shape[-1]
  assert not inside[:, :far].any() and inside[:, far : far + 1].any() == (
    far < num_keys
  )
  np.testing.assert_array_equal(
    got, np.float32(np.moveaxis(wanted[..., far:], 1, 0))
  )


def blank(length, reach):
  """What `episode` takes for one row; its numbers do not matter."""
  row = jnp.zeros((1, length), jnp.int32)
  return (
    jnp.zeros((1, length, QUERIES, WIDTH)),
    jnp.zeros((1, length, KEYS, WIDTH)),
    jnp.zeros((1, length, KEYS, WIDTH)),
    jnp.zeros((1, length, QUERIES, FEATURES)),
    jnp.zeros((FEATURES, reach)),
    attend.Queries(row, row[..., None]),
    attend.Entries(row, row, row),
  )


def largest(jaxpr):
  """Numbers in the largest array that a program names."""
  most = 0
  for eqn in jaxpr.eqns:
    for var in eqn.outvars:
      most = max(most, getattr(var.aval, "size", 0))
    for inner in jax.tree.leaves(
      list(eqn.params.values()), is_leaf=lambda x: hasattr(x, "eqns")
    ):
      inner = getattr(inner, "jaxpr", inner)
      if hasattr(inner, "eqns"):
        most = max(most, largest(inner))
  return most


@pytest.mark.parametrize("what", ["forward", "gradient"])
@pytest.mark.parametrize(
  ("window", "limit"),
  # A band is two windows wide; its bias is laid out in three.
  [(64, 4 * 64 * 2048), (None, 2048 * 2048 // 8)],
  ids=["window", "global"],
)
def test_no_episode_holds_all_pairs(window, limit, what):
  def total(*arrays):
    return jnp.sum(episode(*arrays, window=window))

  program = total
  if what == "gradient":
    program = jax.grad(total, argnums=(0, 1, 2, 3, 4))
  jaxpr = jax.make_jaxpr(program)(*blank(2048, window or 100))
  # The inputs are not among what is counted; this is: the heads' scores.
  assert QUERIES * 2048 * 64 < largest(jaxpr.jaxpr) <= QUERIES * limit


def flops(length, window):
  *arrays, queries, _ = blank(length, window)

  def run(q, k, v, features, bank, pos):
    queries_ = attend.Queries(pos, pos[..., None])
    entries_ = attend.Entries(pos, pos, pos)
    return episode(q, k, v, features, bank, queries_, entries_, window=window)

  lowered = jax.jit(run).lower(*arrays, queries.pos)
  return lowered.compile().cost_analysis()["flops"]


def test_the_cost_of_a_window_grows_with_the_length_and_not_faster():
  window = 32
  once, twice = flops(512, window), flops(1024, window)
  # The first block has no block before it, and is computed as if it had.
  assert twice == pytest.approx(2 * once, rel=0.02)
  assert flops(512, 2 * window) > 1.5 * once
