"""The stack of layers and its final norm."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from interaction_jax.core import params
from interaction_jax.model import config
from interaction_jax.model.backbone.layer import Layer, Passed
from interaction_jax.model.backbone.memory import BackboneMemory, LayerMemory
from interaction_jax.model.backbone.where import Episode, Stream
from interaction_jax.ops import norm


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Passage:
  """What whole sequences gave.

  Attributes:
    load: positions that chose each expert, in the layers that have experts.
  """

  hidden: Float[Array, "B T D"]
  load: Float[Array, "L E"]


class Backbone(nnx.Module):
  """The transformer of Inkling, over positions that are embedded already."""

  def __init__(self, cfg: config.InteractionConfig, *, rngs: nnx.Rngs):
    backbone, dtype = cfg.backbone, cfg.param_dtype
    self.cfg = backbone
    self.memory_cfg = cfg.memory
    self.layers = nnx.List(
      [
        Layer(backbone, index, dtype=dtype, rngs=rngs)
        for index in range(backbone.num_layers)
      ]
    )
    self.norm = params.constant(1.0, "D", {"D": backbone.width}, dtype=dtype)

  def episode(
    self,
    x: Float[Array, "B T D"],
    kind: Int[Array, "B T"],
    real: Bool[Array, "B T"],
    segment: Int[Array, "B T"] | None = None,
    *,
    remat: config.Remat = "none",
  ) -> Passage:
    """Whole sequences at once; see `Episode.of` for the arguments.

    Args:
      remat: what a layer keeps for its gradient; the rest is computed anew.
    """
    where = Episode.of(
      kind,
      real,
      segment,
      window=self.cfg.window_attention.reach,
      memory_cfg=self.memory_cfg,
    )
    nothing = (LayerMemory(),) * self.cfg.num_layers
    x, _, loads = self._run(_cleared(x, real), where, nothing, remat=remat)
    num_experts = self.cfg.experts.num_routed
    return Passage(
      x, jnp.stack(loads) if loads else jnp.zeros((0, num_experts))
    )

  def stream(
    self,
    x: Float[Array, "B T D"],
    kind: Int[Array, "B T"],
    real: Bool[Array, "B T"],
    past: BackboneMemory,
  ) -> tuple[Float[Array, "B T D"], BackboneMemory]:
    """The next positions of each session; see `Stream.of`."""
    where, booked = Stream.of(
      past,
      kind,
      real,
      window=self.cfg.window_attention.reach,
      memory_cfg=self.memory_cfg,
    )
    x, layers, _ = self._run(_cleared(x, real), where, past.layers)
    return x, dataclasses.replace(booked, layers=layers)

  def _run(
    self,
    x: Float[Array, "B T D"],
    where: Episode | Stream,
    past: tuple[LayerMemory, ...],
    *,
    remat: config.Remat = "none",
  ) -> tuple[jax.Array, tuple[LayerMemory, ...], list[jax.Array]]:
    """All layers: what comes out, what they remember, and their loads."""
    memories, loads = [], []
    for layer, memory in zip(self.layers, past, strict=True):

      def run(x, layer=layer, memory=memory):
        return layer(x, where, memory)

      passed = _keeping(run, remat)(x)
      x = passed.x
      memories.append(passed.memory)
      if passed.load is not None:
        loads.append(passed.load)
    x = norm.rms(x, self.norm[...], eps=self.cfg.norm_eps)
    return x, tuple(memories), loads


def _keeping(
  run: Callable[[jax.Array], Passed], remat: config.Remat
) -> Callable[[jax.Array], Passed]:
  """A layer that keeps for its gradient what `remat` says."""
  if remat == "none":
    return run
  # Attention's own products have the batch in common and are not kept.
  kept = jax.checkpoint_policies.dots_with_no_batch_dims_saveable
  return jax.checkpoint(run, policy=kept if remat == "dots" else None)


def _cleared(
  x: Float[Array, "B T D"], real: Bool[Array, "B T"]
) -> Float[Array, "B T D"]:
  """Zeros in the padding: a weight of zero does not silence a NaN."""
  return jnp.where(real[..., None], x, 0.0)
