"""Training, side by side with `transformers`, on the same text.

    ours     forward, backward, and the whole update of `train/update.py`:
             clipping, AdamW, average of the weights, balance of the experts,
             the guard against what is not finite
    peers    forward, backward, AdamW

No position is dropped by any of them. A step is timed by the clock, and by
the processor as well: on one core that is what it would take alone, whoever
else uses the machine.
"""

import dataclasses
import functools
import gc
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from interaction_jax.core import sharding
from interaction_jax.core.params import Params
from interaction_jax.evals.bench import peer as peers
from interaction_jax.evals.bench import subject, timing
from interaction_jax.evals.bench.peer import Peer
from interaction_jax.evals.bench.timing import Row, Task, Times
from interaction_jax.model import config, cost, interaction
from interaction_jax.model.backbone.memory import Kind
from interaction_jax.model.config import InteractionConfig
from interaction_jax.train import adapt, update
from interaction_jax.train import state as states
from interaction_jax.train.adapt import Split
from interaction_jax.train.config import AdaptConfig, TrainConfig
from interaction_jax.train.state import TrainState

BATCH: Final = 4
LENGTH: Final = 512
DTYPES: Final = ("float32", "bfloat16")

_CEILING: Final = "matrix product"
_SIDE: Final = 2048
"""Of the matrices whose product is the ceiling."""

DType = Literal["float32", "bfloat16"]


def language_model() -> InteractionConfig:
  """The configuration that is compared: 118 M weights, 25 M a token.

  Width 512, 8 layers, 32 experts of 256 of which 4 are chosen and a shared
  one, 8 query and 2 key heads of 64, 8192 tokens.
  """
  heads = {"query_heads": 8, "key_heads": 2, "head_width": 64}
  return InteractionConfig(
    backbone=config.BackboneConfig(
      width=512,
      num_layers=8,
      global_layers=(5,),
      dense_layers=(),
      dense_width=1,
      window_attention=config.AttentionConfig(**heads, reach=LENGTH),
      global_attention=config.AttentionConfig(**heads, reach=LENGTH),
      experts=config.ExpertConfig(
        num_routed=32, num_chosen=4, num_shared=1, width=256
      ),
    ),
    text=config.TextConfig(table_size=8192, vocab_size=8192),
    # Nothing is forgotten, and what is not text is not used.
    memory=config.MemoryConfig(text=LENGTH),
    video=config.VideoConfig(patch=6, num_layers=3, rows=1, columns=1),
  )


def run(
  *,
  rounds: int,
  cfg: InteractionConfig | None = None,
  batch: int = BATCH,
  length: int = LENGTH,
  dtypes: Sequence[DType] = DTYPES,
  others: Sequence[Peer] | None = None,
  progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
  """Times a step of ours beside a step of each peer.

  Between them a product of two matrices is timed, the ceiling of what the
  machine can do in that dtype while it is as busy as it is.

  Args:
    cfg: None: `language_model()`.
    length: positions of a row.
    others: None: those that are installed.
    progress: is told how much is done, and how much there is.

  Returns:
    `rows`, and of every model its `parameters`, to see that they are alike.
  """
  cfg = language_model() if cfg is None else cfg
  others = peers.installed() if others is None else tuple(others)
  ids = np.random.default_rng(0).integers(
    0, cfg.text.vocab_size, (batch, length), np.int32
  )
  report: dict[str, Any] = {"rows": [], "parameters": {}}
  for index, dtype in enumerate(dtypes):

    def told(done: int, total: int, before: int = index) -> None:
      progress(before * total + done, len(dtypes) * total)

    rows, counts = _compare(cfg, ids, dtype, others, rounds, told)
    report["rows"] += rows
    report["parameters"] |= counts
    # Of each model there are four copies of the weights.
    gc.collect()
  return report


class Learner:
  """Ours: text is learned by the update that whole episodes are learned by.

  Attributes:
    state: what it has come to.
  """

  def __init__(self, cfg: InteractionConfig, ids: np.ndarray, dtype: DType):
    """Draws the weights; those that text does not use stay as they are."""
    self._train = TrainConfig(
      dtype=dtype,
      adapt=AdaptConfig(whole=("backbone/*", "embed/text/*", "heads/text/*")),
    )
    self._cfg = cfg
    self._ids = jnp.asarray(ids)
    drawn = subject.weights(cfg)
    self.state = states.restart(drawn, cfg, self._train)

  def __call__(self) -> float:
    """Takes a step, and tells its loss."""
    self.state, loss = learn(
      self.state, self._ids, cfg=self._cfg, train=self._train
    )
    return float(loss)

  @property
  def num_parameters(self) -> int:
    """Weights that are trained by gradients."""
    leaves = sharding.by_name(self.state.params)
    # Selection biases are moved by loads alone.
    return sum(
      leaf.size
      for name, leaf in leaves.items()
      if not name.endswith("selection_bias")
    )


@functools.partial(jax.jit, static_argnames=("cfg", "train"), donate_argnums=0)
def learn(
  state: TrainState,
  ids: Int[Array, "B T"],
  *,
  cfg: InteractionConfig,
  train: TrainConfig,
) -> tuple[TrainState, Float[Array, ""]]:
  """One update by what comes next in a text; `state` is used up."""
  inner = dataclasses.replace(cfg, dtype=train.dtype or cfg.dtype)
  axes = states.axes(cfg)

  def loss(trained: Params) -> tuple[Float[Array, ""], Float[Array, "L E"]]:
    whole = adapt.merge(Split(trained, state.frozen), axes, cfg=train.adapt)
    model = interaction.bind(whole, cfg=inner)
    kind = jnp.full(ids.shape, Kind.TEXT, jnp.int32)
    passage = model.backbone.episode(
      model.embed.text(ids), kind, jnp.ones(ids.shape, bool), remat=train.remat
    )
    each = optax.softmax_cross_entropy_with_integer_labels(
      model.heads.text(passage.hidden), jnp.roll(ids, -1, axis=1)
    )
    # Nothing comes after the last one. To cut it off would copy all logits.
    return each[:, :-1].mean(), passage.load

  (value, load), gradient = jax.value_and_grad(loss, has_aux=True)(state.params)
  after = update.apply(
    state, gradient, jnp.isfinite(value), load, cfg=cfg, train=train
  )
  return after, value


class _Timed:
  """A learner that keeps what each step took of the processor, in ms."""

  def __init__(self, step: peers.Learner):
    self._step = step
    self._cpu_ms: list[float] = []

  def __call__(self, _: None) -> None:
    began = time.process_time()
    self._step()
    self._cpu_ms.append(1000 * (time.process_time() - began))

  @property
  def cpu_ms(self) -> float:
    """The median, that of compiled steps since most of them are."""
    return float(np.median(self._cpu_ms))


def _compare(
  cfg: InteractionConfig,
  ids: np.ndarray,
  dtype: DType,
  others: Sequence[Peer],
  rounds: int,
  progress: Callable[[int, int], None],
) -> tuple[list[Row], dict[str, int]]:
  own = Learner(cfg, ids, dtype)
  learners = {"ours": _Timed(own), _CEILING: _Timed(_product(dtype))}
  counts = {"ours": own.num_parameters}
  for one in others:
    step, counts[one.family] = peers.learner(one, cfg, ids, dtype=dtype)
    learners[one.name] = _Timed(step)
  times = timing.measure(
    {name: Task(step) for name, step in learners.items()},
    rounds=rounds,
    progress=progress,
  )
  flops = 3 * ids.size * cost.flops(cfg, context=ids.shape[1] // 2)
  peak = 2 * _SIDE**3 / (times[_CEILING].median / 1000)
  cpu = {name: step.cpu_ms for name, step in learners.items()}

  def row(name: str | None) -> Row:
    ours = times["ours"]
    beside = None if name is None else times[name]
    more: dict[str, Any] = {
      "ours_per_s": _per_s(ids, ours),
      "peer_per_s": None if beside is None else _per_s(ids, beside),
      "ours_cpu_ms": round(cpu["ours"], 1),
      "peer_cpu_ms": None if name is None else round(cpu[name], 1),
      "mfu": round(flops / (ours.median / 1000) / peak, 4),
      "peak_gflops": round(peak / 1e9, 1),
    }
    return timing.row(
      f"train, {dtype}",
      ours,
      dtype=dtype,
      batch=ids.shape[0],
      context=ids.shape[1],
      peer=name,
      peer_times=beside,
      **more,
    )

  names = [one.name for one in others] or [None]
  return [row(name) for name in names], counts


def _product(dtype: DType) -> peers.Learner:
  """The matrix product that tells what the machine can do at best."""
  one = jnp.ones((_SIDE, _SIDE), dtype)

  @jax.jit
  def multiply(x: jax.Array) -> jax.Array:
    return jnp.matmul(x, x, preferred_element_type=jnp.float32)[0, 0]

  return lambda: float(multiply(one))


def _per_s(ids: np.ndarray, times: Times) -> float:
  """Tokens a second."""
  return round(1000 * ids.size / times.median, 1)
