"""The voice of a turn: 200 ms of fine mel, made from noise in a few steps."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from interaction_jax.core import params
from interaction_jax.model import config
from interaction_jax.ops import flow, norm
from interaction_jax.ops.linear import contract

_WAVES = 16
"""Frequencies that describe the flow time."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Condition:
  """What the voice of a turn is made from, one row a turn.

  Attributes:
    hidden: the turn's last hidden state.
    text: embeddings of the tokens written in the turn.
    text_mask: which of them are real.
    past: the voice's last frames, normalised.
  """

  hidden: Float[Array, "B D"]
  text: Float[Array, "B U D"]
  text_mask: Bool[Array, "B U"]
  past: Float[Array, "B I M"]


class Mixer(nnx.Module):
  """Mixes frames, then channels, both steered by the condition.

  Reference: Tolstikhin et al. 2021, arXiv:2105.01601; the steering is AdaLN,
  Peebles and Xie 2022, arXiv:2212.09748.
  """

  def __init__(
    self, cfg: config.FlowConfig, num_frames: int, *, dtype: str, rngs: nnx.Rngs
  ):
    sizes = {"F": cfg.width, "I": num_frames, "S": 2 * num_frames, "Q": 6}
    wide = {"F": cfg.width, "I": 2 * cfg.width}

    def normal(axes: str, sizes: dict[str, int], fan_in: int):
      return params.normal(rngs, axes, sizes, std=fan_in**-0.5, dtype=dtype)

    self.steer = params.constant(0.0, "F Q I", {**wide, "Q": 6, "I": cfg.width})
    self.frames_in = normal("I S", sizes, num_frames)
    self.frames_out = normal("S I", sizes, 2 * num_frames)
    self.gate = normal("F I", wide, cfg.width)
    self.up = normal("F I", wide, cfg.width)
    self.down = normal("I F", wide, 2 * cfg.width)

  def __call__(
    self, x: Float[Array, "B I F"], steer: Float[Array, "B F"]
  ) -> Float[Array, "B I F"]:
    """Applies both halves."""
    moves = contract("BF,FQI->BQI", jax.nn.silu(steer), self.steer[...])
    shift, scale, open_, shift2, scale2, open2 = (
      moves[:, which, None] for which in range(6)
    )
    # Frames last: a CPU has no product of bfloat16 over another axis.
    y = jnp.swapaxes(_unit(x) * (1 + scale) + shift, 1, 2)
    y = jax.nn.gelu(contract("BFI,IS->BFS", y, self.frames_in[...]))
    y = contract("BFS,SI->BFI", y, self.frames_out[...])
    x = x + (1 + open_) * jnp.swapaxes(y, 1, 2)
    y = _unit(x) * (1 + scale2) + shift2
    y = jax.nn.silu(contract("BTF,FI->BTI", y, self.gate[...])) * contract(
      "BTF,FI->BTI", y, self.up[...]
    )
    return x + (1 + open2) * contract("BTI,IF->BTF", y, self.down[...])


class FlowHead(nnx.Module):
  """Expects the frames of a turn, given a noisy version of them.

  The network's output is the data x_1 it expects; the velocity follows from
  it. In wide blocks that is steadier than expecting the velocity itself.
  """

  def __init__(self, cfg: config.InteractionConfig, *, rngs: nnx.Rngs):
    own, voice, dtype = cfg.flow, cfg.vocoder, cfg.param_dtype
    self.cfg = own
    self.num_frames = voice.frames_per_turn
    self.eps = cfg.backbone.norm_eps
    frames = self.num_frames + own.past_frames
    sizes = {
      "D": cfg.backbone.width,
      "F": own.width,
      "I": self.num_frames,
      "M": voice.num_mels,
      "S": frames,
      "U": cfg.turn.text_out,
      "Q": 2 * _WAVES,
    }

    def normal(axes: str, fan_in: int):
      return params.normal(rngs, axes, sizes, std=fan_in**-0.5, dtype=dtype)

    self.norm = params.constant(1.0, "D", sizes, dtype=dtype)
    self.content = normal("D I F", sizes["D"])
    self.hidden_in = normal("D F", sizes["D"])
    self.text_in = normal("U D F", sizes["U"] * sizes["D"])
    self.nothing = params.constant(0.0, "D", sizes, dtype=dtype)
    self.time_in = normal("Q F", 2 * _WAVES)
    self.mel_in = normal("M F", sizes["M"])
    self.place = normal("S F", sizes["F"])
    self.mixers = nnx.List(
      [
        Mixer(own, frames, dtype=dtype, rngs=rngs)
        for _ in range(own.num_layers)
      ]
    )
    self.mel_out = params.constant(0.0, "F M", sizes, dtype=dtype)

  def expect(
    self,
    point: Float[Array, "B I M"],
    time: Float[Array, " B"],
    given: Condition,
  ) -> Float[Array, "B I M"]:
    """The frames it expects, having seen them at `time` of their path."""
    hidden = norm.rms(given.hidden, self.norm[...], eps=self.eps)
    text = jnp.where(given.text_mask[..., None], given.text, 0.0)
    steer = (
      contract("BD,DF->BF", hidden, self.hidden_in[...])
      + contract("BUD,UDF->BF", text, self.text_in[...])
      + contract("BQ,QF->BF", _waves(time).astype(hidden.dtype),
                 self.time_in[...])
    )  # fmt: skip
    x = contract("BIM,MF->BIF", point.astype(hidden.dtype), self.mel_in[...])
    x = x + contract("BD,DIF->BIF", hidden, self.content[...])
    past = contract(
      "BSM,MF->BSF", given.past.astype(hidden.dtype), self.mel_in[...]
    )
    x = jnp.concatenate([past, x], axis=1) + self.place[...].astype(x.dtype)
    for mixer in self.mixers:
      x = mixer(x, steer)
    x = _unit(x[:, -self.num_frames :])
    return contract("BIF,FM->BIM", x, self.mel_out[...]).astype(jnp.float32)

  def without(self, given: Condition) -> Condition:
    """The condition with everything but its own past taken away."""
    return dataclasses.replace(
      given,
      hidden=jnp.broadcast_to(
        self.nothing[...].astype(given.hidden.dtype), given.hidden.shape
      ),
      text_mask=jnp.zeros_like(given.text_mask),
    )

  def make(
    self,
    noise: Float[Array, "B I M"],
    given: Condition,
    *,
    num_steps: int,
    guidance: float,
  ) -> Float[Array, "B I M"]:
    """Makes the frames of a turn, normalised.

    v = v(nothing) + guidance (v(given) - v(nothing)); at guidance 1 only the
    second is computed.

    Reference: Ho and Salimans 2022, arXiv:2207.12598.
    """

    def field(point: jax.Array, time: jax.Array) -> jax.Array:
      expected = self.expect(point, time, given)
      if guidance != 1.0:
        free = self.expect(point, time, self.without(given))
        expected = free + guidance * (expected - free)
      return flow.velocity(expected, point, time)

    return flow.euler(field, noise, num_steps=num_steps)


def _unit(x: Float[Array, "B I F"]) -> Float[Array, "B I F"]:
  """Zero mean and unit variance over the width, without weights."""
  wide = x.astype(jnp.float32)
  wide = wide - wide.mean(axis=-1, keepdims=True)
  scale = jax.lax.rsqrt(jnp.square(wide).mean(axis=-1, keepdims=True) + 1e-6)
  return (wide * scale).astype(x.dtype)


def _waves(time: Float[Array, " B"]) -> Float[Array, "B Q"]:
  angle = time[:, None] * jnp.pi * 2.0 ** jnp.linspace(-2, 6, _WAVES)
  return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)
