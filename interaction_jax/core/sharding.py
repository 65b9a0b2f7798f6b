"""Letters to mesh axes: where every weight and activation lies.

A mesh has four axes. `data` repeats the model, `fsdp` splits weights that are
gathered when used, `expert` splits the experts, `tensor` splits heads and
feed-forward widths. Two tables say which letter of `core/dims.py` lies along
which axis, one for weights and one for activations, since D is split in the
first and whole in the second. Nothing else in the library names a mesh axis.
"""

import dataclasses
import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Key, Shaped

from interaction_jax.core import dims

AXES: Final[tuple[str, ...]] = ("data", "fsdp", "expert", "tensor")
"""The axes of every mesh of ours, outermost first."""

Table = Mapping[str, tuple[str, ...]]
"""The mesh axes along which a letter is split, outermost first."""

AnyMesh = Mesh | AbstractMesh
Tree = TypeVar("Tree")


def _check_axis(axis: str, where: str) -> None:
  if axis not in AXES:
    near = difflib.get_close_matches(axis, AXES, n=1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(
      f"{where}: {axis!r} is not a mesh axis; those are "
      f"{', '.join(AXES)}.{meant}"
    )


@dataclasses.dataclass(frozen=True)
class Rules:
  """Both tables. A letter that a table does not list is not split.

  Attributes:
    weights: for parameters and what has their shape, such as gradients.
    activations: for what `constrain` pins inside a model, and for batches.
    spare: axes along which activations are split as well where their size
      allows it.
  """

  weights: Table
  activations: Table
  spare: Table = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    for name in ("weights", "activations", "spare"):
      for letter, axes in getattr(self, name).items():
        dims.check(letter)
        for axis in axes:
          _check_axis(axis, f"rules.{name}[{letter!r}]={axes}")


RULES: Final = Rules(
  weights={
    "C": ("fsdp",),
    "D": ("fsdp",),
    "E": ("expert",),
    "F": ("tensor",),
    "K": ("tensor",),
    "N": ("tensor",),
    "V": ("tensor",),
  },
  activations={
    "B": ("data", "fsdp"),
    "E": ("expert",),
    "F": ("tensor",),
    "K": ("tensor",),
    "N": ("tensor",),
    "V": ("tensor",),
  },
  # Else devices that share a row's experts would all compute its attention.
  spare={"B": ("expert",)},
)
"""The tables used where none are given."""


def mesh(
  shape: Mapping[str, int] | str, *, devices: Sequence[Any] | None = None
) -> Mesh:
  """The mesh of `shape`, always with all four axes, in the order of `AXES`.

  Where devices lie in several slices of TPUs, `data` goes from slice to slice,
  and all other axes stay within one.

  Args:
    shape: the size of each axis, as a mapping or as a line such as
      `"data=2,expert=4"`. Axes not named have size 1; `""` is one device.
    devices: those to use, all of them; by default all that JAX sees.

  Raises:
    ValueError: `shape` cannot be read, needs another number of devices, or
      does not divide `data` among the slices.
  """
  sizes = _sizes(shape)
  devices = list(jax.devices() if devices is None else devices)
  needed = math.prod(sizes.values())
  if needed != len(devices):
    raise ValueError(
      f"mesh {_line(sizes)} needs {needed} devices, but there are "
      f"{len(devices)}; {_what_fits(sizes, len(devices))}."
    )
  slices: dict[int, list[Any]] = {}
  for device in devices:
    slices.setdefault(getattr(device, "slice_index", 0) or 0, []).append(device)
  if sizes["data"] % len(slices):
    raise ValueError(
      f"mesh {_line(sizes)}: data={sizes['data']} is not a multiple of the "
      f"{len(slices)} slices that the devices lie in; links end where a slice "
      "does."
    )
  one = {**sizes, "data": sizes["data"] // len(slices)}
  grid = np.concatenate(
    [
      mesh_utils.create_device_mesh(
        tuple(one.values()), members, allow_split_physical_axes=True
      )
      for _, members in sorted(slices.items())
    ]
  )
  # Auto is written out: JAX has changed its default, and Explicit axes would
  # put shardings into the types of everything a user passes in.
  return Mesh(np.asarray(grid), AXES, axis_types=(AxisType.Auto,) * len(AXES))


def planned(shape: Mapping[str, int] | str) -> AbstractMesh:
  """The mesh of `shape` without its devices, to plan for machines elsewhere.

  Raises:
    ValueError: `shape` cannot be read.
  """
  sizes = _sizes(shape)
  return AbstractMesh(
    tuple(sizes.values()), AXES, axis_types=(AxisType.Auto,) * len(AXES)
  )


def share(
  axes_tree: Any, shapes_tree: Any, mesh: AnyMesh, *, rules: Rules = RULES
) -> int:
  """Bytes of the parameters that lie on each device.

  Raises:
    ValueError: they do not fit; one line that names the first reason.
  """
  problems = check(axes_tree, shapes_tree, mesh, rules=rules)
  if problems:
    more = f" (and {len(problems) - 1} more reasons)" if problems[1:] else ""
    raise ValueError(f"mesh {_line(mesh.shape)}: {problems[0]}{more}")
  letters, shapes = by_name(axes_tree), by_name(shapes_tree)
  total = 0
  for name, leaf in shapes.items():
    split = _split(dims.check(letters[name]), rules.weights, mesh.shape)
    pieces = math.prod(mesh.shape[axis] for group in split for axis in group)
    total += leaf.size * leaf.dtype.itemsize // pieces
  return total


def spec(
  axes: str,
  table: Table,
  mesh: AnyMesh,
  *,
  shape: Sequence[int] | None = None,
) -> P:
  """Where an array with the letters `axes` lies on `mesh`.

  An array can be split along a mesh axis once: the first letter that asks for
  it has it, later ones stay whole. Axes that `mesh` lacks are left out.

  Args:
    shape: sizes, checked against the mesh where given.

  Raises:
    ValueError: a word is no letter, `shape` has another length, or a size is
      not a multiple of the devices it is split over.
  """
  letters = dims.check(axes)
  split = _split(letters, table, mesh.shape)
  if shape is not None:
    problems = _misfits(letters, split, shape, mesh.shape)
    if problems:
      raise ValueError(f"axes={axes!r}, {tuple(shape)}: {problems[0]}")
  return P(
    *(
      names if len(names) > 1 else names[0] if names else None
      for names in split
    )
  )


def shardings(
  axes_tree: Any, shapes_tree: Any, mesh: AnyMesh, *, rules: Rules = RULES
) -> Any:
  """A `NamedSharding` for every parameter, in a tree like that of the shapes.

  Args:
    axes_tree: the letters of each parameter, such as `"D N H"`.
    shapes_tree: anything with a `shape` at each leaf.

  Raises:
    ValueError: what `check` finds.
  """
  problems = check(axes_tree, shapes_tree, mesh, rules=rules)
  if problems:
    raise ValueError(" ".join(problems))
  leaves, treedef = jax.tree.flatten(shapes_tree)
  letters = jax.tree.leaves(axes_tree)
  return treedef.unflatten(
    NamedSharding(mesh, spec(axes, rules.weights, mesh, shape=leaf.shape))
    for axes, leaf in zip(letters, leaves, strict=True)
  )


def check(
  axes_tree: Any, shapes_tree: Any, mesh: AnyMesh, *, rules: Rules = RULES
) -> list[str]:
  """What keeps these parameters from lying on `mesh`, a line for each reason.

  The same reason in many layers is one line. An empty list means they fit.
  """
  letters, shapes = by_name(axes_tree), by_name(shapes_tree)
  if letters.keys() != shapes.keys():
    return [
      "The letters and the shapes are of different parameters: no letters "
      f"for {sorted(shapes.keys() - letters.keys())[:8]}, no shape for "
      f"{sorted(letters.keys() - shapes.keys())[:8]}."
    ]
  where: dict[str, list[str]] = {}
  for name, axes in letters.items():
    words = dims.check(axes)
    split = _split(words, rules.weights, mesh.shape)
    for problem in _misfits(words, split, shapes[name].shape, mesh.shape):
      where.setdefault(problem, []).append(name)
  return [
    f"{names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}: {problem}"
    for problem, names in where.items()
  ]


def init_sharded(
  init: Callable[[Key[Array, ""]], Tree],
  key: Key[Array, ""],
  axes_tree: Any,
  mesh: Mesh,
  *,
  rules: Rules = RULES,
) -> Tree:
  """Draws parameters where they will lie; none is ever whole on one device.

  The random bits are those of `jax.jit(init)(key)` on every mesh. What is
  computed from them in floating point may round otherwise by a few ulps.

  Raises:
    ValueError: what `check` finds.
  """
  places = shardings(axes_tree, jax.eval_shape(init, key), mesh, rules=rules)
  return jax.jit(init, out_shardings=places)(key)


def constrain(
  x: Shaped[Array, "..."], axes: str, *, rules: Rules = RULES
) -> Shaped[Array, "..."]:
  """Pins an activation to its place: at the seams between blocks, only there.

  Reads the mesh of `jax.set_mesh`. Without one `x` is returned as it is, and
  inside `jax.shard_map` the manual axes are left alone, so that a module works
  without a mesh, on one, and in code that is sharded by hand.

  Raises:
    ValueError: as `spec`.
  """
  current = jax.sharding.get_abstract_mesh()
  if current.empty:
    return x
  free = _free(current)
  where = _spread(axes, x.shape, current, rules, free)
  return jax.lax.with_sharding_constraint(x, where) if free else x


def place(
  axes: str, shape: Sequence[int], mesh: AnyMesh, *, rules: Rules = RULES
) -> NamedSharding:
  """Where an activation lies: that of a batch, or of what sessions remember.

  Raises:
    ValueError: as `spec`.
  """
  where = _spread(axes, shape, mesh, rules, frozenset(mesh.shape))
  return NamedSharding(mesh, where)


def local(
  run: Callable[..., jax.Array],
  inputs: Sequence[str],
  output: str,
  *,
  rules: Rules = RULES,
) -> Callable[..., jax.Array]:
  """`run` on each device's own piece of the activations, as a kernel wants it.

  Without a mesh, or where all its axes are manual already, it is `run`.

  Args:
    inputs: letters of each argument; the first letters of what is in a tree
      will do for all of it. The output has one of their shapes.

  Raises:
    ValueError: as `spec`.
  """
  current = jax.sharding.get_abstract_mesh()
  free = frozenset() if current.empty else _free(current)
  if not free:
    return run

  def spread(*arrays: Any) -> jax.Array:
    # A letter is split alike wherever it occurs.
    sizes = {}
    for axes, tree in zip(inputs, arrays, strict=True):
      sizes |= dict(zip(axes.split(), jax.tree.leaves(tree)[0].shape))  # noqa: B905

    def where(axes: str) -> P:
      shape = [sizes[letter] for letter in axes.split()]
      return _spread(axes, shape, current, rules, free)

    return jax.shard_map(
      run,
      in_specs=tuple(where(axes) for axes in inputs),
      out_specs=where(output),
      axis_names=set(free),
      check_vma=False,
    )(*arrays)

  return spread


def free() -> dict[str, int]:
  """The axes of the mesh in use along which XLA may move things, and sizes.

  Without a mesh, and inside `jax.shard_map` over all axes, there are none.
  """
  current = jax.sharding.get_abstract_mesh()
  if current.empty:
    return {}
  axes = _free(current)
  return {axis: current.shape[axis] for axis in AXES if axis in axes}


def dividing(
  letter: str,
  size: int,
  sizes: Mapping[str, int],
  *,
  rules: Rules = RULES,
) -> tuple[str, ...]:
  """The axes of `sizes` over which a dimension of activations can be split.

  Those that it is too small for are left out, and what comes after them.
  """
  fitting: list[str] = []
  wanted = (*rules.activations.get(letter, ()), *rules.spare.get(letter, ()))
  for axis in wanted:
    ways = math.prod(sizes.get(name, 1) for name in (*fitting, axis))
    if size % ways:
      break
    if axis in sizes:
      fitting.append(axis)
  return tuple(fitting)


def _free(mesh: AnyMesh) -> frozenset[str]:
  """The axes along which XLA may move things.

  An Explicit axis already stands in the type of an array, where a constraint
  would be an assertion; a Manual one is not ours to move along.
  """
  kinds = zip(mesh.axis_names, mesh.axis_types, strict=True)
  return frozenset(name for name, kind in kinds if kind == AxisType.Auto)


def _spread(
  axes: str,
  shape: Sequence[int],
  mesh: AnyMesh,
  rules: Rules,
  free: frozenset[str],
) -> P:
  """The place of an activation, with what spare axes it has room for."""
  table = {}
  for letter, size in zip(axes.split(), shape, strict=True):
    names = [axis for axis in rules.activations.get(letter, ()) if axis in free]
    for axis in rules.spare.get(letter, ()):
      ways = math.prod(mesh.shape[name] for name in [*names, axis])
      if axis in free and size % ways == 0:
        names.append(axis)
    table[letter] = tuple(names)
  return spec(axes, table, mesh, shape=shape)


def by_name(tree: Any) -> dict[str, Any]:
  """The leaves of a tree by their names, such as `layers/0/up`."""
  leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
  return {
    jax.tree_util.keystr(path, simple=True, separator="/"): leaf
    for path, leaf in leaves
  }


def nested(named: Mapping[str, Any]) -> dict[str, Any]:
  """The tree of dicts that leaves with such names come from."""
  tree: dict[str, Any] = {}
  for name, leaf in named.items():
    *parents, last = name.split("/")
    node = tree
    for parent in parents:
      node = node.setdefault(parent, {})
    node[last] = leaf
  return tree


def _sizes(shape: Mapping[str, int] | str) -> dict[str, int]:
  """The size of every axis, in order."""
  if isinstance(shape, str):
    words = [word.strip() for word in shape.split(",") if word.strip()]
    pairs = [_pair(word, shape) for word in words]
  else:
    pairs = list(shape.items())
  sizes: dict[str, int] = dict.fromkeys(AXES, 1)
  seen = set()
  for axis, size in pairs:
    _check_axis(axis, f"mesh {shape!r}")
    if axis in seen:
      raise ValueError(f"mesh {shape!r} names {axis!r} twice.")
    if size < 1:
      raise ValueError(f"mesh {shape!r}: {axis}={size} must be 1 or more.")
    seen.add(axis)
    sizes[axis] = size
  return sizes


def _pair(word: str, line: str) -> tuple[str, int]:
  axis, equals, size = word.partition("=")
  if not equals or not size.strip().removeprefix("-").isdecimal():
    raise ValueError(
      f"mesh {line!r}: {word!r} is not an axis and its size; "
      '"data=2,expert=4" is the form.'
    )
  return axis.strip(), int(size)


def _line(sizes: Mapping[str, int]) -> str:
  """`sizes` as the line that `mesh` reads."""
  named = {axis: size for axis, size in sizes.items() if size > 1}
  return ",".join(f"{axis}={size}" for axis, size in named.items()) or "data=1"


def _what_fits(sizes: Mapping[str, int], count: int) -> str:
  """The meshes of `count` devices that change one axis of `sizes`."""
  fits = []
  for axis, size in sizes.items():
    others = math.prod(sizes.values()) // size
    if count % others == 0:
      fits.append(_line({**sizes, axis: count // others}))
  if not fits:
    fits = [_line({axis: count}) for axis in AXES]
  return " or ".join(dict.fromkeys(fits)) + " would fit"


def _split(
  letters: Sequence[str], table: Table, sizes: Mapping[str, int]
) -> list[tuple[str, ...]]:
  """The mesh axes of every dimension; each axis is given away once."""
  taken: set[str] = set()
  split = []
  for letter in letters:
    axes = tuple(
      axis
      for axis in table.get(letter, ())
      if axis in sizes and axis not in taken
    )
    taken.update(axes)
    split.append(axes)
  return split


def _misfits(
  letters: Sequence[str],
  split: Sequence[tuple[str, ...]],
  shape: Sequence[int],
  sizes: Mapping[str, int],
) -> list[str]:
  """A sentence for every dimension that its mesh axes do not divide."""
  if len(letters) != len(shape):
    return [
      f"{' '.join(letters)!r} names {len(letters)} dimensions, the shape "
      f"{tuple(shape)} has {len(shape)}."
    ]
  problems = []
  for letter, axes, size in zip(letters, split, shape, strict=True):
    ways = math.prod(sizes[axis] for axis in axes)
    if size % ways == 0:
      continue
    named = " * ".join(f"{axis}={sizes[axis]}" for axis in axes)
    below = size // ways * ways
    near = f"{below} and {below + ways}" if below else f"{ways}"
    do = [str(way) for way in range(1, ways) if size % way == 0]
    problems.append(
      f"{letter}={size} ({dims.LETTERS[letter]}) cannot be split {ways} ways "
      f"over {named}; {letter}={near} can, or {' * '.join(axes)} of "
      f"{', '.join(do)}."
    )
  return problems
