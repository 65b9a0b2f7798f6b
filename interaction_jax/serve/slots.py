"""The sessions of an engine on its device: rows of states, called together.

    row      0       1       2       3
    state    alice   -       bob     -         donated tick by tick
    tick     turn    still   turn    still     still, bit for bit: nobody there,
                                               or no turn that is full

On an accelerator all rows are one state, and a tick is one call: it costs the
same for one as for all. On a CPU a row costs in company what it costs alone,
so each is a state and a call of its own, as many calls at once as there are
cores; rows without a turn cost nothing.

Who joins or leaves changes rows, never programs: all are compiled before the
first session. Rows never touch each other, so a session has the same bits
whoever shares the engine.

Many hosts. Each process holds its part of the mesh, and all of them make the
same calls in the same order, as programs over a mesh want it. The first
process alone has sockets, sessions and a clock. What it passes to the methods
below is small and plain (samples, tokens, pictures, numbers of rows: 13 kB a
turn and session), so it is broadcast before each call, and the other processes
do nothing but receive a call and make it. What comes out is replicated, so
the first process reads it from its own devices.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from interaction_jax.model.config import SamplingConfig
from interaction_jax.serve import machine, models
from interaction_jax.serve.conversation import Made, Ready
from interaction_jax.serve.models import Model


class Slots:
  """The rows of an engine.

  Attributes:
    num: S, how many there are.
    together: whether a tick is one call for all rows.
    at_once: how many rows have their turns at a time.

  Raises:
    ValueError: there is none, or the mesh does not divide them.
  """

  def __init__(
    self,
    model: Model,
    num: int,
    *,
    sampling: SamplingConfig = models.GREEDY,
    together: bool | None = None,
  ):
    """Compiles the programs.

    Args:
      together: whether a tick is one call for all rows; None: not on a CPU.
    """
    if num < 1:
      raise ValueError(f"sessions={num} must be 1 or more.")
    if together is None:
      together = model.mesh is not None or jax.default_backend() != "cpu"
    self.num, self.together = num, together
    self._width = num if together else 1
    self.at_once = num if together else min(num, machine.cores())
    self._params = model.params
    self._programs = model.programs(sampling, rows=self._width)
    # Who joins reads instructions here, where it costs the least.
    self._door = model.programs(sampling)
    self._states = [
      self._programs.open(model.params, 0) for _ in range(num // self._width)
    ]
    self._shape = jax.tree.structure(self._states[0])
    self._calls = ThreadPoolExecutor(self.at_once // self._width)
    self._compile(model)

  def join(self, row: int, seed: int, pinned: Sequence[int] = ()) -> None:
    """Begins a session in a row.

    Args:
      pinned: tokens of its instructions.
    """
    state = self._door.open(self._params, seed, pinned)
    self._put(row, jax.tree.leaves(state))

  def tick(self, ready: Mapping[int, Ready]) -> dict[int, Made]:
    """Runs a turn of the rows that have one; the others stand still.

    Returns:
      What each of them made.
    """
    parts: dict[int, dict[int, Ready]] = {}
    for row, one in ready.items():
      part, place = divmod(row, self._width)
      parts.setdefault(part, {})[place] = one
    made: dict[int, Made] = {}
    done = self._calls.map(self._call, parts, parts.values())
    for part, found in zip(parts, done, strict=True):
      made |= {self._width * part + place: one for place, one in found.items()}
    return made

  def _call(self, part: int, ready: Mapping[int, Ready]) -> dict[int, Made]:
    programs, state = self._programs, self._states[part]
    pairs = {
      place: one.pair for place, one in ready.items() if one.pair is not None
    }
    if pairs:
      media = programs.seen(pairs)
      state = programs.absorb(self._params, state, media)
    turn = programs.heard(ready)
    self._states[part], output = programs.step(self._params, state, turn)
    return dict(zip(ready, Made.of(output, ready), strict=True))

  def save(self, row: int) -> tuple[np.ndarray, ...]:
    """Copies the state of a row, as `Snapshot` keeps it."""
    part, place = divmod(row, self._width)
    held = jax.tree.leaves(self._states[part])
    leaves = self._take(held, self._number(place))
    return tuple(np.array(leaf) for leaf in leaves)

  def load(self, row: int, leaves: Sequence[np.ndarray]) -> None:
    """Goes on in a row from what `save` copied.

    Raises:
      ValueError: the leaves are of a model with another state.
    """
    wanted = [
      ((1, *leaf.shape[1:]), leaf.dtype)
      for leaf in jax.tree.leaves(self._states[0])
    ]
    if [(leaf.shape, leaf.dtype) for leaf in leaves] != wanted:
      raise ValueError(
        "the state is not that of a session of this model: it has other "
        "leaves, shapes or types."
      )
    rows = self._door.rows
    self._put(row, [np.repeat(leaf, rows, axis=0) for leaf in leaves])

  def _put(self, row: int, leaves: Sequence[jax.Array | np.ndarray]) -> None:
    """Takes the first row of a state of the door in."""
    part, place = divmod(row, self._width)
    held = jax.tree.leaves(self._states[part])
    leaves = [
      leaf
      if isinstance(leaf, jax.Array)
      # JAX may use the memory of NumPy for its own, so it is given a copy.
      else jax.device_put(np.array(leaf, copy=True), where)
      for leaf, where in zip(leaves, self._places, strict=True)
    ]
    held = self._set(held, leaves, self._number(place))
    self._states[part] = self._shape.unflatten(held)

  def _number(self, row: int) -> jax.Array:
    where = self._programs.where
    if where is not None:
      where = NamedSharding(where.mesh, PartitionSpec())
    return jax.device_put(np.asarray(row, np.int32), where)

  def _compile(self, model: Model) -> None:
    """Compiles the copies between rows."""

    def take(leaves, row):
      return [
        jax.lax.dynamic_slice_in_dim(leaf, row, 1, axis=0) for leaf in leaves
      ]

    def put(leaves, ones, row):
      return [
        jax.lax.dynamic_update_slice_in_dim(leaf, one[:1], row, axis=0)
        for leaf, one in zip(leaves, ones, strict=True)
      ]

    where = self._programs.where
    whole = where and NamedSharding(where.mesh, PartitionSpec())
    held, zero = jax.tree.leaves(self._states[0]), self._number(0)
    ones = jax.tree.leaves(self._door.open(model.params, 0))
    self._places = [leaf.sharding for leaf in ones]
    self._take = jax.jit(take, out_shardings=whole).lower(held, zero).compile()
    stay = where and [leaf.sharding for leaf in held]
    copy = jax.jit(put, donate_argnums=0, out_shardings=stay)
    self._set = copy.lower(held, ones, zero).compile()
    # The first call of a program is slow, and is nobody's.
    self.save(0)
    self.join(0, 0)
