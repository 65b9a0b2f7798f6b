"""Parameters: drawn once, each knowing the letters of its axes.

A module of ours holds `nnx.Param`s and nothing else. The letters are kept as
plain metadata, not as Flax sharding annotations, which refuse to be built
without a mesh; `core/sharding.py` reads them.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from interaction_jax.core import dims

Params = dict[str, Any]
"""A plain nested dict of arrays: what every public function takes.

In serving, some are `ops/quantised.py`'s in place of arrays.
"""

_OUTLINING = contextvars.ContextVar("outlining", default=False)
"""Whether parameters are made as shapes, with nothing in them."""


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
  if _OUTLINING.get():
    return _hollow(shape, axes, dtype)
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
  if _OUTLINING.get():
    return _hollow(shape, axes, dtype)
  return nnx.Param(jnp.full(shape, value, dtype), axes=axes)


def outline(build: Callable[[jax.Array], nnx.Module]) -> Any:
  """The module that `build` describes, with shapes in place of arrays.

  Nothing is drawn, nor traced, which takes ten times as long: every program
  asks for it, and so does every start.
  """
  made: list[nnx.Module] = []
  with _outlining():
    # The key is an abstract one, and nobody asks for it.
    jax.eval_shape(lambda key: made.append(build(key)), jax.random.key(0))
  return made[0]


def to_dict(module: nnx.Module) -> Params:
  """The arrays of a module as a plain nested dict, keys as strings."""
  pure = nnx.to_pure_dict(nnx.state(module))
  return jax.tree.map(lambda leaf: leaf, _with_string_keys(pure))


def bind(build: Callable[[jax.Array], nnx.Module], params: Params) -> Any:
  """The module that `build` describes, holding the arrays of `params`.

  Nothing is drawn: see `outline`. Meant for use while tracing; the module must
  not outlive the call.

  Raises:
    ValueError: a parameter is missing or unknown.
  """
  graphdef, state = nnx.split(outline(build))
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
  tree: Params = {}
  for path, leaf in nnx.to_flat_state(nnx.state(outline(build))):
    node = tree
    for key in path[:-1]:
      node = node.setdefault(str(key), {})
    node[str(path[-1])] = leaf.get_metadata("axes")
  return tree


def _hollow(shape: tuple[int, ...], axes: str, dtype: Any) -> Any:
  """A parameter without numbers."""
  return nnx.Param(jax.ShapeDtypeStruct(shape, dtype), axes=axes)


@contextlib.contextmanager
def _outlining() -> Iterator[None]:
  token = _OUTLINING.set(True)
  try:
    yield
  finally:
    _OUTLINING.reset(token)


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
