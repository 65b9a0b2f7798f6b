import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh

from interaction_jax.core import sharding
from interaction_jax.ops import attend
from interaction_jax.ops.kernels import recall

BATCH, QUERIES, KEYS, WIDTH, FEATURES = 2, 6, 3, 128, 4
LENGTH, PAST, KEPT = 5, 290, (11, 60, 190)

# Sums of some hundred float32 products of values around one.
TOLERANCE = {"rtol": 0, "atol": 3e-5}


def remembered(reach, dtype=jnp.float32):
  """A block at the end of a past that lies in any order, with empty slots.

  In the second row only two positions of the block are real.
  """
  rng = np.random.default_rng(reach)
  slots = PAST + LENGTH + 7

  def normal(*shape):
    return jnp.asarray(rng.normal(size=shape), dtype)

  def whole(x):
    return jnp.asarray(np.stack(x), jnp.int32)

  entries, queries = [], []
  for num_real in (LENGTH, 2):
    count = PAST + num_real
    kind = rng.integers(0, len(KEPT), count)
    counts = np.cumsum(kind[:, None] == np.arange(len(KEPT)), axis=0)
    rank = counts[np.arange(count), kind] - 1
    table = np.full((3, slots), -1)
    table[:, rng.permutation(slots)[:count]] = np.arange(count), kind, rank
    last = np.minimum(PAST + np.arange(LENGTH), count - 1)
    entries.append(table)
    queries.append((last, counts[last] - np.asarray(KEPT)))
  pos, horizon = zip(*queries, strict=True)
  pos_of, kind_of, rank_of = np.moveaxis(np.stack(entries), 1, 0)
  return (
    normal(BATCH, LENGTH, QUERIES, WIDTH),
    normal(BATCH, slots, KEYS, WIDTH),
    normal(BATCH, slots, KEYS, WIDTH),
    attend.Bias(
      normal(BATCH, LENGTH, QUERIES, FEATURES), normal(FEATURES, reach)
    ),
    attend.Queries(whole(pos), whole(horizon)),
    attend.Entries(whole(pos_of), whole(kind_of), whole(rank_of)),
  )


def kernel(q, k, v, bias, queries, entries, *, block):
  """What the kernel makes of the arguments of its twin, interpreted."""
  reach = bias.bank.shape[1]
  table = np.zeros((LENGTH, FEATURES, reach + LENGTH - 1), np.float32)
  for t in range(LENGTH):
    table[t, :, t : t + reach] = np.asarray(bias.bank, np.float32)[:, ::-1]
  profile = jnp.einsum(
    "btnr,try->btny", bias.features.astype(jnp.float32), table
  )
  what = jnp.stack([entries.pos, entries.kind, entries.rank], axis=1)
  return recall.recall(
    q, k, v, profile, queries.pos, queries.horizon, what,
    block=block, interpret=True,
  )  # fmt: skip


@pytest.mark.parametrize("reach", [1, 40, 1000])
@pytest.mark.parametrize("block", [128, 1024], ids=["blocks", "one-block"])
def test_the_kernel_equals_its_twin(block, reach):
  given = remembered(reach)
  got = kernel(*given, block=block)
  wanted = attend.from_memory(*given)
  for row, num_real in enumerate((LENGTH, 2)):
    np.testing.assert_allclose(
      got[row, :num_real], wanted[row, :num_real], **TOLERANCE
    )


def test_bfloat16_differs_by_its_own_rounding():
  given = remembered(40, jnp.bfloat16)
  got = kernel(*given, block=128).astype(jnp.float32)
  exact = jax.tree.map(
    lambda x: x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x, given
  )
  wanted = attend.from_memory(*exact)
  # Weights and the result are rounded to eight bits once each.
  error = jnp.abs(got[0] - wanted[0]).max() / jnp.abs(wanted[0]).max()
  assert 0 < error < 2**-7


def test_a_session_does_not_touch_another():
  given = remembered(40)
  alone = kernel(*given, block=128)[0]
  q, k, v, *others = given
  poisoned = kernel(
    q, k.at[1].set(jnp.nan), v.at[1].set(jnp.nan), *others, block=128
  )
  assert np.array_equal(poisoned[0], alone)
  assert np.isnan(poisoned[1]).all()


def test_what_lies_in_unseen_slots_does_not_matter():
  given = remembered(40)
  q, k, v, bias, queries, entries = given
  empty = (entries.pos < 0)[..., None, None]
  other = kernel(
    q, jnp.where(empty, 1e4, k), jnp.where(empty, 1e4, v), bias, queries,
    entries, block=128,
  )  # fmt: skip
  assert np.array_equal(other, kernel(*given, block=128))


@pytest.mark.parametrize(
  ("width", "num_keys", "wanted"),
  [(128, 8, True), (256, 2, True), (64, 1, True), (64, 2, False)],
)
def test_heads_that_lie_across_lanes_do_not_fit(width, num_keys, wanted):
  assert recall.fits(width, num_keys) == wanted


@pytest.mark.parametrize("line", [None, "data=2,tensor=3"])
def test_a_tpu_gets_the_kernel_and_nothing_else_does(line):
  given = remembered(40)
  tree = jax.tree.structure(given)
  lowered = {}
  mesh = AbstractMesh((), ()) if line is None else sharding.planned(line)
  for platform in ("cpu", "tpu"):
    with jax.sharding.use_abstract_mesh(mesh):
      traced = jax.jit(
        lambda *leaves: attend.from_memory(*tree.unflatten(leaves))
      ).trace(*jax.tree.leaves(given))
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    lowered[platform] = "tpu_custom_call" in text
  assert lowered == {"cpu": False, "tpu": True}
