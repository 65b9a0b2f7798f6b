"""200 ms of conversation, beside Moshi, which lives in frames of 80 ms.

    all of it        ours: samples in, front end, pass, a token, flow, vocoder,
                     samples out; theirs: Mimi's encoder, the language model
                     with its depth decoder, Mimi's decoder
    without codecs   ours: pass, a token, flow; theirs: the language model

Ours speaks and writes a token in every turn, behind a memory that holds a
minute. Theirs has a ring of a minute, all of which it looks at from the start.
Five of its frames last as long as two of our turns, and that is what is timed.
Weights are drawn at random on both sides; of the language models, as many take
part in a turn or frame here as there, and Mimi has its published size.

Reference: Défossez et al. 2024, arXiv:2410.00037; the package `moshi`.
"""

import dataclasses
import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import jax
import jax.numpy as jnp

from interaction_jax.evals.bench import append, parts, step, subject, timing
from interaction_jax.evals.bench import train as subjects
from interaction_jax.evals.bench.timing import Row, Task, Times
from interaction_jax.model import config, cost, interaction
from interaction_jax.model import state as states
from interaction_jax.model import step as turns
from interaction_jax.model.config import InteractionConfig
from interaction_jax.serve.models import Model

_TURNS: Final = 2
_FRAMES: Final = 5
"""Of 80 ms: as long as two turns."""

_THIRD: Final = 1 / 3
"""The goal: of the time that Moshi takes without its codec."""

_WAY: Final = step.Way(tokens=1, speaks=True)

_LANGUAGE: Final = ("backbone pass", "text step", "flow")
"""What is left of a turn without what turns samples into numbers and back."""

_SIZES: Final = {
  "dim": 512,
  "num_heads": 8,
  "num_layers": 5,
  "text_card": 8192,
  "context": 750,
  "depformer_dim": 128,
  "depformer_dim_feedforward": 528,
  "depformer_num_heads": 4,
  "depformer_num_layers": 3,
}
"""Of its language model: proportions of the published one, at our size."""


class Talks(Protocol):
  """Moshi, or what stands for it."""

  weights: int
  """That take part in a frame; those of the codec are not counted."""

  def speak(self, frames: int) -> object:
    """Takes frames of samples, and makes as many."""
    ...

  def think(self, frames: int) -> object:
    """Takes frames of codes, and makes as many."""
    ...


Maker = Callable[[int, str], Talks]
"""Makes one for a batch, with weights of a dtype."""


def installed() -> Maker | None:
  """Moshi, where its package is; it belongs to no extra.

  It pins an old torch and runs with a new one: `pip install --no-deps moshi
  sphn einops sentencepiece`.
  """
  there = all(importlib.util.find_spec(name) for name in ("torch", "moshi"))
  return _Moshi if there else None


def conversing() -> InteractionConfig:
  """The model of `bench train`, with a memory that holds a minute."""
  cfg = subjects.language_model()
  return dataclasses.replace(
    cfg,
    text=dataclasses.replace(cfg.text, first_control=cfg.text.vocab_size - 8),
    memory=config.MemoryConfig(pinned=64, text=512, media=2240, block=32),
  )


def run(
  *,
  rounds: int,
  cfg: InteractionConfig | None = None,
  batches: Sequence[int] = (1,),
  dtypes: Sequence[str] = subjects.DTYPES,
  other: Maker | None = None,
  progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
  """Times ours beside theirs.

  Args:
    cfg: None: `conversing`. Its weights are drawn.
    other: None: there is nobody beside us.
    progress: is told how many cells are done, and how many there are.

  Returns:
    `rows`, all times per 200 ms; and `active`, the weights of a turn and of a
    frame.
  """
  report: dict[str, Any] = {"threads": os.cpu_count(), "active": {}, "rows": []}
  done, total = 0, len(dtypes) * len(batches)
  for dtype in dtypes:
    cfg = dataclasses.replace(
      conversing() if cfg is None else cfg, dtype=dtype, param_dtype=dtype
    )
    own = subject.drawn(cfg, name="conversing")
    report["active"]["ours"] = active(own.cfg)
    for batch in batches:
      tasks, held = _ours(own, batch)
      if other is not None:
        peer = other(batch, dtype)
        report["active"]["Moshi"] = peer.weights
        tasks["Moshi, all of it"] = Task(lambda _, p=peer: p.speak(_FRAMES))
        tasks["Moshi, without codecs"] = Task(
          lambda _, p=peer: p.think(_FRAMES)
        )
      times = {
        name: Times(one.ms / _TURNS)
        for name, one in timing.measure(tasks, rounds=rounds).items()
      }
      report["rows"] += _rows(times, dtype=dtype, batch=batch, context=held)
      done += 1
      progress(done, total)
  return report


def active(cfg: InteractionConfig) -> int:
  """Weights that take part in a turn, but for those that make samples.

  Those of a token, and of the head that makes the voice.
  """
  counted = cost.parameters(cfg)
  voice = jax.tree.leaves(interaction.shapes(cfg)["heads"]["flow"])
  table = counted["parts"]["text_embedding"]
  return counted["active"] - table + sum(leaf.size for leaf in voice)


def summary(report: Mapping[str, Any]) -> str:
  """The report as a person reads it."""
  lines = [timing.table(report["rows"])]
  lines += [
    f"{name}: {count / 1e6:.1f} M weights take part"
    for name, count in report["active"].items()
  ]
  return "\n".join(lines)


def _ours(model: Model, batch: int) -> tuple[dict[str, Task], int]:
  """Two turns as tasks, and how many positions are remembered."""
  cfg = model.cfg
  run = step.program(cfg, turns.GREEDY)
  begin = states.start(jnp.arange(batch, dtype=jnp.uint32), cfg=cfg)
  talking = step.steered(model.params, _WAY, cfg=cfg, strength=512.0)
  filled = step.full(run, talking, begin, cfg=cfg)
  whole = step.whole(run, talking, filled, cfg, num_turns=_TURNS)
  arguments = parts.arguments(filled, cfg=cfg, sampling=turns.GREEDY)
  programs = parts.programs(cfg, turns.GREEDY)
  pieces = [
    step.part_of(programs[name], talking, arguments[name]) for name in _LANGUAGE
  ]

  def prepare() -> list[list[Any]]:
    return [[one.prepare() for one in pieces] for _ in range(_TURNS)]

  def think(fresh: list[list[Any]]) -> None:
    for turn in fresh:
      for one, argument in zip(pieces, turn, strict=True):
        one.call(argument)

  tasks = {"all of it": whole, "without codecs": Task(think, prepare)}
  return tasks, step.context(filled, cfg=cfg)


def _rows(times: Mapping[str, Times], **cell: Any) -> list[Row]:
  rows = []
  for name in ("all of it", "without codecs"):
    peer = f"Moshi, {name}"
    there = peer in times
    rows.append(
      append.aimed(
        f"200 ms, {name}",
        times[name],
        peer=peer if there else None,
        peer_times=times.get(peer),
        goal=_THIRD if there and name == "without codecs" else None,
        **cell,
      )
    )
  return rows


class _Moshi:
  """The language model of the package, and Mimi, with drawn weights."""

  def __init__(self, batch: int, dtype: str):
    # Compiled by its package it is no faster on a CPU, and takes a minute.
    os.environ.setdefault("NO_TORCH_COMPILE", "1")
    os.environ.setdefault("NO_CUDA_GRAPH", "1")
    import torch

    lm = importlib.import_module("moshi.models.lm")
    loaders = importlib.import_module("moshi.models.loaders")
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    kind = getattr(torch, dtype)
    model = lm.LMModel(
      device="cpu", dtype=kind, **{**loaders._lm_kwargs, **_SIZES}
    ).eval()
    for weight in model.parameters():
      if weight.dim() > 1:
        torch.nn.init.normal_(weight, std=0.02)
    tables = sum(
      weight.numel()
      for name, weight in model.named_parameters()
      if "emb" in name
    )
    self.weights = sum(one.numel() for one in model.parameters()) - tables
    self._torch = torch
    self._mimi = loaders.get_mimi(None).to(kind)
    self._model = lm.LMGen(model)
    self._mimi.streaming_forever(batch)
    self._model.streaming_forever(batch)
    self._samples = 0.1 * torch.randn(batch, 1, 1920, dtype=kind)
    self._codes = torch.randint(0, 2048, (batch, 8, 1))
    # Nothing comes out before its delay is over.
    self.think(8)

  def speak(self, frames: int) -> object:
    made = None
    with self._torch.inference_mode():
      for _ in range(frames):
        codes = self._mimi.encode(self._samples)
        made = self._mimi.decode(self._model.step(codes)[:, 1:])
    return made

  def think(self, frames: int) -> object:
    made = None
    with self._torch.inference_mode():
      for _ in range(frames):
        made = self._model.step(self._codes)
    return made
