"""A deep model's figures from those of shallow ones.

To compile all layers takes long, and they are of few kinds: dense or with
experts, seeing a window or everything. One more layer of a kind adds what it
adds, so three shallow models tell what a deep one takes:

    base     both dense layers, one of each other kind
    plus k   and one more of kind k
    deep     base + sum over k of (layers of kind k - 1) * (plus k - base)

That holds as far as the compiler's figures are linear. `checked` says how far
that is: a model with three layers of each kind, compiled and predicted.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from interaction_jax.evals.fit.program import Compiled, Section, section
from interaction_jax.evals.fit.roofline import Sum, add_up
from interaction_jax.evals.fit.topology import Topology
from interaction_jax.model.config import BackboneConfig, InteractionConfig

_FEW = 2
"""Layers of a kind up to which all of them are compiled."""

Part = tuple[Section, str]
"""A part of a program, and an operation in it."""


@dataclasses.dataclass(frozen=True)
class Figures:
  """What is told of a program, for each device; `Compiled`, added up.

  Attributes:
    sums: work by part of the program and operation.
  """

  arguments: float
  output: float
  temporaries: float
  code: float
  flops: float
  accessed: float
  sums: Mapping[Part, Sum]

  def plus(self, other: "Figures", times: float) -> "Figures":
    """Adds so many times the others."""
    numbers = {
      name: getattr(self, name) + times * getattr(other, name)
      for name in (
        "arguments", "output", "temporaries", "code", "flops", "accessed",
      )
    }  # fmt: skip
    nothing = Sum()
    sums = {
      part: self.sums.get(part, nothing).plus(
        other.sums.get(part, nothing), times
      )
      for part in {**self.sums, **other.sums}
    }
    return Figures(**numbers, sums=sums)

  def total(self, which: Section | None = None) -> Sum:
    """All work, or that of one part of the program."""
    total = Sum()
    for (part, _), one in self.sums.items():
      if which in (None, part):
        total = total.plus(one)
    return total


def figures(
  compiled: Compiled, topology: Topology, *, update: bool = False
) -> Figures:
  """The figures of one compiled program.

  Args:
    update: it is no micro-turn but an update, which has one part.
  """
  parts: dict[Part, list] = {}
  for work in compiled.works:
    where: Section = "update" if update else section(work)
    parts.setdefault((where, work.op), []).append(work)
  return Figures(
    arguments=float(compiled.arguments),
    output=float(compiled.output),
    temporaries=float(compiled.temporaries),
    code=float(compiled.code),
    flops=compiled.flops,
    accessed=compiled.accessed,
    sums={part: add_up(works, topology) for part, works in parts.items()},
  )


def shallow(cfg: InteractionConfig, layers: Sequence[int]) -> InteractionConfig:
  """The model with these of its layers alone."""
  backbone = cfg.backbone
  places = {layer: place for place, layer in enumerate(layers)}

  def kept(which: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(places[layer] for layer in which if layer in places)

  return dataclasses.replace(
    cfg,
    backbone=dataclasses.replace(
      backbone,
      num_layers=len(layers),
      global_layers=kept(backbone.global_layers),
      dense_layers=kept(backbone.dense_layers),
    ),
  )


def kinds(backbone: BackboneConfig) -> list[list[int]]:
  """The layers of each kind, in order."""
  found: dict[tuple[bool, str], list[int]] = {}
  for layer in range(backbone.num_layers):
    key = layer in backbone.dense_layers, backbone.kind(layer)
    found.setdefault(key, []).append(layer)
  return list(found.values())


def chosen(backbone: BackboneConfig, each: int) -> tuple[int, ...]:
  """So many layers of each kind, and all of those kinds that have few."""
  layers = [
    layer
    for kind in kinds(backbone)
    for layer in (kind if len(kind) <= _FEW else kind[:each])
  ]
  return tuple(sorted(layers))


def deep(
  backbone: BackboneConfig,
  figures_of: Callable[[tuple[int, ...]], Figures],
  *,
  each: Mapping[int, int] | None = None,
) -> Figures:
  """The figures of all layers, from those of few.

  Args:
    figures_of: compiles the model with these layers.
    each: how many layers of each kind there are to be, by its first layer;
      None: as many as there are.
  """
  base = chosen(backbone, 1)
  total = first = figures_of(base)
  for kind in kinds(backbone):
    wanted = len(kind) if each is None else each.get(kind[0], len(kind))
    if len(kind) <= _FEW or wanted == 1:
      continue
    more = figures_of(tuple(sorted((*base, kind[1]))))
    step = more.plus(first, -1.0)
    total = total.plus(step, float(wanted - 1))
  # The most that lives at one time may grow by less than nothing.
  low = max(total.temporaries, first.temporaries)
  return dataclasses.replace(total, temporaries=low)
