"""A micro-turn and its parts.

    front end      samples of both voices to dMel levels
    backbone pass  the block of a turn, with room for all it may hold
    text step      one token: its pass, its logits, its choice
    flow           all Euler steps of the voice
    vocoder        200 ms of fine mel to samples
    turn, ...      the whole step, samples in and samples out

Which way a turn goes is decided by a few of the weights, so one program, the
one that serves, does all of them.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from interaction_jax.core.params import Params
from interaction_jax.evals.bench import parts, timing
from interaction_jax.evals.bench.timing import Row, Task
from interaction_jax.model import state as states
from interaction_jax.model import step as turns
from interaction_jax.model.config import InteractionConfig, SamplingConfig
from interaction_jax.model.state import SessionState
from interaction_jax.serve.models import Model
from interaction_jax.turns import clock
from interaction_jax.turns.schema import TurnInput


@dataclasses.dataclass(frozen=True)
class Way:
  """How a turn goes.

  Attributes:
    tokens: written in it, 0 or 1.
  """

  tokens: int
  speaks: bool


WAYS: Final = {
  "listening": Way(0, False),
  "writing 1 token": Way(1, False),
  "speaking": Way(0, True),
}

Step = Callable[..., Any]


def run(
  model: Model,
  *,
  batches: Sequence[int] = (1,),
  rounds: int,
  sampling: SamplingConfig = turns.GREEDY,
) -> list[Row]:
  """Times the parts and the whole, with empty and with full memories."""
  rows = []
  for batch in batches:
    if batch < 1:
      raise ValueError(f"batch={batch} must be 1 or more.")
    rows += _batch(model, batch, rounds, sampling)
  return rows


@functools.cache
def program(cfg: InteractionConfig, sampling: SamplingConfig) -> Step:
  """The step of a model, jitted; the state that it is given is used up."""
  step = functools.partial(turns.step, cfg=cfg, sampling=sampling)
  return jax.jit(step, donate_argnums=1)


def steered(
  params: Params, way: Way, *, cfg: InteractionConfig, strength: float
) -> Params:
  """The parameters of a model that goes one way whatever it hears.

  What is heard is pushed along the first axis of the residual stream, and
  what was written against it; END is likely on one side, and all other tokens
  are as likely as each other.

  Args:
    strength: of the push. If it is too small, other things decide.
  """
  heads, embed = params["heads"], params["embed"]
  streams, gate = embed["streams"], heads["gate"]
  moved = {
    "heard": streams["heard"].at[0].add(strength),
    "written": streams["written"].at[0].add(-strength),
  }
  # The scale of the last norm may turn the axis round.
  side = jnp.sign(params["backbone"]["norm"][0])
  end = side if way.tokens == 0 else -side
  table = jnp.zeros_like(heads["text"]["table"])
  table = table.at[cfg.text.first_control or 0, 0].set(end)
  bias = jnp.full_like(gate["bias"], 1e9 if way.speaks else -1e9)
  return {
    **params,
    "embed": {**embed, "streams": {**streams, **moved}},
    "heads": {
      **heads,
      "text": {**heads["text"], "table": table},
      "gate": {**gate, "bias": bias},
    },
  }


def full(
  step: Step, params: Params, state: SessionState, *, cfg: InteractionConfig
) -> SessionState:
  """Hears and reads until the memories of text and media are full."""
  batch = state.turn.shape[0]
  reading = dataclasses.replace(
    _turn(cfg, batch), num_text=jnp.full((batch,), cfg.turn.text_in, jnp.int32)
  )
  while float(states.usage(state, cfg=cfg)[:, 1:].min()) < 1:
    for _ in range(16):
      state, _ = step(params, state, reading)
  return state


def context(state: SessionState, *, cfg: InteractionConfig) -> int:
  """Positions that global layers remember of the first session."""
  keep = (cfg.memory.pinned, cfg.memory.text, cfg.memory.media)
  return int(np.minimum(np.asarray(state.memory.counts)[0], keep).sum())


def _batch(
  model: Model, batch: int, rounds: int, sampling: SamplingConfig
) -> list[Row]:
  cfg = model.cfg
  step = program(cfg, sampling)
  begin = jax.jit(functools.partial(states.start, cfg=cfg))
  start = begin(np.arange(batch, dtype=np.uint32))
  talking = steered(model.params, WAYS["speaking"], cfg=cfg, strength=0.0)
  filled = full(step, talking, _copy(start), cfg=cfg)
  ways = {
    name: steer(step, model.params, (start, filled), way, cfg)
    for name, way in WAYS.items()
  }
  rows = []
  for state in (start, filled):
    arguments = parts.arguments(state, cfg=cfg, sampling=sampling)
    tasks = {
      name: part_of(part, model.params, arguments[name])
      for name, part in parts.programs(cfg, sampling).items()
    }
    for name, params in ways.items():
      tasks[f"turn, {name}"] = whole(step, params, state, cfg)
    times = timing.measure(tasks, rounds=rounds)
    held = context(state, cfg=cfg)
    rows += [
      timing.row(name, ms, dtype=cfg.dtype, batch=batch, context=held)
      for name, ms in times.items()
    ]
  return rows


def steer(
  step: Step,
  params: Params,
  begins: Sequence[SessionState],
  way: Way,
  cfg: InteractionConfig,
) -> Params:
  """Steers as gently as does, so that experts are chosen as ever."""
  strength = 8.0
  while strength < 1e5:
    moved = steered(params, way, cfg=cfg, strength=strength)
    if all(_goes(step, moved, _copy(one), way, cfg) for one in begins):
      return moved
    strength *= 2
  raise RuntimeError(f"{way} is a way that this model cannot be made to go.")


def _goes(
  step: Step,
  params: Params,
  state: SessionState,
  way: Way,
  cfg: InteractionConfig,
) -> bool:
  """Whether a few turns all go the way that is wanted."""
  for _ in range(4):
    state, out = step(params, state, _turn(cfg, state.turn.shape[0]))
    wrote = np.asarray(out.num_text) == way.tokens
    if not (wrote & (np.asarray(out.speaks) == way.speaks)).all():
      return False
  return True


def whole(
  step: Step,
  params: Params,
  state: SessionState,
  cfg: InteractionConfig,
  *,
  num_turns: int = 1,
) -> Task:
  """Turns from samples on the host to samples on the host."""
  turn = _turn(cfg, state.turn.shape[0])
  samples = np.array(turn.heard)

  def call(state: SessionState) -> list[np.ndarray]:
    made = []
    for _ in range(num_turns):
      heard = dataclasses.replace(turn, heard=jax.device_put(samples))
      state, out = step(params, state, heard)
      made.append(np.asarray(out.voice))
    return made

  return Task(call, functools.partial(_copy, state))


def part_of(
  part: Callable[..., Any], params: Params, arguments: tuple[Any, ...]
) -> Task:
  """A part of a turn; its first argument is used up, and so made anew.

  Args:
    arguments: what it takes behind the parameters.
  """
  first, *others = arguments
  # A copy of their own, since they may be parts of what is used up.
  others = _copy(others)

  def call(fresh: Any) -> object:
    return jax.block_until_ready(part(params, fresh, *others))

  return Task(call, functools.partial(_copy, first))


def _turn(cfg: InteractionConfig, batch: int) -> TurnInput:
  """A turn in which all hear noise and read nothing."""
  heard = np.random.default_rng(1).normal(0, 0.1, (batch, clock.SAMPLES))
  return TurnInput(
    active=jnp.ones((batch,), bool),
    heard=jnp.asarray(heard, jnp.float32),
    text=jnp.zeros((batch, cfg.turn.text_in), jnp.int32),
    num_text=jnp.zeros((batch,), jnp.int32),
  )


def _copy(tree: Any) -> Any:
  return jax.block_until_ready(_copied(tree))


@jax.jit
def _copied(tree: Any) -> Any:
  return jax.tree.map(jnp.copy, tree)
