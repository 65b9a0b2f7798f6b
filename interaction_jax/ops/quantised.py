"""Weights in a byte a number, each output channel with a scale of its own.

    scale = max |w| of the channel / largest value
    values = round(w / scale),  x @ w ~ (x @ values) * scale

Symmetric, so zero stays zero. The scale comes behind the product: what is
multiplied are the stored numbers, which bfloat16 and float32 hold exactly, and
they are widened where they are used. On a CPU that is one expert at a time,
and XLA for TPUs widens them as it reads them (compiled for a v5e, not run); on
a GPU it is left to the compiler.

Of the libraries, qwix (0.1.8) has much the same array and a product by groups,
but by its source multiplies scale and weights first where activations are
floating-point; aqtp (0.9.0) is made for training and quantises as products
run. Neither knows the walk over experts in `ops/dispatch.py`, so little of
either would have been used.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Float8e4m3fn, Float32, Int8

from interaction_jax.ops import linear

_TYPES: Final[Mapping[str, tuple[jnp.dtype, float]]] = {
  "int8": (jnp.dtype("int8"), 127.0),
  "fp8": (jnp.dtype("float8_e4m3fn"), 448.0),
}
"""The type of each kind, and its largest value."""

KINDS: Final = tuple(_TYPES)

_LEAST: Final = float(jnp.finfo(jnp.float32).tiny)
"""The smallest scale: some machines take what is smaller for zero."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Quantised:
  """Weights in a byte a number.

  Attributes:
    values: inputs in the last axis but one, output channels in the last.
    scales: of each output channel.

  They have no gradient, and let none through; see `ungraded`.
  """

  values: Int8[Array, "*E I F"] | Float8e4m3fn[Array, "*E I F"]
  scales: Float32[Array, "*E F"]

  @property
  def shape(self) -> tuple[int, ...]:
    """That of the weights."""
    return self.values.shape

  @property
  def nbytes(self) -> int:
    """Bytes of values and scales."""
    return self.values.nbytes + self.scales.nbytes


Weights = Float[Array, "*E I F"] | Quantised
"""Weights in either form."""

Form = TypeVar("Form", jax.Array, Quantised)
Given = TypeVar("Given")
Held = TypeVar("Held")


def quantise(weights: Float[Array, "*E I F"], kind: str) -> Quantised:
  """Rounds weights to the nearest values of a kind.

  In parts of the scale, int8 is off by a half at most; fp8 by a sixteenth of
  the value, or 2^-10 where it is small. A channel that is not finite gives
  NaN.

  Raises:
    ValueError: there is no such kind.
  """
  if kind not in _TYPES:
    raise ValueError(f"kind={kind!r} is not known; there is {_listed()}.")
  dtype, top = _TYPES[kind]
  wide = weights.astype(jnp.float32)
  largest = jnp.max(jnp.abs(wide), axis=-2)
  scales = jnp.maximum(largest / top, _LEAST)
  values = jnp.clip(wide / scales[..., None, :], -top, top)
  if jnp.issubdtype(dtype, jnp.integer):
    values = jnp.round(values)
  return Quantised(values.astype(dtype), scales)


def convert(weights: Float[Array, "*E I F"], kind: str) -> Quantised:
  """As `quantise`, for weights at rest: they stay where they lie on a mesh.

  A scale lies with its channel.
  """
  made = jax.jit(quantise, static_argnames="kind")(weights, kind=kind)
  place = weights.sharding
  if not isinstance(place, NamedSharding):
    return made
  return Quantised(
    jax.device_put(made.values, place),
    jax.device_put(made.scales, of_channels(place, weights.ndim)),
  )


def of_channels(place: NamedSharding, ndim: int) -> NamedSharding:
  """Where the scales lie of weights that lie at `place`."""
  spec = (*place.spec, *[None] * (ndim - len(place.spec)))
  return NamedSharding(place.mesh, PartitionSpec(*spec[:-2], spec[-1]))


def dequantise(
  weights: Quantised, dtype: jnp.dtype | str = "float32"
) -> Float[Array, "*E I F"]:
  """The weights that the values stand for."""
  wide = weights.values.astype(jnp.float32) * weights.scales[..., None, :]
  return wide.astype(dtype)


def contract(
  equation: str, x: Float[Array, "..."], w: Weights
) -> Float[Array, "..."]:
  """As `linear.contract`, with weights in either form.

  Args:
    equation: with the output channels of `w` last, and its experts, if there
      are any, before them.
  """
  if not isinstance(w, Quantised):
    return linear.contract(equation, x, w)
  x, w = ungraded(x, w)
  y = jnp.einsum(
    equation, x, w.values.astype(x.dtype), preferred_element_type=jnp.float32
  )
  return (y * w.scales).astype(x.dtype)


def ungraded(given: Given, weights: Held) -> tuple[Given, Held]:
  """Both as they are; a gradient by either is refused.

  JAX would have an error of its own for int8, and for fp8 a gradient rounded to
  three bits. Asked for one by the int8 values themselves, `jax.grad` refuses
  in its own words, before anything is computed.

  Args:
    given: what the weights are multiplied with.
    weights: quantised ones, or something that holds some.

  Raises:
    TypeError: a derivative is taken.
  """
  # As a list: a derivative would be put into trees that hold no such thing.
  leaves, tree = jax.tree.flatten((given, weights))
  return tree.unflatten(_ungraded(leaves))


@jax.custom_jvp
def _ungraded(leaves: list[jax.Array]) -> list[jax.Array]:
  return leaves


@_ungraded.defjvp
def _refused(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> NoReturn:
  del tangents
  values = next(leaf for leaf in primals[0] if leaf.dtype.itemsize == 1)
  raise TypeError(
    f"weights of {values.dtype}{list(values.shape)} are quantised, and no "
    "gradient goes through them: it needs the weights themselves. Load the "
    "model without `quantise`, or use `quantised.dequantise(weights)`."
  )


def of(weights: Form, expert: jax.Array | int) -> Form:
  """The weights of one expert, of stacked ones."""
  take = functools.partial(
    jax.lax.dynamic_index_in_dim, index=expert, keepdims=False
  )
  return jax.tree.map(take, weights)


def _listed() -> str:
  return ", ".join(KINDS)
