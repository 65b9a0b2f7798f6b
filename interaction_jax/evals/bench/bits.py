"""Which ways to compute the same give the same bits; how far others are apart.

    stream, episode     `step` over turns as a model makes them, and `forward`
                        over what became of them
    alone, in company   a session whose neighbours stand still, and one whose
                        neighbours talk, in one program
    one row, four rows  a turn in programs of two shapes, from the same state

Distances are in ulps of the root mean square of what is compared: what is near
nothing has ulps that are nothing.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from interaction_jax.core.params import Params
from interaction_jax.model import state as states
from interaction_jax.model import step as turns
from interaction_jax.model.config import InteractionConfig
from interaction_jax.model.forward import forward
from interaction_jax.model.state import SessionState
from interaction_jax.serve.models import Model
from interaction_jax.train import losses
from interaction_jax.turns import clock
from interaction_jax.turns.schema import Episode, TurnInput, TurnOutput

Row = dict[str, Any]
"""One comparison, as JSON holds it."""

DTYPES: Final = ("float32", "bfloat16")

_ROWS: Final = 4
_APART: Final = 37
"""Turns by which a session is ahead of the one before it."""

_BITS: Final = {"float32": 23, "bfloat16": 7}
"""Of the fraction of a number."""


def run(
  model: Model,
  sound: np.ndarray,
  *,
  num_turns: int = 100,
  dtypes: Sequence[str] = DTYPES,
  progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
  """Compares all of them.

  Args:
    sound: what is heard, samples at 16 kHz; each session begins elsewhere.
    dtypes: in which is computed; weights are float32.

  Returns:
    `rows`.

  Raises:
    ValueError: there is no whole turn of sound.
  """
  if len(sound) < clock.SAMPLES:
    raise ValueError(
      f"sound of {len(sound)} samples is less than a turn of {clock.SAMPLES}."
    )
  params = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), model.params)
  rows = []
  for done, dtype in enumerate(dtypes):
    cfg = dataclasses.replace(model.cfg, dtype=dtype)
    heard = _heard(sound, num_turns)
    rows += [one | {"dtype": dtype} for one in _compared(params, heard, cfg)]
    progress(done + 1, len(dtypes))
  return {"turns": num_turns, "sessions": _ROWS, "rows": rows}


def apart(one: np.ndarray, other: np.ndarray, *, dtype: str) -> Row:
  """How far apart numbers are.

  Returns:
    `n`; `equal`, the share of those that are the same; `median`, `p99` and
    `most`, in ulps of the root mean square.
  """
  one, other = (np.asarray(x, np.float32).ravel() for x in (one, other))
  size = float(np.sqrt(np.mean(np.square(one, dtype=np.float64))))
  exponent = np.floor(np.log2(size)) if size else 0.0
  ulps = np.abs(one.astype(np.float64) - other) / 2 ** (exponent - _BITS[dtype])
  return {
    "n": one.size,
    "equal": float(np.mean(one == other)),
    "median": float(np.median(ulps)),
    "p99": float(np.percentile(ulps, 99)),
    "most": float(ulps.max()),
  }


def summary(report: Mapping[str, Any]) -> str:
  """The report as a person reads it."""
  lines = [
    "                                       equal   median     p99    most"
  ]
  for row in report["rows"]:
    name = f"{row['what']}, {row['of']}, {row['dtype']}"
    lines.append(
      f"{name:44s} {100 * row['equal']:6.2f}% {row['median']:8.2f} "
      f"{row['p99']:7.1f} {row['most']:7.1f}"
    )
  return "\n".join(lines)


def _heard(sound: np.ndarray, num_turns: int) -> np.ndarray:
  """What each session hears, turn by turn."""
  whole = len(sound) // clock.SAMPLES
  pieces = np.asarray(sound[: whole * clock.SAMPLES], np.float32)
  pieces = pieces.reshape(whole, clock.SAMPLES)
  index = np.arange(num_turns)[:, None] + _APART * np.arange(_ROWS)
  return pieces[index % whole]


@dataclasses.dataclass(frozen=True)
class _Run:
  """What sessions made, a leading axis of turns.

  Attributes:
    after: the state after the last one.
  """

  out: TurnOutput
  logits: np.ndarray
  hidden: np.ndarray
  after: SessionState

  @classmethod
  def of(cls, made: Sequence[Any]) -> "_Run":
    """From states, outputs and traces, in order."""
    states, outs, traces = zip(*made, strict=True)
    return cls(
      jax.tree.map(lambda *leaves: jnp.stack(leaves), *outs),
      np.stack([np.asarray(one.logits, np.float32) for one in traces]),
      np.stack([np.asarray(one.hidden, np.float32) for one in traces]),
      states[-1],
    )


def _compared(
  params: Params, heard: np.ndarray, cfg: InteractionConfig
) -> list[Row]:
  step = jax.jit(
    functools.partial(
      turns.traced_step, cfg=cfg, sampling=turns.GREEDY, loop="scan"
    )
  )
  everyone = np.ones(_ROWS, bool)
  together, single = _walk(step, params, heard, everyone, cfg)
  alone, _ = _walk(step, params, heard, np.arange(_ROWS) == 0, cfg)
  episode = _episode(together, heard, cfg)
  seen = jax.jit(functools.partial(forward, cfg=cfg))(params, episode)
  _, free = losses.choices(episode, cfg=cfg)
  free = np.asarray(free)
  by_turn = np.moveaxis(together.logits, 0, 1)
  dtype = cfg.dtype

  def row(what: str, of: str, one: Any, other: Any) -> Row:
    given = (np.asarray(x, np.float32) for x in (one, other))
    return {"what": what, "of": of} | apart(*given, dtype=dtype)

  rows = [
    row("stream and episode", "logits", by_turn[free], seen.logits[free]),
    row("stream and episode", "gate", together.out.gate.T, seen.gate),
    row(
      "stream and episode",
      "hidden",
      np.moveaxis(together.hidden, 0, 1),
      seen.hidden,
    ),
  ]
  for what, other in (
    ("alone and in company", alone),
    ("one row and four rows", single),
  ):
    rows += [
      row(what, "logits", together.logits[:, 0], other.logits[:, 0]),
      row(what, "mel", together.out.mel[:, 0], other.out.mel[:, 0]),
      row(what, "memory", *map(_memory, (together.after, other.after))),
    ]
  return rows


def _walk(
  step: Callable[..., Any],
  params: Params,
  heard: np.ndarray,
  active: np.ndarray,
  cfg: InteractionConfig,
) -> tuple[_Run, _Run]:
  """Sessions over all turns, those that are active.

  Returns:
    What they made; and what the first one makes of each turn by itself, each
    time in the state in which it is among the others.
  """
  state = states.start(jnp.arange(len(active), dtype=jnp.uint32), cfg=cfg)
  made, single = [], []
  for now in heard:
    turn = TurnInput(
      active=jnp.asarray(active),
      heard=jnp.asarray(now),
      text=jnp.zeros((len(active), cfg.turn.text_in), jnp.int32),
      num_text=jnp.zeros((len(active),), jnp.int32),
    )
    first = jax.tree.map(lambda leaf: leaf[:1], (state, turn))
    # What a session remembers is large; that of the last turn is compared.
    for kept, given in ((made, (state, turn)), (single, first)):
      kept[-1:] = [(None, *one[1:]) for one in kept[-1:]]
      kept.append(step(params, *given))
    state = made[-1][0]
  return _Run.of(made), _Run.of(single)


def _episode(made: _Run, heard: np.ndarray, cfg: InteractionConfig) -> Episode:
  """What sessions heard and made, as a recording of it."""
  num_turns, batch = heard.shape[:2]
  out = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 1), made.out)
  silence = jnp.zeros((batch, 1, clock.SAMPLES), jnp.float32)
  none = jnp.zeros((batch, num_turns), jnp.int32)
  return Episode(
    start=jnp.zeros((batch,), jnp.int32),
    num_turns=jnp.full((batch,), num_turns, jnp.int32),
    heard=jnp.moveaxis(jnp.asarray(heard), 0, 1),
    voice=jnp.concatenate([silence, out.voice[:, :-1]], axis=1),
    speaks=out.speaks,
    mel=out.mel,
    text_in=jnp.zeros((batch, num_turns, cfg.turn.text_in), jnp.int32),
    num_text_in=none,
    text_out=out.text,
    num_text_out=out.num_text,
    pinned=jnp.zeros((batch, 1), jnp.int32),
    num_pinned=jnp.zeros((batch,), jnp.int32),
  )


def _memory(state: SessionState) -> np.ndarray:
  """All numbers that the first session remembers."""
  leaves = [
    np.asarray(leaf[0], np.float32).ravel()
    for leaf in jax.tree.leaves(state.memory)
    if jnp.issubdtype(leaf.dtype, jnp.floating)
  ]
  return np.concatenate(leaves)
