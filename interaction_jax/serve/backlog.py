"""Whole conversations through a model, many at once: `step.stream` in batches.

    records   r0 r1 r2 r3 | r4 r5 ...        rows of a batch, each with its seed
    stretch   [see] turn turn [see] turn ...  one call of one compiled program

What a model does with a conversation is what `Session` would have done with
it, pushed as it was recorded; only its own voice is that of the model. A row
that is over stands still until the longest one of its batch is.
"""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, UInt8

from interaction_jax.core.params import Params
from interaction_jax.data import sight, transcript
from interaction_jax.data.form import Form
from interaction_jax.data.record import Record
from interaction_jax.data.sight import Sight
from interaction_jax.data.transcript import Tokens
from interaction_jax.model import state as states
from interaction_jax.model import step
from interaction_jax.model.config import InteractionConfig, SamplingConfig
from interaction_jax.model.state import SessionState
from interaction_jax.serve import models, programs
from interaction_jax.serve.models import Model
from interaction_jax.turns import clock
from interaction_jax.turns.schema import Media, TurnInput
from interaction_jax.turns.vocabulary import Vocabulary

Progress = Callable[[int, int], None]
"""Told how many conversations are done, of how many."""

_TURNS: Final = 24
"""Turns of one call, about: enough that the call itself costs nothing."""


@dataclasses.dataclass(frozen=True, eq=False)
class Conduct:
  """What a model did in one conversation, turn by turn.

  What turn j makes is audible in turn j + 1.

  Attributes:
    text: the tokens each turn wrote.
    speaks, gate: whether a turn makes a voice, and the logit of that.
    voice: what is audible, as long as the conversation: a silent turn first.
    turn_ms: what a turn of the whole batch took.
  """

  text: tuple[tuple[int, ...], ...]
  speaks: Bool[np.ndarray, " J"]
  gate: Float[np.ndarray, " J"]
  voice: Float[np.ndarray, " I"]
  turn_ms: float


@dataclasses.dataclass(frozen=True, eq=False)
class _Script:
  """What one session receives, by turn.

  Attributes:
    heard: sound, the last turn filled up with silence.
    read: tokens read in each turn.
    pinned: tokens of instructions, read before the first turn.
    seen: pictures.
    lost: shares of sound and of pictures that never came.
  """

  heard: Float[np.ndarray, "J W"]
  read: Tokens
  pinned: tuple[int, ...]
  seen: Sight
  lost: Float[np.ndarray, "J 2"]


def run(
  model: Model,
  records: Sequence[Record],
  *,
  seeds: Sequence[int],
  sampling: SamplingConfig = models.GREEDY,
  batch: int = 16,
  progress: Progress | None = None,
) -> Iterator[Conduct]:
  """Runs a model over conversations; yields what it did, in their order.

  Rows never touch each other, so a conversation has the same course whatever
  it shares a batch with; of batches of another size, sums may be rounded
  otherwise. Conversations of like length and kind next to each other cost
  least.

  Args:
    seeds: one for each conversation, of all that is drawn in it.
    batch: conversations at once. One program is compiled for each number, and
      runs for so many rows even where there are fewer.

  Raises:
    ValueError: instructions do not fit, or the numbers do not match.
  """
  if batch < 1:
    raise ValueError(f"batch={batch} must be 1 or more conversations at once.")
  if len(seeds) != len(records):
    raise ValueError(
      f"there are {len(records)} records and {len(seeds)} seeds; each record "
      "has one."
    )
  runner = _Runner(model, sampling, batch)
  for first in range(0, len(records), batch):
    part = records[first : first + batch]
    yield from runner.run(part, seeds[first : first + batch])
    if progress is not None:
      progress(first + len(part), len(records))


class _Runner:
  """The programs for one size of batch, compiled when they are needed."""

  def __init__(self, model: Model, sampling: SamplingConfig, batch: int):
    self._model, self._sampling, self._batch = model, sampling, batch
    every = model.cfg.video.every
    self._turns = every * max(1, _TURNS // every)

  def run(
    self, records: Sequence[Record], seeds: Sequence[int]
  ) -> list[Conduct]:
    """One batch; rows that are left over stand still."""
    cfg, words = self._model.cfg, self._model.words
    scripts = [_script(record, words, cfg) for record in records]
    sees = any(len(script.seen.frames) for script in scripts)
    padded = np.zeros(self._batch, np.uint32)
    padded[: len(seeds)] = seeds
    with self._mesh():
      state = self._pin(self._begin(padded), scripts)
      longest = max(record.num_turns for record in records)
      pieces, times = [], []
      for first in range(0, longest, self._turns):
        began = time.perf_counter()
        state, made = self._stretch(state, scripts, first, sees)
        pieces.append(jax.tree.map(np.asarray, made))
        times.append(time.perf_counter() - began)
    made = [np.concatenate(parts) for parts in zip(*pieces, strict=True)]
    # The median: a program may have been compiled first.
    ms = 1000 * float(np.median(times)) / self._turns
    return [
      _conduct(row, record, made, ms) for row, record in enumerate(records)
    ]

  def _mesh(self) -> contextlib.AbstractContextManager[object]:
    mesh = self._model.mesh
    return contextlib.nullcontext() if mesh is None else jax.set_mesh(mesh)

  def _place(self, tree: Any) -> Any:
    return programs.place(tree, self._model.mesh)

  def _begin(self, seeds: np.ndarray) -> SessionState:
    return self._place(_start(seeds, cfg=self._model.cfg))

  def _pin(
    self, state: SessionState, scripts: Sequence[_Script]
  ) -> SessionState:
    """Reads instructions, as many at a time as a block takes."""
    cfg = self._model.cfg
    room = max(1, cfg.memory.block - cfg.video.num_patches)
    longest = max(len(script.pinned) for script in scripts)
    for first in range(0, longest, room):
      parts = [script.pinned[first : first + room] for script in scripts]
      text, count = self._place(_table(parts, self._batch, room))
      told = Media(
        active=count > 0, text=text, num_text=count, pinned=count > 0
      )
      state = _absorb(self._model.params, state, told, cfg=cfg)
    return state

  def _stretch(
    self,
    state: SessionState,
    scripts: Sequence[_Script],
    first: int,
    sees: bool,
  ) -> tuple[SessionState, tuple[jax.Array, ...]]:
    cfg, shape = self._model.cfg, (self._turns, self._batch)
    turns = TurnInput(**self._place(_turns(scripts, first, shape, cfg)))
    pairs = None
    if sees:
      pairs = self._place(_seen(scripts, first, shape, cfg))
    return _stretch(
      self._model.params,
      state,
      turns,
      pairs,
      cfg=cfg,
      sampling=self._sampling,
    )


_start = jax.jit(states.start, static_argnames="cfg")
_absorb = jax.jit(step.absorb, static_argnames="cfg", donate_argnums=1)


@functools.partial(
  jax.jit, static_argnames=("cfg", "sampling"), donate_argnums=1
)
def _stretch(
  params: Params,
  state: SessionState,
  turns: TurnInput,
  pairs: tuple[jax.Array, jax.Array] | None,
  *,
  cfg: InteractionConfig,
  sampling: SamplingConfig,
) -> tuple[SessionState, tuple[jax.Array, ...]]:
  """Some turns; before every `video.every`-th, what there is to be seen."""

  def group(state, given):
    turns, pair = given
    if pair is not None:
      state = step.absorb(params, state, _media(*pair), cfg=cfg)
    state, made = step.stream(params, state, turns, cfg=cfg, sampling=sampling)
    kept = (made.text, made.num_text, made.speaks, made.gate, made.voice)
    return state, kept

  def fold(leaf):
    return leaf.reshape(-1, cfg.video.every, *leaf.shape[1:])

  turns = jax.tree.map(fold, turns)
  state, made = jax.lax.scan(group, state, (turns, pairs))
  return state, jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), made)


def _media(
  frames: UInt8[jax.Array, "B 2 _ _ 3"], has_frames: Bool[jax.Array, " B"]
) -> Media:
  """Pictures alone."""
  none = jnp.zeros(has_frames.shape, jnp.int32)
  return Media(
    active=has_frames,
    text=none[:, None],
    num_text=none,
    pinned=jnp.zeros(has_frames.shape, bool),
    frames=frames,
    has_frames=has_frames,
  )


def _conduct(
  row: int, record: Record, made: Sequence[np.ndarray], turn_ms: float
) -> Conduct:
  text, counts, speaks, gate, voice = (leaf[:, row] for leaf in made)
  num = record.num_turns
  # The first turn was made by nobody; what the last one makes is never heard.
  silence = np.zeros((1, clock.SAMPLES), np.float32)
  audible = np.concatenate([silence, voice[: num - 1]]).reshape(-1)
  return Conduct(
    text=tuple(
      tuple(line[:count].tolist())
      for line, count in zip(text[:num], counts[:num], strict=True)
    ),
    speaks=speaks[:num].copy(),
    gate=gate[:num].copy(),
    voice=audible[: len(record.heard)].copy(),
    turn_ms=turn_ms,
  )


# What goes in.


def _script(
  record: Record, words: Vocabulary, cfg: InteractionConfig
) -> _Script:
  num, video = record.num_turns, cfg.video
  form = Form(
    text_in=cfg.turn.text_in,
    rows=video.rows * video.patch,
    columns=video.columns * video.patch,
    every=video.every,
  )
  pinned = transcript.pinned(record, vocabulary=words)
  if len(pinned) > cfg.memory.pinned:
    raise ValueError(
      f"instructions have {len(pinned)} tokens, but memory.pinned="
      f"{cfg.memory.pinned}; shorter ones are wanted."
    )
  heard = np.zeros(num * clock.SAMPLES, np.float32)
  heard[: len(record.heard)] = record.heard
  gone = np.zeros(num * clock.SAMPLES, np.float32)
  for first, last in record.lost:
    gone[first:last] = 1
  seen = sight.pairs(record, num, form=form)
  lost = gone.reshape(num, clock.SAMPLES).mean(axis=1)
  return _Script(
    heard=heard.reshape(num, clock.SAMPLES),
    read=transcript.read(record, num, vocabulary=words, form=form),
    pinned=tuple(pinned),
    seen=seen,
    lost=np.stack([lost, seen.lost], axis=1),
  )


def _turns(
  scripts: Sequence[_Script],
  first: int,
  shape: tuple[int, int],
  cfg: InteractionConfig,
) -> dict[str, np.ndarray]:
  """Turns from `first` on of all rows; there are none where a row is over.

  Args:
    shape: how many turns, and rows.
  """
  num = shape[0]
  made = {
    "active": np.zeros(shape, bool),
    "heard": np.zeros((*shape, clock.SAMPLES), np.float32),
    "text": np.zeros((*shape, cfg.turn.text_in), np.int32),
    "num_text": np.zeros(shape, np.int32),
    "lost": np.zeros((*shape, 2), np.float32),
  }
  for row, script in enumerate(scripts):
    there = max(0, min(num, len(script.heard) - first))
    made["active"][:there, row] = True
    made["heard"][:there, row] = script.heard[first : first + there]
    made["lost"][:there, row] = script.lost[first : first + there]
    made["text"][:there, row] = script.read.table[first : first + there]
    made["num_text"][:there, row] = script.read.count[first : first + there]
  return made


def _seen(
  scripts: Sequence[_Script],
  first: int,
  shape: tuple[int, int],
  cfg: InteractionConfig,
) -> tuple[np.ndarray, np.ndarray]:
  """The pairs of every group of turns, and which rows have one."""
  video = cfg.video
  canvas = (video.rows * video.patch, video.columns * video.patch)
  groups = (shape[0] // video.every, shape[1])
  frames = np.zeros((*groups, video.frames, *canvas, 3), np.uint8)
  has = np.zeros(groups, bool)
  for row, script in enumerate(scripts):
    there = script.seen.pair_of[first : first + shape[0] : video.every]
    for group in np.flatnonzero(there >= 0):
      frames[group, row] = script.seen.frames[there[group]]
      has[group, row] = True
  return frames, has


def _table(
  parts: Sequence[Sequence[int]], batch: int, room: int
) -> tuple[np.ndarray, np.ndarray]:
  """Tokens in rows of one length, and how many of them are real."""
  text = np.zeros((batch, room), np.int32)
  count = np.zeros(batch, np.int32)
  for row, part in enumerate(parts):
    text[row, : len(part)], count[row] = part, len(part)
  return text, count
