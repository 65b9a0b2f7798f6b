"""New positions behind a context, side by side with `transformers`.

    context   what was read before, in a cache
    append    16 more positions at once, with the logits of all

Every layer looks at everything, on both sides, and no position is dropped by
any expert. Each call begins behind the same context. All rows of a batch have
the same context, and new positions of their own.

Behind it, what a token costs with twice as many experts, of which as many are
chosen.
"""

import dataclasses
import functools
import gc
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from interaction_jax.core import sharding
from interaction_jax.core.params import Params
from interaction_jax.evals.bench import peer as peers
from interaction_jax.evals.bench import subject, timing, train
from interaction_jax.evals.bench.peer import Peer
from interaction_jax.evals.bench.timing import Row, Task, Times
from interaction_jax.model import config, language
from interaction_jax.model.backbone import memory
from interaction_jax.model.backbone.memory import BackboneMemory, LayerMemory
from interaction_jax.model.config import InteractionConfig

NEW: Final = 16
"""Positions that are appended: a turn brings about as many."""

BATCHES: Final = (1, 8)
CONTEXTS: Final = (0, 1024, 4096)

_HALF: Final = 0.5
"""The goal beside Inkling, everywhere."""

_GOALS: Final = {
  ("bfloat16", 1, 1024): 1.07,
  ("float32", 1, 1024): 0.72,
  ("bfloat16", 8, 1024): 0.95,
  ("bfloat16", 8, 4096): 0.52,
}
"""Those beside the fastest Qwen3-MoE, by dtype, batch and context."""

_DOUBLED: Final = 1.05
"""The goal of a token with twice as many experts."""

_SAME: Final = 1e-2
"""What two calls may differ by, in parts of the rms; they are alike."""


@runtime_checkable
class Reads(Protocol):
  """One that appends, ours or a peer."""

  def rewind(self) -> None:
    """Forgets all that came behind the context."""

  def __call__(self) -> Any:
    """Appends the positions; gives the logits of all."""

  def logits(self) -> Float[np.ndarray, "B T V"]:
    """The same in NumPy, from the context on."""
    ...


def remembering(
  cfg: InteractionConfig, *, context: int, new: int, dtype: str
) -> InteractionConfig:
  """The model that looks at everything, with no more memory than it needs."""
  everywhere = tuple(range(cfg.backbone.num_layers))
  return dataclasses.replace(
    cfg,
    backbone=dataclasses.replace(cfg.backbone, global_layers=everywhere),
    memory=config.MemoryConfig(
      pinned=1, text=context + new, media=1, block=new
    ),
    dtype=dtype,
    param_dtype=dtype,
  )


def read(
  params: Params, ids: Int[np.ndarray, " T"], *, cfg: InteractionConfig
) -> BackboneMemory:
  """The memory of a model that has read one text."""
  block = cfg.memory.block
  past = memory.empty(cfg.backbone, cfg.memory, 1, cfg.dtype)
  for start in range(0, len(ids), block):
    piece = ids[None, start : start + block]
    real = np.arange(block)[None] < piece.shape[1]
    piece = np.pad(piece, ((0, 0), (0, block - piece.shape[1])))
    past, _ = _program(cfg)(params, past, piece, real)
  return past


class Reader:
  """Ours. Keys and values stay where they are; what is new is overwritten."""

  def __init__(
    self,
    params: Params,
    past: BackboneMemory,
    ids: Int[np.ndarray, "B T"],
    *,
    cfg: InteractionConfig,
  ):
    """Starts behind a context.

    Args:
      past: of one row; all have read the same.

    Raises:
      ValueError: the memory would forget something.
    """
    length = int(past.length[0]) + ids.shape[1]
    if length > cfg.memory.text:
      raise ValueError(
        f"memory.text={cfg.memory.text} is less than {length} positions."
      )
    self._run, self._params = _program(cfg), params
    self._ids, self._real = jnp.asarray(ids), jnp.ones(ids.shape, bool)
    wide = _widened(past, len(ids))
    self._begin = _with(wide, (LayerMemory(),) * len(past.layers))
    self._past = _with(_widened(self._begin, 1), wide.layers)

  def rewind(self) -> None:
    """Forgets all that came behind the context."""
    # A donated buffer is gone, and so all but the rings is copied.
    fresh = jax.block_until_ready(_widened(self._begin, 1))
    self._past = _with(fresh, self._past.layers)

  def __call__(self) -> Float[Array, "B T V"]:
    """Appends the positions; gives the logits of all."""
    self._past, logits = self._run(
      self._params, self._past, self._ids, self._real
    )
    return jax.block_until_ready(logits)

  def logits(self) -> Float[np.ndarray, "B T V"]:
    """The same in NumPy, from the context on."""
    self.rewind()
    return np.asarray(self(), np.float32)


def run(
  *,
  rounds: int,
  cfg: InteractionConfig | None = None,
  batches: Sequence[int] = BATCHES,
  contexts: Sequence[int] = CONTEXTS,
  dtypes: Sequence[str] = train.DTYPES,
  others: Sequence[Peer] | None = None,
  progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
  """Times ours beside each peer, cell by cell.

  Args:
    cfg: None: the one of `bench train`.
    others: None: those that are installed.
    progress: is told how many cells are done, and how many there are.

  Returns:
    `rows`; `failed`, the peers that could not run and why; and of every model
    its `parameters`, all and those of one token.

  Raises:
    ValueError: a cell is none.
  """
  cfg = train.language_model() if cfg is None else cfg
  if others is None:
    others = peers.installed(peers.READERS)
  _check(batches, contexts, dtypes)
  report: dict[str, Any] = {
    "new": NEW, "threads": os.cpu_count(), "parameters": {}, "rows": [],
    "failed": [],
  }  # fmt: skip
  done, total = 0, len(dtypes) * (len(contexts) * len(batches) + 1)
  for dtype in dtypes:
    whole = remembering(cfg, context=0, new=NEW, dtype=dtype)
    params = subject.weights(whole)
    models = {
      family: peers.make(family, whole, dtype=dtype)
      for family in sorted({one.family for one in others})
    }
    report["parameters"] = _counts(params, models, cfg=cfg)
    for context in contexts:
      inner = remembering(cfg, context=context, new=NEW, dtype=dtype)
      text = _drawn(cfg, (context,))
      past = read(params, text, cfg=inner)
      caches = {
        family: peers.read(model, text, room=NEW)
        for family, model in models.items()
      }
      for batch in batches:
        ids = _drawn(cfg, (batch, NEW))
        wide = {
          family: peers.Past(cache, batch) for family, cache in caches.items()
        }
        makers = {
          one.name: functools.partial(
            peers.Reader, one, models[one.family], wide[one.family], ids
          )
          for one in others
        }
        ours = Reader(params, past, ids, cfg=inner)
        times, failed = _measure(ours, makers, rounds)
        cell = {"dtype": dtype, "batch": batch, "context": context}
        report["rows"] += _rows(times, others, **cell)
        report["failed"] += [cell | one for one in failed]
        if others:
          peers.forget()
        done += 1
        progress(done, total)
    del params, models
    gc.collect()
    report["rows"].append(_doubled(cfg, dtype, rounds))
    done += 1
    progress(done, total)
  return report


def summary(report: Mapping[str, Any]) -> str:
  """The report as a person reads it."""
  lines = [timing.table(report["rows"])]
  lines += [
    f"{name}: {count['total'] / 1e6:.1f} M weights, "
    f"{count['active'] / 1e6:.1f} M a token"
    for name, count in report["parameters"].items()
  ]
  lines += [
    f"{one['peer']}, {one['dtype']}, batch {one['batch']}, context "
    f"{one['context']}: failed: {one['reason']}"
    for one in report["failed"]
  ]
  aimed = [row for row in report["rows"] if row["goal"] is not None]
  met = sum(row["met"] for row in aimed)
  lines.append(f"goals: {met} of {len(aimed)} met")
  lines += [
    f"missed: {row['what']}, batch {row['batch']}, context {row['context']}, "
    f"{row['peer']}: {row['ratio']:.2f} and not {row['goal']}"
    for row in aimed
    if not row["met"]
  ]
  return "\n".join(lines)


def active(total: int, *, cfg: InteractionConfig) -> int:
  """Weights that one token meets: its experts, and not the table it is in.

  Args:
    total: weights of a model of the sizes of `cfg`.
  """
  backbone, experts = cfg.backbone, cfg.backbone.experts
  unused = experts.num_routed - experts.num_chosen
  layers = backbone.num_layers - len(backbone.dense_layers)
  each = 3 * backbone.width * experts.width
  return total - layers * unused * each - cfg.text.table_size * backbone.width


def _check(
  batches: Sequence[int], contexts: Sequence[int], dtypes: Sequence[str]
) -> None:
  if any(batch < 1 for batch in batches):
    raise ValueError(f"batch={min(batches)} must be 1 or more.")
  if any(context < 0 for context in contexts):
    raise ValueError(f"context={min(contexts)} must be 0 or more.")
  for dtype in dtypes:
    if dtype not in train.DTYPES:
      known = ", ".join(train.DTYPES)
      raise ValueError(f"dtype={dtype!r} is none of: {known}.")


@functools.cache
def _program(cfg: InteractionConfig) -> Callable[..., Any]:
  """`language.append` of a model; the memory that it is given is used up."""
  run = functools.partial(language.append, cfg=cfg)
  return jax.jit(run, donate_argnums=1)


@functools.partial(jax.jit, static_argnums=1)
def _widened(past: BackboneMemory, batch: int) -> BackboneMemory:
  """A copy, each row as often as is said."""
  return jax.tree.map(lambda x: jnp.copy(jnp.repeat(x, batch, axis=0)), past)


def _with(past: BackboneMemory, rings: Sequence[LayerMemory]) -> BackboneMemory:
  """A memory with the keys and values of another."""
  layers = tuple(
    dataclasses.replace(layer, keys=ring.keys, values=ring.values)
    for layer, ring in zip(past.layers, rings, strict=True)
  )
  return dataclasses.replace(past, layers=layers)


def _drawn(cfg: InteractionConfig, shape: tuple[int, ...]) -> np.ndarray:
  rng = np.random.default_rng(len(shape))
  return rng.integers(0, cfg.text.vocab_size, shape, np.int32)


def _counts(
  params: Params, models: Mapping[str, Any], *, cfg: InteractionConfig
) -> dict[str, dict[str, int]]:
  """Weights of each model, all and those of one token."""
  used = ("backbone/", "embed/text/", "heads/text/")
  totals = {
    "ours": sum(
      leaf.size
      for name, leaf in sharding.by_name(params).items()
      # Selection biases are no weights to `transformers`.
      if name.startswith(used) and not name.endswith("selection_bias")
    )
  }
  for family, model in models.items():
    totals[family] = sum(one.numel() for one in model.parameters())
  return {
    name: {"total": total, "active": active(total, cfg=cfg)}
    for name, total in totals.items()
  }


def _measure(
  ours: Reads, makers: Mapping[str, Callable[[], Reads]], rounds: int
) -> tuple[dict[str, Times], list[dict[str, str]]]:
  """Times of all that can, and those that cannot with their reasons."""
  readers, failed = {"ours": _proved(ours)}, []
  for name, make in makers.items():
    try:
      readers[name] = _proved(make())
    # A compiler or a kernel that refuses is a result; torch's are these.
    except (ImportError, RuntimeError, TypeError, ValueError) as error:
      reason = f"{type(error).__name__}: {error}".splitlines()[0]
      failed.append({"peer": name, "reason": reason})
  tasks = {
    name: Task(lambda _, reader=reader: reader(), reader.rewind)
    for name, reader in readers.items()
  }
  return timing.measure(tasks, rounds=rounds), failed


def _proved(reader: Reads) -> Reads:
  """A reader that was seen to begin anew.

  Raises:
    RuntimeError: it does not.
  """
  first, second = reader.logits(), reader.logits()
  moved = np.sqrt(np.mean((second - first) ** 2) / np.mean(first**2))
  if not moved < _SAME:
    raise RuntimeError(f"called again it differs by {moved:.3g} of the rms.")
  return reader


def _rows(
  times: Mapping[str, Times],
  others: Sequence[Peer],
  *,
  dtype: str,
  batch: int,
  context: int,
) -> list[Row]:
  there = [one for one in others if one.name in times]
  rivals = [one.name for one in there if one.family == "Qwen3-MoE"]
  fastest = min(rivals, key=lambda name: times[name].median, default=None)

  def row(one: Peer | None) -> Row:
    beside = None if one is None else times[one.name]
    goal = None
    if one is not None and one.family == "Inkling":
      goal = _HALF
    elif one is not None and one.name == fastest:
      goal = _GOALS.get((dtype, batch, context))
    return aimed(
      f"append, {dtype}",
      times["ours"],
      dtype=dtype,
      batch=batch,
      context=context,
      peer=None if one is None else one.name,
      peer_times=beside,
      goal=goal,
    )

  return [row(one) for one in there or [None]]


def _doubled(cfg: InteractionConfig, dtype: str, rounds: int) -> Row:
  """A token of a model with twice the experts, beside one of the model."""
  readers = {}
  for times in (1, 2):
    experts = cfg.backbone.experts
    experts = dataclasses.replace(
      experts, num_routed=times * experts.num_routed
    )
    backbone = dataclasses.replace(cfg.backbone, experts=experts)
    larger = dataclasses.replace(cfg, backbone=backbone)
    larger = remembering(larger, context=0, new=1, dtype=dtype)
    params = subject.weights(larger)
    past = read(params, _drawn(cfg, (0,)), cfg=larger)
    name = f"{experts.num_routed} experts"
    readers[name] = Reader(params, past, _drawn(cfg, (1, 1)), cfg=larger)
  tasks = {
    name: Task(lambda _, reader=reader: reader(), reader.rewind)
    for name, reader in readers.items()
  }
  (few, fewer), (many, more) = timing.measure(tasks, rounds=rounds).items()
  return aimed(
    f"one token, {many}, {dtype}",
    more,
    dtype=dtype,
    batch=1,
    context=0,
    peer=f"ours, {few}",
    peer_times=fewer,
    goal=_DOUBLED,
  )


def aimed(what: str, ours: Times, *, goal: float | None, **more: Any) -> Row:
  """A row that says whether its goal is met.

  Args:
    goal: what the ratio may be at most; None: there is none.
    more: as `timing.row` takes it.
  """
  row = timing.row(what, ours, goal=goal, **more)
  return row | {"met": None if goal is None else row["ratio"] <= goal}
