import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.model import config
from interaction_jax.model.backbone import memory, where
from interaction_jax.model.backbone.memory import Kind
from interaction_jax.ops import attend

WINDOW = 3
MEMORY = config.MemoryConfig(pinned=2, text=3, media=2, block=4)


def ints(values):
  return jnp.asarray(values, jnp.int32)


def place(kind, real=None, segment=None):
  kind = ints(kind)
  real = jnp.ones(kind.shape, bool) if real is None else jnp.asarray(real)
  return where.Episode.of(
    kind,
    real,
    None if segment is None else ints(segment),
    window=WINDOW,
    memory_cfg=MEMORY,
  )


def begin(small, memory_cfg=MEMORY):
  """Two sessions whose windows are as long as those of this file."""
  window = dataclasses.replace(small.backbone.window_attention, reach=WINDOW)
  backbone = dataclasses.replace(small.backbone, window_attention=window)
  return memory.empty(backbone, memory_cfg, 2, "float32")


@jax.jit
def stand(past, kind, real):
  """What each query of a block sees, and the memory behind the block."""
  stream, past = where.Stream.of(
    past, kind, real, window=WINDOW, memory_cfg=MEMORY
  )
  looks = (stream.window[:2], stream.everywhere[:2])
  return [(attend.visible(*pair), pair[1].pos) for pair in looks], past


def test_positions_count_within_segments():
  episode = place([[1] * 6], segment=[[0, 0, 2, 2, 2, 3]])
  assert episode.pos.tolist() == [[0, 1, 0, 1, 2, 0]]


def test_padding_has_no_position():
  real = [[True, True, False], [True, False, False]]
  episode = place([[1] * 3] * 2, real=real)
  assert episode.pos.tolist() == [[0, 1, -1], [0, -1, -1]]


def test_ranks_count_each_kind_for_itself():
  kind = [[0, 1, 2, 1, 2, 2]]
  queries, entries = place(kind).everywhere
  assert entries.rank.tolist() == [[0, 0, 0, 1, 1, 2]]
  # Three texts and two media are kept: after six, media from rank 1 on.
  assert queries.horizon[0, -1].tolist() == [1 - 2, 2 - 3, 3 - 2]


def seen(episode):
  return np.asarray(attend.visible(*episode.everywhere))


def test_what_is_pinned_is_never_forgotten():
  kind = [[Kind.PINNED] * 2 + [Kind.MEDIA] * 8]
  assert seen(place(kind))[0, -1].tolist() == (
    [True] * 2 + [False] * 6 + [True] * 2
  )


def test_each_kind_is_forgotten_by_its_own_count():
  kind = [[Kind.TEXT] * 4 + [Kind.MEDIA] * 3]
  assert seen(place(kind))[0, -1].tolist() == (
    [False, True, True, True, False, True, True]
  )


def test_windows_see_every_kind():
  kind = [[Kind.PINNED, Kind.TEXT, Kind.MEDIA, Kind.TEXT]]
  window = np.asarray(attend.visible(*place(kind).window))
  assert window[0, -1].tolist() == [False, True, True, True]


def test_segments_do_not_see_each_other():
  mask = seen(place([[1] * 5], segment=[[0, 0, 1, 1, 1]]))[0]
  assert not mask[2:, :2].any()
  assert mask[2:, 2:].sum() == 6


def seen_positions(mask, pos):
  """The positions that each query sees, in order."""
  mask, pos = np.asarray(mask), np.asarray(pos)
  return [
    [sorted(pos[row][seen].tolist()) for seen in mask[row]]
    for row in range(len(mask))
  ]


@pytest.mark.parametrize("num_rows", [1, 2])
def test_blocks_stand_where_the_episode_does(num_rows, small):
  numbers = np.random.default_rng(0)
  kind = np.concatenate(
    [np.zeros((2, 2), int), numbers.integers(1, 3, (2, 18))], axis=1
  )
  whole = place(kind)
  wanted = [
    seen_positions(attend.visible(*pair), pair[1].pos)
    for pair in (whole.window, whole.everywhere)
  ]
  past = begin(small)
  for start in range(0, 20, 4):
    block = ints(kind[:, start : start + 4])
    real = jnp.arange(2)[:, None] < num_rows
    looks, past = stand(past, block, jnp.broadcast_to(real, block.shape))
    for look, whole_look in zip(looks, wanted, strict=True):
      got = seen_positions(*look)
      for row in range(num_rows):
        assert got[row] == whole_look[row][start : start + 4]
  assert past.length.tolist() == [20, 20 * (num_rows - 1)]
  assert past.counts.sum(axis=1).tolist() == past.length.tolist()


def test_rows_advance_by_what_is_real(small):
  real = jnp.asarray([[True, True, True, False], [False] * 4])
  stream, past = where.Stream.of(
    begin(small), ints([[1, 2, 2, 2], [1] * 4]), real,
    window=WINDOW, memory_cfg=MEMORY,
  )  # fmt: skip
  assert stream.count.tolist() == past.length.tolist() == [3, 0]
  assert past.counts.tolist() == [[0, 1, 2], [0, 0, 0]]
  assert (past.window_slots.pos[1] == -1).all()
  assert sorted(past.window_slots.pos[0].tolist())[-3:] == [0, 1, 2]


def test_a_block_that_is_too_long_is_refused(small):
  kind = jnp.ones((2, 5), jnp.int32)
  with pytest.raises(ValueError, match=r"5 positions exceeds memory\.block=4"):
    where.Stream.of(
      begin(small), kind, kind == 1, window=WINDOW, memory_cfg=MEMORY
    )


def cost(small, kind, memory_cfg):
  """Arithmetic of one block's attention, from its compiled program."""
  layer = {"window": 0, "global": 1}[kind]
  heads = small.backbone.attention(layer)
  reach = WINDOW if kind == "window" else heads.reach
  past = begin(small, memory_cfg)
  leaves, treedef = jax.tree.flatten(past)
  rows = (2, 4, heads.query_heads)
  q = jnp.zeros((*rows, heads.head_width))
  k = jnp.zeros((2, 4, heads.key_heads, heads.head_width))
  bias = jnp.zeros((*rows, 7)), jnp.zeros((7, reach))

  def look(leaves, q, k, features, bank):
    past = jax.tree.unflatten(treedef, leaves)
    block = jnp.ones((2, 4), jnp.int32)
    stream, _ = where.Stream.of(
      past, block, block == 1, window=WINDOW, memory_cfg=memory_cfg
    )
    bias = attend.Bias(features, bank)
    return stream.attend(kind, q, k, k, bias, past.layers[layer]).out

  lowered = jax.jit(look).lower(leaves, q, k, *bias)
  return lowered.compile().cost_analysis()["flops"]


@pytest.mark.parametrize(
  ("kind", "grows"), [("window", False), ("global", True)]
)
def test_a_window_costs_the_same_however_much_is_remembered(kind, grows, small):
  longer = dataclasses.replace(MEMORY, text=60, media=70)
  few, many = (cost(small, kind, cfg) for cfg in (MEMORY, longer))
  # Nothing here depends on what came before: shapes are all there is.
  assert many > 3 * few if grows else many == few
