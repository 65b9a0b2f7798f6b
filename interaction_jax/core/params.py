"""Parameters: drawn once, each knowing the letters of its axes.

A module of ours holds `nnx.Param`s and nothing else. The letters are kept as
plain metadata, not as Flax sharding annotations, which refuse to be built
without a mesh; `core/sharding.py` reads them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from interaction_jax.core import dims

Params = dict[str, Any]
"""A plain nested dict of arrays: what every public function takes."""


def normal(
  rngs: nnx.Rngs,
  axes: str,
  sizes: Mapping[str, int],
  *,
  std: float,
  dtype: jnp.dtype | str = "float32",
) -> nnx.Param[jax.Array]:
  """A parameter of independent normal values.

  Args:
    axes: its letters, such as `"D N H"`.
    sizes: the size of every letter.
    std: standard deviation.
  """
  shape = tuple(sizes[letter] for letter in dims.check(axes))
  value = jax.random.normal(rngs.params(), shape, jnp.float32) * std
  return nnx.Param(value.astype(dtype), axes=axes)


def constant(
  value: float,
  axes: str,
  sizes: Mapping[str, int],
  *,
  dtype: jnp.dtype | str = "float32",
) -> nnx.Param[jax.Array]:
  """A parameter that starts at one value everywhere."""
  shape = tuple(sizes[letter] for letter in dims.check(axes))
  return nnx.Param(jnp.full(shape, value, dtype), axes=axes)


def to_dict(module: nnx.Module) -> Params:
  """The arrays of a module as a plain nested dict, keys as strings."""
  pure = nnx.to_pure_dict(nnx.state(module))
  return jax.tree.map(lambda leaf: leaf, _with_string_keys(pure))


def bind(build: Callable[[jax.Array], nnx.Module], params: Params) -> Any:
  """The module that `build` describes, holding the arrays of `params`.

  Nothing is drawn: `build` is only traced for its structure. Meant for use
  while tracing; the module must not outlive the call.

  Raises:
    ValueError: a parameter is missing or unknown.
  """
  graphdef, state = nnx.split(jax.eval_shape(build, jax.random.key(0)))
  flat = dict(nnx.to_flat_state(state))
  given = {path: leaf for path, leaf in _leaves(params)}
  wanted = {tuple(str(key) for key in path): path for path in flat}
  missing = sorted("/".join(path) for path in wanted.keys() - given.keys())
  unknown = sorted("/".join(path) for path in given.keys() - wanted.keys())
  if missing or unknown:
    raise ValueError(
      f"params do not fit the model: missing {missing[:8]}, "
      f"unknown {unknown[:8]}."
    )
  for name, path in wanted.items():
    flat[path] = flat[path].replace(given[name])
  return nnx.merge(graphdef, nnx.from_flat_state(list(flat.items())))


def axes_of(build: Callable[[jax.Array], nnx.Module]) -> Params:
  """The letters of every parameter, in a tree like that of the parameters."""
  module = jax.eval_shape(build, jax.random.key(0))
  tree: Params = {}
  for path, leaf in nnx.to_flat_state(nnx.state(module)):
    node = tree
    for key in path[:-1]:
      node = node.setdefault(str(key), {})
    node[str(path[-1])] = leaf.get_metadata("axes")
  return tree


def _with_string_keys(tree: Any) -> Any:
  if isinstance(tree, Mapping):
    return {str(key): _with_string_keys(leaf) for key, leaf in tree.items()}
  return tree


def _leaves(params: Mapping[str, Any], path: tuple[str, ...] = ()):
  for key, leaf in params.items():
    if isinstance(leaf, Mapping):
      yield from _leaves(leaf, (*path, str(key)))
    else:
      yield (*path, str(key)), leaf
