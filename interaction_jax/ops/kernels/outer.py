"""Gradients of the weights of groups for TPU, a product for each group.

The twin of what JAX makes of `ragged_dot`: XLA for TPUs multiplies all rows by
all groups for it, and so does as many times too much as there are groups. The
kernel is megablox, which comes with JAX; here rows are brought to its shape.
"""

from typing import Final

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

_ROWS: Final = 512
_CHANNELS: Final = 512
"""Of a tile; with twice as many channels they no longer fit a v5p."""

_LANES: Final = 128


def outer(
  x: Float[Array, "T D"],
  grad: Float[Array, "T F"],
  sizes: Int[Array, " E"],
  *,
  interpret: bool = False,
) -> Float[Array, "E D F"]:
  """Σ x ⊗ grad over the first `sizes[0]` rows, over those behind them, ...

  Added up in float32; rows past the last group are nobody's.

  Args:
    interpret: run it anywhere, slowly.
  """
  # Nothing but training has it.
  from jax.experimental.pallas.ops.tpu.megablox.gmm import tgmm

  length, tile = len(x), _ROWS
  while tile > _LANES and -(-length // _LANES) * _LANES % tile:
    tile //= 2
  padding = ((0, -length % tile), (0, 0))
  tiling = (tile, min(_CHANNELS, x.shape[1]), min(_CHANNELS, grad.shape[1]))
  return tgmm(
    jnp.pad(x, padding).T,
    jnp.pad(grad, padding),
    sizes,
    preferred_element_type=jnp.dtype(x.dtype),
    tiling=tiling,
    interpret=interpret,
  )
