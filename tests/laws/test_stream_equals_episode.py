"""The backbone in pieces of any size equals the backbone over the whole.

Every row has pieces and lengths of its own, positions of every kind outgrow
their memories, and the padding holds NaN.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.model import interaction
from interaction_jax.model.backbone import memory
from interaction_jax.model.backbone.memory import Kind
from interaction_jax.model.config import MemoryConfig

BLOCK, PINNED = 7, 4
LENGTHS = np.asarray([53, 31, 46])

# Sums over tens of terms in another order, some twenty of them in a row:
# hidden states of size 4 come out 3e-6 apart.
CLOSE = {"rtol": 0, "atol": 2e-5}


@pytest.fixture(scope="module")
def cfg(small):
  """Memories that are full long before the rows end."""
  limits = MemoryConfig(pinned=PINNED, text=6, media=5, block=BLOCK)
  return dataclasses.replace(small.cfg, memory=limits)


@pytest.fixture(scope="module")
def programs(cfg):
  """The episode, and one block of a stream."""

  @jax.jit
  def episode(params, x, kind, real):
    model = interaction.bind(params, cfg=cfg)
    return model.backbone.episode(x, kind, real).hidden

  @jax.jit
  def stream(params, past, x, kind, real):
    model = interaction.bind(params, cfg=cfg)
    return model.backbone.stream(x, kind, real, past)

  return episode, stream


def draw(cfg, seed, kinds):
  """Embedded positions, NaN in the padding, pinned ones first."""
  rng = np.random.default_rng(seed)
  shape = (len(LENGTHS), LENGTHS.max())
  real = np.arange(shape[1]) < LENGTHS[:, None]
  x = np.where(real[..., None], rng.normal(size=(*shape, 24)), np.nan)
  kind = rng.choice(kinds, shape)
  for row, num_pinned in enumerate((PINNED, 0, 1)):
    kind[row, :num_pinned] = Kind.PINNED
  return x.astype(np.float32), kind.astype(np.int32), real


def cut(rng, x, kind):
  """Blocks of random sizes, a size a row, some of them empty."""
  done = np.zeros(len(LENGTHS), int)
  while (done < LENGTHS).any():
    sizes = np.minimum(rng.integers(0, BLOCK + 1, len(done)), LENGTHS - done)
    piece = np.full((len(done), BLOCK, x.shape[-1]), np.nan, np.float32)
    kinds = np.ones((len(done), BLOCK), np.int32)
    for row, (start, size) in enumerate(zip(done, sizes, strict=True)):
      piece[row, :size] = x[row, start : start + size]
      kinds[row, :size] = kind[row, start : start + size]
    yield done.copy(), sizes, piece, kinds, np.arange(BLOCK) < sizes[:, None]
    done += sizes


@pytest.mark.parametrize(
  "kinds",
  [(Kind.TEXT,), (Kind.MEDIA,), (Kind.TEXT, Kind.MEDIA, Kind.MEDIA)],
  ids=["text", "media", "mixed"],
)
def test_pieces_equal_the_whole(kinds, cfg, small, programs):
  episode, stream = programs
  x, kind, real = draw(cfg, 1, kinds)
  wanted = np.asarray(episode(small.params, x, kind, real))
  past = memory.empty(cfg.backbone, cfg.memory, len(LENGTHS), "float32")
  got = np.zeros_like(wanted)
  with jax.default_matmul_precision("highest"):
    for start, sizes, *block in cut(np.random.default_rng(2), x, kind):
      out, past = stream(small.params, past, *block)
      for row, size in enumerate(sizes):
        places = slice(start[row], start[row] + size)
        got[row, places] = out[row, :size]
  np.testing.assert_allclose(got[real], wanted[real], **CLOSE)
  np.testing.assert_array_equal(past.length, LENGTHS)
  assert (np.asarray(past.counts)[:, [k for k in kinds]].sum(axis=1) > 20).all()


def test_forgetting_shows(cfg, small, programs):
  # Without it, the law above would hold for memories that forget nothing.
  episode, _ = programs
  x, kind, real = draw(cfg, 1, (Kind.TEXT, Kind.MEDIA))
  long = MemoryConfig(pinned=PINNED, text=60, media=60, block=BLOCK)
  other = dataclasses.replace(cfg, memory=long)

  @jax.jit
  def remember(params, x, kind, real):
    model = interaction.bind(params, cfg=other)
    return model.backbone.episode(x, kind, real).hidden

  short = np.asarray(episode(small.params, x, kind, real))
  full = np.asarray(remember(small.params, x, kind, real))
  # As long as nothing is forgotten the two agree, and from then on not.
  np.testing.assert_allclose(short[0, :8], full[0, :8], **CLOSE)
  assert np.abs(short[0, 20:] - full[0, 20:]).max() > 1e-2


def test_idle_rows_keep_every_bit(cfg, small, programs):
  _, stream = programs
  x, kind, _ = draw(cfg, 3, (Kind.TEXT, Kind.MEDIA))
  past = memory.empty(cfg.backbone, cfg.memory, len(LENGTHS), "float32")
  everyone = np.ones((len(LENGTHS), BLOCK), bool)
  for start in (0, BLOCK):
    piece = slice(start, start + BLOCK)
    _, past = stream(small.params, past, x[:, piece], kind[:, piece], everyone)
  nobody = everyone & (np.arange(len(LENGTHS)) == 1)[:, None]
  garbage = np.full((len(LENGTHS), BLOCK, 24), np.nan, np.float32)
  garbage[1] = 0.5
  _, after = stream(small.params, past, garbage, kind[:, :BLOCK], nobody)
  for old, new in zip(
    jax.tree.leaves(past), jax.tree.leaves(after), strict=True
  ):
    old, new = np.asarray(old), np.asarray(new)
    assert old[[0, 2]].tobytes() == new[[0, 2]].tobytes()
  assert after.length.tolist() == [14, 21, 14]


def test_gradients_agree_too(cfg, small):
  """Of the parameters, through three blocks that fill a memory of text."""
  x, kind, _ = draw(cfg, 4, (Kind.TEXT, Kind.MEDIA))
  length = 3 * BLOCK
  x, kind = jnp.asarray(x[:1, :length]), jnp.asarray(kind[:1, :length])
  weights = np.random.default_rng(5).normal(size=x.shape)

  def whole(params):
    model = interaction.bind(params, cfg=cfg)
    return model.backbone.episode(x, kind, kind >= 0).hidden

  def in_pieces(params):
    model = interaction.bind(params, cfg=cfg)

    def block(past, piece):
      out, past = model.backbone.stream(*piece, piece[1] >= 0, past)
      return past, out

    def pieces(a):
      return jnp.moveaxis(a.reshape(1, 3, BLOCK, *a.shape[2:]), 1, 0)

    past = memory.empty(cfg.backbone, cfg.memory, 1, "float32")
    out = jax.lax.scan(block, past, (pieces(x), pieces(kind)))[1]
    return jnp.moveaxis(out, 0, 1).reshape(x.shape)

  def loss(run, backbone):
    params = {**small.params, "backbone": backbone}
    return jnp.sum(run(params) * weights)

  with jax.default_matmul_precision("highest"):
    wanted, got = (
      jax.jit(jax.grad(functools.partial(loss, run)))(small.params["backbone"])
      for run in (whole, in_pieces)
    )
  leaves = jax.tree_util.tree_leaves_with_path(wanted)
  for (path, a), b in zip(leaves, jax.tree.leaves(got), strict=True):
    scale = max(1.0, np.abs(a).max())
    np.testing.assert_allclose(
      a, b, rtol=0, atol=1e-4 * scale, err_msg=jax.tree_util.keystr(path)
    )
