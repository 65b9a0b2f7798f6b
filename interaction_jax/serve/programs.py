"""The two programs of sessions, compiled ahead, and kept for the next start.

Both have one shape, rows of which each is a session or nobody's. What would
need another one is refused by JAX instead of being compiled in the middle of a
conversation. They are kept whole, as the compilation cache of JAX does not keep
them: tracing takes longer than all else that happens before the first turn.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import UInt8

from interaction_jax.core import settings, sharding
from interaction_jax.core.params import Params
from interaction_jax.model import state as states
from interaction_jax.model import step
from interaction_jax.model.config import InteractionConfig, SamplingConfig
from interaction_jax.model.state import SessionState
from interaction_jax.serve import machine
from interaction_jax.serve.conversation import Ready
from interaction_jax.turns import clock
from interaction_jax.turns.schema import Media, TurnInput

_KEEP: Final = 8
"""Files of programs that stay; older ones go when a new one is written."""


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
  """A compiled function of trees.

  Attributes:
    run: the same, from lists of arrays to a list of arrays. JAX describes
      arguments by trees like theirs that hold no arrays, which classes with
      typed fields need not accept.
    result: the tree of what comes out.
  """

  run: jax.stages.Compiled
  result: Any

  def __call__(self, *trees: Any) -> Any:
    """Calls the function; shapes other than its own are refused."""
    return self.result.unflatten(self.run(*map(jax.tree.leaves, trees)))


@dataclasses.dataclass(frozen=True)
class Programs:
  """What runs the sessions of some rows.

  Attributes:
    begin: seeds to state.
    absorb: (params, state, media) to state; the old state is used up.
    step: (params, state, turn) to state and output; so is it here.
    rows: how many sessions there may be.
    text_room: tokens that one `absorb` takes.
    turn, media: inputs in which there is nothing, to be filled in.
    where: rows lie on a mesh; None: on one device.
  """

  begin: Program
  absorb: Program
  step: Program
  rows: int
  text_room: int
  turn: TurnInput
  media: Media
  where: NamedSharding | None = None

  def open(
    self, params: Params, seed: int, pinned: Sequence[int] = ()
  ) -> SessionState:
    """New sessions, all alike; the first one has read its instructions."""
    state = self.begin(_put(np.full(self.rows, seed, np.uint32), self.where))
    for start in range(0, len(pinned), self.text_room):
      part = pinned[start : start + self.text_room]
      text, count = self._table({0: part}, self.text_room)
      media = self._filled(
        self.media,
        active=_marks(self.rows, [0]),
        text=text,
        num_text=count,
        pinned=_marks(self.rows, [0]),
      )
      state = self.absorb(params, state, media)
    return state

  def heard(self, ready: Mapping[int, Ready]) -> TurnInput:
    """A turn for the rows that have one; the others stand still."""
    tokens = {row: one.tokens for row, one in ready.items()}
    text, count = self._table(tokens, self.turn.text.shape[1])
    sound = np.zeros((self.rows, clock.SAMPLES), np.float32)
    lost = np.zeros((self.rows, 2), np.float32)
    for row, one in ready.items():
      sound[row], lost[row] = one.heard, one.lost
    active = _marks(self.rows, ready)
    return self._filled(
      self.turn,
      active=active,
      heard=sound,
      text=text,
      num_text=count,
      lost=lost,
    )

  def seen(self, pairs: Mapping[int, UInt8[np.ndarray, "2 _ _ 3"]]) -> Media:
    """Pairs of pictures for the rows that have one."""
    assert self.media.frames is not None
    frames = np.zeros(self.media.frames.shape, np.uint8)
    for row, pair in pairs.items():
      frames[row] = pair
    there = _marks(self.rows, pairs)
    return self._filled(
      self.media, active=there, frames=frames, has_frames=there
    )

  def _filled(self, blank: Any, **fields: np.ndarray) -> Any:
    placed = {name: _put(one, self.where) for name, one in fields.items()}
    return dataclasses.replace(blank, **placed)

  def _table(
    self, tokens: Mapping[int, Sequence[int]], length: int
  ) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of some rows, and how many of them are real."""
    text = np.zeros((self.rows, length), np.int32)
    count = np.zeros(self.rows, np.int32)
    for row, part in tokens.items():
      text[row, : len(part)], count[row] = part, len(part)
    return text, count


def compile(
  params: Params,
  *,
  cfg: InteractionConfig,
  sampling: SamplingConfig,
  rows: int = 1,
  mesh: Mesh | None = None,
  cache: Path | None = None,
) -> Programs:
  """Compiles the programs, or reads those of an earlier start.

  Args:
    params: where they lie says where the programs run.
    rows: how many sessions there may be.
    cache: the folder in which they are kept; None: they are not. On a mesh
      they never are.

  Raises:
    ValueError: `memory.block` has no room for a pair of frames, or the rows
      cannot be split over the mesh.
  """
  room = cfg.memory.block - cfg.video.num_patches
  if room < 1:
    raise ValueError(
      f"memory.block={cfg.memory.block} has no room for a pair of frames, "
      f"{cfg.video.num_patches} positions, and a token; "
      f"{cfg.video.num_patches + cfg.turn.text_in} would do."
    )
  where = None
  if mesh is not None:
    where = sharding.place("B", (rows,), mesh)
  blank: dict[str, Any] = {
    "rows": rows,
    "text_room": room,
    "turn": _put(_blank_turn(cfg, rows), where),
    "media": _put(_blank_media(cfg, room, rows), where),
    "where": where,
  }
  file = None
  if cache is not None and mesh is None:
    file = cache / _file_name(params, cfg, sampling, rows)
    kept = _read(file)
    if kept is not None:
      kept = Programs(**kept, **blank)
      if _works(kept, params):
        return kept
  with contextlib.nullcontext() if mesh is None else jax.set_mesh(mesh):
    compiled = _compile(params, cfg, sampling, **blank)
  if file is not None:
    _write(file, compiled)
  programs = Programs(**compiled, **blank)
  _try(programs, params)
  return programs


def _try(programs: Programs, params: Params) -> None:
  """Calls each program: the first call is slow, and is nobody's turn."""
  state = programs.open(params, 0)
  state = programs.absorb(params, state, programs.media)
  jax.block_until_ready(programs.step(params, state, programs.turn))


def _works(programs: Programs, params: Params) -> bool:
  try:
    _try(programs, params)
  except RuntimeError:
    # Some platforms read back what they then cannot run.
    return False
  return True


def place(tree: Any, mesh: Mesh | None = None) -> Any:
  """Copies arrays of a session to where the programs expect them."""
  return _put(tree, mesh and NamedSharding(mesh, PartitionSpec()))


def _put(tree: Any, where: NamedSharding | None) -> Any:
  # JAX may use the memory of NumPy for its own, so it is given a copy; what
  # jnp.array does instead is compiled for every shape.
  return jax.tree.map(
    lambda leaf: jax.device_put(np.array(leaf, copy=True), where), tree
  )


def _marks(rows: int, real: Iterable[int]) -> np.ndarray:
  """Which rows are among `real`."""
  marks = np.zeros(rows, bool)
  marks[list(real)] = True
  return marks


def _compile(
  params: Params,
  cfg: InteractionConfig,
  sampling: SamplingConfig,
  *,
  rows: int,
  turn: TurnInput,
  media: Media,
  where: NamedSharding | None,
  **_: Any,
) -> dict[str, Program]:
  begin = functools.partial(states.start, cfg=cfg)
  seed = _put(np.zeros((rows,), np.uint32), where)
  places = []
  if where is not None:
    places = states.places(rows, where.mesh, cfg=cfg)

  def compiled(run: Callable[..., Any], *trees: Any, **more: Any) -> Program:
    shapes = [jax.tree.structure(tree) for tree in trees]
    results = []

    def flat(*leaves: list[jax.Array]) -> list[jax.Array]:
      pairs = zip(shapes, leaves, strict=True)
      result = run(*(shape.unflatten(part) for shape, part in pairs))
      results.append(jax.tree.structure(result))
      return jax.tree.leaves(result)

    lists = [jax.tree.leaves(tree) for tree in trees]
    if where is not None:
      # A state lies where the next call expects it, and comes out first.
      others = len(jax.eval_shape(flat, *lists)) - len(places)
      more["out_shardings"] = [*places, *[where] * others]
    lowered = jax.jit(flat, **more).lower(*lists)
    return Program(lowered.compile(), results[0])

  started = compiled(begin, seed)
  absorb = functools.partial(step.absorb, cfg=cfg)
  advance = functools.partial(step.step, cfg=cfg, sampling=sampling)
  session = started(seed)
  return {
    "begin": started,
    "absorb": compiled(absorb, params, session, media, donate_argnums=1),
    "step": compiled(advance, params, session, turn, donate_argnums=1),
  }


def _file_name(
  params: Params, cfg: InteractionConfig, sampling: SamplingConfig, rows: int
) -> str:
  """A name that depends on all that the programs are made from.

  Those are settings, parameters, machine, versions and source.
  """
  shapes = {
    name: [str(leaf.dtype), list(leaf.shape)]
    for name, leaf in sharding.by_name(params).items()
  }
  plain = [settings.to_dict(part) for part in (cfg, sampling)]
  today = machine.describe() | {"source": machine.source(machine.PROGRAMS)}
  made_from = [plain, rows, today, shapes]
  digest = hashlib.sha256(json.dumps(made_from).encode())
  return f"{digest.hexdigest()[:32]}.programs"


def _read(file: Path) -> dict[str, Program] | None:
  from jax.experimental import serialize_executable

  if not file.is_file():
    return None
  try:
    # Only files that this module wrote lie in the user's own cache.
    parts = pickle.loads(file.read_bytes())
    return {
      name: Program(serialize_executable.deserialize_and_load(*part), result)
      for name, (part, result) in parts.items()
    }
  except (EOFError, RuntimeError, ValueError, pickle.UnpicklingError):
    # Cut short when it was written; it is compiled and written again.
    return None


def _write(file: Path, compiled: dict[str, Program]) -> None:
  from jax.experimental import serialize_executable

  try:
    parts = {
      name: (serialize_executable.serialize(program.run), program.result)
      for name, program in compiled.items()
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_bytes(pickle.dumps(parts))
    draft.replace(file)
    files = sorted(
      file.parent.glob("*.programs"), key=lambda one: one.stat().st_mtime
    )
    for old in files[:-_KEEP]:
      old.unlink(missing_ok=True)
  except (OSError, ValueError):
    # A full disk, or a platform whose programs cannot be written: the next
    # start compiles again.
    return


def _blank_turn(cfg: InteractionConfig, rows: int) -> TurnInput:
  """A turn in which all are there, and nothing is heard or read."""
  return TurnInput(
    active=place(np.ones((rows,), bool)),
    heard=_zeros((rows, clock.SAMPLES), np.float32),
    text=_zeros((rows, cfg.turn.text_in), np.int32),
    num_text=_zeros((rows,), np.int32),
    lost=_zeros((rows, 2), np.float32),
  )


def _blank_media(cfg: InteractionConfig, text_room: int, rows: int) -> Media:
  """Media of all rows with neither text nor video in them."""
  video = cfg.video
  canvas = (video.rows * video.patch, video.columns * video.patch)
  return Media(
    active=place(np.ones((rows,), bool)),
    text=_zeros((rows, text_room), np.int32),
    num_text=_zeros((rows,), np.int32),
    pinned=_zeros((rows,), np.bool_),
    frames=_zeros((rows, video.frames, *canvas, video.channels), np.uint8),
    has_frames=_zeros((rows,), np.bool_),
  )


def _zeros(shape: tuple[int, ...], kind: Any) -> jax.Array:
  return place(np.zeros(shape, kind))
