"""One experiment: a model and how it is trained."""

import dataclasses
from typing import Any, Literal

from interaction_jax.data.source import Source
from interaction_jax.model.config import InteractionConfig, Remat


def _in_range(
  config: Any,
  room: str,
  name: str,
  low: float | int,
  high: float | int,
  usual: float | int,
) -> None:
  """Raises unless low <= field <= high."""
  value = getattr(config, name)
  if not low <= value <= high:
    raise ValueError(
      f"{room}.{name}={value} must lie in {low:g} to {high:g}; {usual:g} is "
      "usual."
    )


@dataclasses.dataclass(frozen=True)
class LossConfig:
  """What counts how much.

  Attributes:
    text, gate, flow: weights of the parts of the loss.
    flow_draws: noises drawn for every spoken turn.
    flow_share: largest share of a row's turns whose voice is computed.
    past_noise: how much its own past is damaged at most, in the units of
      normalised mel.
    drop: share of voices that lose their condition, for guidance.
  """

  text: float = 1.0
  gate: float = 1.0
  flow: float = 1.0
  flow_draws: int = 4
  flow_share: float = 0.35
  past_noise: float = 0.5
  drop: float = 0.1

  def __post_init__(self):
    for name in ("text", "gate", "flow"):
      _in_range(self, "losses", name, 0, float("inf"), 1)
    _in_range(self, "losses", "flow_draws", 1, 1024, 4)
    _in_range(self, "losses", "flow_share", 0, 1, 0.35)
    _in_range(self, "losses", "past_noise", 0, float("inf"), 0.5)
    _in_range(self, "losses", "drop", 0, 1, 0.1)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """A warm-up, a plateau, and a cosine.

  Attributes:
    name: of what turns gradients into moves. "muon" is for matrices only;
      tables and vectors have AdamW in both cases.
    learning_rate: at its highest; it falls to a twentieth of that. Muon's
      moves are as large as AdamW's, so one rate does for both.
    warmup: updates until then, half of them all at most.
    decay: share of the updates in which the rate falls, the last ones; 1.0
      is a cosine right from the warm-up.
    weight_decay: of matrices; vectors do not decay.
    max_norm: longer gradients are shortened to it.
    ema: decay of the average of the weights, which is what is kept.
    balance: step of the selection bias of experts towards even loads.
  """

  name: Literal["adamw", "muon"] = "adamw"
  learning_rate: float = 1.5e-3
  warmup: int = 100
  decay: float = 1.0
  weight_decay: float = 0.01
  max_norm: float = 1.0
  ema: float = 0.998
  balance: float = 1e-3

  def __post_init__(self):
    for name, usual in (
      ("learning_rate", 1e-3),
      ("warmup", 100),
      ("weight_decay", 0.01),
      ("balance", 1e-3),
    ):
      _in_range(self, "optimizer", name, 0, float("inf"), usual)
    _in_range(self, "optimizer", "decay", 0, 1, 1)
    _in_range(self, "optimizer", "ema", 0, 1, 0.998)
    if self.max_norm <= 0:
      raise ValueError(
        f"optimizer.max_norm={self.max_norm} must be above 0; 1 is usual."
      )


@dataclasses.dataclass(frozen=True)
class AdaptConfig:
  """Which weights are trained, and how: all of them unless told otherwise.

  Patterns are those of a shell over names such as
  `backbone/layers/3/attention/query`; `*` stands for anything, `/` included.

  Attributes:
    low_rank: matrices that stay as they are and get a product of two thin
      ones added to them.
    rank: inner width of that product.
    alpha: it is scaled by alpha / rank, so that another rank needs no other
      learning rate.
    whole: weights that are trained themselves; None: all where `low_rank` is
      empty, and none otherwise.
  """

  low_rank: tuple[str, ...] = ()
  rank: int = 8
  alpha: float = 16.0
  whole: tuple[str, ...] | None = None

  def __post_init__(self):
    _in_range(self, "adapt", "rank", 1, 2**16, 8)
    if self.alpha <= 0:
      raise ValueError(
        f"adapt.alpha={self.alpha} must be above 0; 16 is usual."
      )
    if not self.low_rank and self.whole == ():
      raise ValueError(
        "adapt.whole=() and adapt.low_rank=() leave nothing to train; "
        "whole=None trains everything."
      )

  @property
  def everything(self) -> bool:
    """Whether all weights are trained."""
    return not self.low_rank and self.whole is None


@dataclasses.dataclass(frozen=True)
class DataConfig:
  """Where episodes come from.

  Attributes:
    bank: folder of the speech bank; made there when it does not exist.
    sources: folders of records and speech banks that are mixed; none: the
      speech bank alone.
    num_turns: J, the most turns of a row; None: so many that silence alone,
      of which a turn takes the fewest positions, would fill it. Then no row
      ends before its positions do, but for the part of a turn.
    positions: of a row after packing; it is cut where they are used up. None:
      as many as there are slots, of which most are empty.
    workers: processes that prepare batches; 0: a thread of the run.
  """

  bank: str = "bank"
  sources: tuple[Source, ...] = ()
  num_turns: int | None = None
  positions: int | None = 640
  workers: int = 1

  def __post_init__(self):
    if self.num_turns is None and self.positions is None:
      raise ValueError(
        "data.num_turns=None and data.positions=None give a row no end; "
        "positions=640 are usual."
      )
    for name in ("num_turns", "positions"):
      if getattr(self, name) is not None and getattr(self, name) < 1:
        raise ValueError(
          f"data.{name}={getattr(self, name)} must be 1 or more."
        )
    if self.workers < 0:
      raise ValueError(f"data.workers={self.workers} must be 0 or more.")


@dataclasses.dataclass(frozen=True)
class WatchConfig:
  """What is told of a run, besides a line a step.

  Attributes:
    tensorboard: write its event files too; the extra `watch` brings what that
      needs.
    sample_every: updates from one conversation that is recorded to the next,
      each at the first checkpoint after them; None: there are none.
    sample_turns: length of such a conversation.
    peak_tflops: operations a second, in units of 10^12, that one device can
      do, to compare with. None: measured; 0: not known, and not asked for.
  """

  tensorboard: bool = False
  sample_every: int | None = None
  sample_turns: int = 100
  peak_tflops: float | None = None

  def __post_init__(self):
    if self.sample_every is not None:
      _in_range(self, "watch", "sample_every", 1, float("inf"), 1000)
    _in_range(self, "watch", "sample_turns", 1, 2**18, 100)
    if self.peak_tflops is not None:
      _in_range(self, "watch", "peak_tflops", 0, float("inf"), 1)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
  """How long to train, on what, and from which random key.

  Attributes:
    num_steps: updates in all, counted from the first start.
    save_every: updates from one checkpoint to the next.
    keep: checkpoints that stay, the newest ones.
    keep_every: updates between those that stay for good; None: there are none.
    seed: of everything random.
    batch: episodes of an update.
    accumulate: parts in which a batch is computed, one after the other, for
      want of memory. The gradient is that of the whole batch.
    dtype: of activations, and of weights while computing; None: as the model
      says. Weights at rest, their averages and their moments are float32.
    remat: what layers keep for their gradients; the rest is computed anew.
  """

  num_steps: int = 1000
  save_every: int = 100
  keep: int = 2
  keep_every: int | None = None
  seed: int = 0
  batch: int = 8
  accumulate: int = 1
  dtype: Literal["float32", "bfloat16"] | None = None
  remat: Remat = "none"
  losses: LossConfig = LossConfig()
  optimizer: OptimizerConfig = OptimizerConfig()
  adapt: AdaptConfig = AdaptConfig()
  data: DataConfig = DataConfig()
  watch: WatchConfig = WatchConfig()

  def __post_init__(self):
    for name in (
      "num_steps", "save_every", "keep", "keep_every", "batch", "accumulate",
    ):  # fmt: skip
      if getattr(self, name) is not None and getattr(self, name) < 1:
        raise ValueError(
          f"train.{name}={getattr(self, name)} must be 1 or more."
        )
    if self.batch % self.accumulate:
      ways = [n for n in range(1, self.batch + 1) if self.batch % n == 0]
      raise ValueError(
        f"train.accumulate={self.accumulate} does not divide train.batch="
        f"{self.batch}; {', '.join(map(str, ways))} do."
      )
    # Seeds become 32-bit words of a random key.
    if not 0 <= self.seed < 2**32:
      raise ValueError(f"train.seed={self.seed} must lie in 0 to {2**32 - 1}.")


@dataclasses.dataclass(frozen=True)
class Experiment:
  """What a config file describes.

  Attributes:
    name: of the run, for people to read.
  """

  name: str
  model: InteractionConfig
  train: TrainConfig = TrainConfig()

  def __post_init__(self):
    if not self.name:
      raise ValueError(
        "name='' is empty; the name of the config file is usual."
      )
