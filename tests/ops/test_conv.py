import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.ops import conv

TAPS = 4


def draw(shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape)


def naive(x, taps, segment=None):
  """Adds tap by tap, position by position, in float64."""
  y = x.copy()
  for row in range(x.shape[0]):
    for t in range(x.shape[1]):
      for z in range(len(taps)):
        s = t - len(taps) + 1 + z
        if s < 0 or (
          segment is not None and segment[row, s] != segment[row, t]
        ):
          continue
        y[row, t] += taps[z] * x[row, s]
  return y


@pytest.mark.parametrize("taps", [1, 2, TAPS])
@pytest.mark.parametrize("inner", [(5,), (3, 5)], ids=["vector", "heads"])
@pytest.mark.parametrize("length", [1, 3, 9])
def test_short_equals_its_sum(length, inner, taps):
  x, taps = draw((2, length, *inner)), draw((taps, *inner), 1)
  got = jax.jit(conv.short)(jnp.float32(x), jnp.float32(taps))
  # A handful of float32 products.
  np.testing.assert_allclose(got, naive(x, taps), rtol=0, atol=2e-6)


def test_segments_do_not_see_each_other():
  x, taps = draw((2, 9, 5)), draw((TAPS, 5), 1)
  segment = np.array([[0] * 9, [0, 0, 1, 2, 2, 2, 2, 2, 5]])
  got = conv.short(
    jnp.float32(x), jnp.float32(taps), segment=jnp.asarray(segment, jnp.int32)
  )
  np.testing.assert_allclose(got, naive(x, taps, segment), rtol=0, atol=2e-6)


def test_a_nan_stays_in_its_segment():
  x = draw((1, 6, 5))
  x[0, 2] = np.nan
  segment = jnp.asarray([[0, 0, 0, 1, 1, 1]], jnp.int32)
  got = conv.short(jnp.float32(x), jnp.ones((TAPS, 5)), segment=segment)
  assert np.isfinite(got[0, 3:]).all() and np.isfinite(got[0, :2]).all()
  assert np.isnan(got[0, 2]).all()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_pieces_of_any_size_equal_the_whole(dtype):
  x = jnp.asarray(draw((2, 14, 5)), dtype)
  taps = jnp.float32(draw((TAPS, 5), 1))
  short, next_tail = jax.jit(conv.short), jax.jit(conv.next_tail)
  whole = short(x, taps)
  tail = jnp.zeros((2, TAPS - 1, 5), dtype)
  pieces, start = [], 0
  for size in (1, 5, 2, 0, 5, 1):
    piece = x[:, start : start + size]
    pieces.append(short(piece, taps, tail=tail))
    tail = next_tail(tail, piece, jnp.full(2, size, jnp.int32))
    start += size
  # The same sums in the same order: the bits agree.
  np.testing.assert_array_equal(jnp.concatenate(pieces, axis=1), whole)


@pytest.mark.parametrize("counts", [(0, 1), (2, 3), (4, 5)])
def test_the_next_tail_is_the_last_real_inputs(counts):
  tail, x = jnp.float32(draw((2, 3, 5))), jnp.float32(draw((2, 5, 5), 1))
  got = conv.next_tail(tail, x, jnp.asarray(counts, jnp.int32))
  for row, count in enumerate(counts):
    real = np.concatenate([tail[row], x[row, :count]])
    np.testing.assert_array_equal(got[row], real[-3:])


def test_a_row_without_new_inputs_keeps_its_bits():
  tail = jnp.float32(draw((2, 3, 5)))
  garbage = jnp.full((2, 4, 5), jnp.nan)
  got = conv.next_tail(tail, garbage, jnp.asarray([0, 4], jnp.int32))
  np.testing.assert_array_equal(got[0], tail[0])
  assert np.isnan(got[1]).all()


def test_sums_are_float32_whatever_the_input():
  # 256 + 1 has no place in bfloat16, 256 + 4 * 1 has one.
  x = jnp.asarray([[[1.0], [1.0], [1.0], [256.0]]], jnp.bfloat16)
  taps = jnp.asarray([[1.0], [1.0], [1.0], [0.0]])
  got = conv.short(x, taps)
  assert got.dtype == jnp.bfloat16
  assert float(got[0, 3, 0]) == 260.0  # 259, rounded once
