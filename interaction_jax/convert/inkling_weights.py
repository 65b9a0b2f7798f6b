"""An Inkling checkpoint's tensors, laid out as our parameters."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from interaction_jax.convert import inkling_config, inkling_names, pieces
from interaction_jax.convert.inkling_names import Path, Source
from interaction_jax.convert.tensors import Stored, Tensors
from interaction_jax.core import sharding
from interaction_jax.core.params import Params
from interaction_jax.model import config, interaction

_TOWERS: Final = (("embed", "audio"), ("embed", "video"))
"""Where the parameters lie that a model of text alone lacks."""


_MULTI_TOKEN: Final = ("model.mtp.", "mtp.")
"""Tensors of the multi-token layers, which the backbone does not need."""


@dataclasses.dataclass(frozen=True)
class Survey:
  """What a checkpoint holds; nothing is read yet.

  Attributes:
    source: the numbers it came with.
    cfg: our model.
    stored: where our parameters lie, by name; those it lacks are left out.
    unused: tensors that nothing of ours takes.
  """

  source: inkling_config.Inkling
  cfg: config.InteractionConfig
  stored: Mapping[str, Stored]
  unused: tuple[str, ...]


def survey(directory: str | pathlib.Path, *, dtype: str) -> Survey:
  """Finds every parameter among the tensors of a checkpoint.

  Args:
    dtype: that the parameters are to have.

  Raises:
    FileNotFoundError: a file is missing.
    ValueError: a tensor is missing, is of another shape than `config.json`
      asks for, is not accounted for, or holds other numbers than fractions.
  """
  source = inkling_config.read(directory)
  cfg = dataclasses.replace(source.model, param_dtype=dtype)
  tensors = Tensors(directory)
  table = inkling_names.sources(cfg)
  if not source.multimodal:
    table = {
      path: row for path, row in table.items() if path[:2] not in _TOWERS
    }
  found = inkling_names.resolve(table, tensors)
  missing = inkling_names.missing(table, found)
  if missing:
    raise ValueError(
      f"{directory} lacks {len(missing)} tensors that its config.json asks "
      f"for: {', '.join(missing[:8])}{' ...' if len(missing) > 8 else ''}."
    )
  shapes = sharding.by_name(interaction.shapes(cfg))
  stored = {
    "/".join(path): _laid_out(source, tensors[source.name], path, shapes)
    for path, source in found.items()
  }
  _check_all_taken(tensors, found, shapes)
  taken = {row.name for row in found.values()}
  unused = tuple(sorted(tensors.keys() - taken))
  astray = [name for name in unused if not name.startswith(_MULTI_TOKEN)]
  if astray:
    raise ValueError(
      f"{directory} holds {len(astray)} tensors that its config.json does "
      f"not account for: {', '.join(astray[:8])}."
    )
  return Survey(source, cfg, stored, unused)


def filled(
  found: Survey, *, seed: int, mesh: Mesh | None = None
) -> tuple[Params, tuple[str, ...]]:
  """Every parameter from its tensor, and those without one drawn.

  Args:
    mesh: on which they lie; None: on one device.

  Returns:
    The parameters, and the names of those that were drawn.

  Raises:
    ValueError: the parameters do not fit the mesh, or a file has become
      shorter.
  """
  shapes = _placed(found.cfg, mesh)
  wanted = {name: leaf for name, leaf in shapes.items() if name in found.stored}
  named = pieces.arrays(found.stored, wanted)
  new = tuple(sorted(shapes.keys() - wanted.keys()))
  bare = _bare(found.cfg, towers=any(_tower(name) for name in new))
  drawn = sharding.by_name(interaction.init(jax.random.key(seed), cfg=bare))
  for name in new:
    named[name] = jax.device_put(drawn[name], shapes[name].sharding)
  # In the order of the tree, so that a tree of them has it too.
  named = {name: named[name] for name in shapes}
  # Memory that did not suffice is told here, not where an array is first read.
  return jax.block_until_ready(sharding.nested(named)), new


def _placed(
  cfg: config.InteractionConfig, mesh: Mesh | None
) -> dict[str, jax.ShapeDtypeStruct]:
  """The shape, the type and the place of every parameter."""
  shapes = interaction.shapes(cfg)
  named = sharding.by_name(shapes)
  if mesh is None:
    return named
  places = sharding.shardings(interaction.axes(cfg), shapes, mesh)
  return {
    name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)
    for (name, leaf), place in zip(
      named.items(), sharding.by_name(places).values(), strict=True
    )
  }


def _laid_out(
  source: Source, tensor: Stored, path: Path, shapes: Mapping[str, Any]
) -> Stored:
  """A parameter as it stands in its tensor."""
  name = "/".join(path)
  want = shapes[name]
  if not jnp.issubdtype(tensor.dtype, jnp.floating):
    raise ValueError(
      f"{source.name} holds {tensor.dtype}; weights are floating-point numbers."
    )
  try:
    stored = tensor.arranged(source.layout)
  except (IndexError, ValueError):
    # So wrong that it cannot even be cut.
    raise ValueError(
      f"{source.name} of shape {tensor.shape} cannot give {name}; config.json "
      f"asks for {want.shape}."
    ) from None
  if stored.shape != want.shape:
    raise ValueError(
      f"{source.name} gives {name} the shape {stored.shape}; config.json asks "
      f"for {want.shape}."
    )
  return stored


def _check_all_taken(
  tensors: Mapping[str, Stored],
  found: Mapping[Path, Source],
  shapes: Mapping[str, Any],
) -> None:
  """Raises where a tensor has numbers that no parameter takes."""
  left: dict[str, int] = {}
  for path, source in found.items():
    held = left.get(source.name, tensors[source.name].size)
    left[source.name] = held - shapes["/".join(path)].size
  for name, size in left.items():
    if size:
      raise ValueError(
        f"{name} has the shape {tensors[name].shape}, {size} numbers more "
        "than config.json asks for."
      )


def _tower(name: str) -> bool:
  return tuple(name.split("/")[:2]) in _TOWERS


def _bare(
  cfg: config.InteractionConfig, *, towers: bool
) -> config.InteractionConfig:
  """The same model with next to nothing of what Inkling has.

  What it lacks depends on none of that, and is drawn without the rest.

  Args:
    towers: whether the audio and the vision tower are kept as they are.
  """
  heads = config.AttentionConfig(1, 1, 1, 1)
  backbone = config.BackboneConfig(
    width=cfg.backbone.width,
    num_layers=1,
    global_layers=(),
    dense_layers=(0,),
    dense_width=1,
    window_attention=heads,
    global_attention=heads,
    experts=config.ExpertConfig(1, 1, 1, 1),
  )
  bare = dataclasses.replace(
    cfg, backbone=backbone, text=config.TextConfig(1, 1)
  )
  if towers:
    return bare
  return dataclasses.replace(
    bare,
    audio=dataclasses.replace(cfg.audio, num_mels=1, num_levels=2),
    video=dataclasses.replace(cfg.video, patch=1, frames=1, num_layers=1),
  )
