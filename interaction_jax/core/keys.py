"""Randomness that belongs to a session: (seed, turn, purpose), nothing else.

A key never depends on the row of the batch a session sits in, on who sits
beside it, or on how many draws were made before, so a session moved, resumed
or replayed draws the same numbers.
"""

import enum

import jax
from jaxtyping import Array, Int, Key, UInt32


class Purpose(enum.IntEnum):
  """What a draw is for.

  The numbers are part of every recorded session: add new ones at the end,
  never renumber and never reuse one.
  """

  TEXT = 0
  """Which text token comes next."""
  FLOW = 1
  """The noise a frame of speech is made from."""
  GATE = 2
  """Whether the model speaks in this turn."""
  START = 3
  """The turn at which a training episode begins."""
  TOKENS = 4
  """Discrete choices other than text, such as codes of a latent."""


def at(
  seed: UInt32[Array, " B"], turn: Int[Array, " B"], purpose: Purpose
) -> Key[Array, " B"]:
  """The key of every session for one purpose in one turn.

  key = fold(fold(key(seed), turn), purpose). To draw several times for one
  purpose, `jax.random.fold_in` the index of the draw once more; draw with
  `jax.vmap` over the keys, so that each row draws by itself.

  Args:
    seed: of each session.
    turn: its index, counted from the start of the session.
  """
  # The generator is named because "rbg", which an environment may choose as
  # the default, draws numbers that depend on the row under vmap.
  base = jax.vmap(lambda one: jax.random.key(one, impl="threefry2x32"))(seed)
  fold = jax.vmap(jax.random.fold_in, in_axes=(0, 0))
  folded = fold(base, turn)
  return jax.vmap(lambda key: jax.random.fold_in(key, int(purpose)))(folded)
