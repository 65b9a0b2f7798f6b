"""The feed-forward half of a layer: a dense block, or a mixture of experts."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from interaction_jax.core import params
from interaction_jax.model import config
from interaction_jax.ops import dispatch, exchange
from interaction_jax.ops.linear import contract


@dataclasses.dataclass(frozen=True)
class Fed:
  """What came out, and how many real positions each expert was chosen by."""

  out: Float[Array, "B T D"]
  load: Float[Array, " E"] | None = None


class Dense(nnx.Module):
  """scale * down(silu(gate x) * up x)."""

  def __init__(self, cfg: config.BackboneConfig, *, dtype: str, rngs: nnx.Rngs):
    sizes = {"D": cfg.width, "F": cfg.dense_width}
    inner, outer = cfg.width**-0.5, cfg.dense_width**-0.5
    self.gate = params.normal(rngs, "D F", sizes, std=inner, dtype=dtype)
    self.up = params.normal(rngs, "D F", sizes, std=inner, dtype=dtype)
    self.down = params.normal(rngs, "F D", sizes, std=outer, dtype=dtype)
    self.scale = params.constant(1.0, "", sizes, dtype=dtype)

  def __call__(self, x: Float[Array, "B T D"], real: Bool[Array, "B T"]) -> Fed:
    """Applies the block to every position."""
    del real
    hidden = jax.nn.silu(contract("BTD,DF->BTF", x, self.gate[...]))
    hidden = hidden * contract("BTD,DF->BTF", x, self.up[...])
    out = contract("BTF,FD->BTD", hidden, self.down[...])
    return Fed(out * self.scale[...].astype(out.dtype))


class Router(nnx.Module):
  """Scores routed and shared experts, always in float32."""

  def __init__(self, cfg: config.BackboneConfig, *, dtype: str, rngs: nnx.Rngs):
    experts = cfg.experts
    sizes = {
      "D": cfg.width,
      "E": experts.num_routed,
      "O": experts.num_shared,
    }
    std = cfg.width**-0.5
    self.num_chosen = experts.num_chosen
    self.route_scale = experts.route_scale
    self.routed = params.normal(rngs, "D E", sizes, std=std, dtype=dtype)
    self.shared = params.normal(rngs, "D O", sizes, std=std, dtype=dtype)
    self.selection_bias = params.constant(0.0, "E", sizes)
    self.scale = params.constant(1.0, "", sizes)

  def __call__(self, x: Float[Array, "T D"]) -> dispatch.Routing:
    """Chooses and weighs the experts of every position."""
    wide = x.astype(jnp.float32)
    return dispatch.route(
      contract("TD,DE->TE", wide, self.routed[...]),
      contract("TD,DO->TO", wide, self.shared[...]),
      self.selection_bias[...],
      num_chosen=self.num_chosen,
      scale=self.route_scale * self.scale[...],
    )


class Experts(nnx.Module):
  """Routed experts plus shared ones, weighed together by the router."""

  def __init__(self, cfg: config.BackboneConfig, *, dtype: str, rngs: nnx.Rngs):
    experts = cfg.experts
    sizes = {
      "D": cfg.width,
      "E": experts.num_routed,
      "F": experts.width,
      "O": experts.num_shared,
    }
    inner, outer = cfg.width**-0.5, experts.width**-0.5

    def normal(axes: str, std: float):
      return params.normal(rngs, axes, sizes, std=std, dtype=dtype)

    self.router = Router(cfg, dtype=dtype, rngs=rngs)
    self.gate = normal("E D F", inner)
    self.up = normal("E D F", inner)
    self.down = normal("E F D", outer)
    self.shared_gate = normal("O D F", inner)
    self.shared_up = normal("O D F", inner)
    self.shared_down = normal("O F D", outer)

  def __call__(self, x: Float[Array, "B T D"], real: Bool[Array, "B T"]) -> Fed:
    """Applies its chosen experts, and the shared ones, to every position."""
    rows = x.reshape(-1, x.shape[-1])
    routing = self.router(rows)
    # As a whole: quantised ones are no arrays.
    weights = dispatch.ExpertWeights(
      self.gate.get_value(), self.up.get_value(), self.down.get_value()
    )
    num_experts, num_chosen = self.gate.shape[0], routing.experts.shape[1]
    apply = dispatch.choose(len(rows), num_experts, num_chosen)
    routed = exchange.across(apply, rows, routing, weights)
    shared = dispatch.shared(
      rows,
      routing.shared,
      self.shared_gate[...],
      self.shared_up[...],
      self.shared_down[...],
    )
    load = dispatch.load(routing, real.reshape(-1), self.gate.shape[0])
    return Fed((routed + shared).reshape(x.shape), load)
