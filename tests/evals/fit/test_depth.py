import dataclasses

import pytest

from interaction_jax.core import settings
from interaction_jax.evals.fit import depth, topology
from interaction_jax.evals.fit.depth import Figures
from interaction_jax.evals.fit.hlo import Work
from interaction_jax.evals.fit.program import Compiled
from interaction_jax.evals.fit.roofline import Sum

WHERE = topology.parse("v5p:2x2x4")


@pytest.fixture(scope="module")
def full(root):
  return settings.load(root / "configs" / "interaction_276b.py").model


def of_layers(backbone, layers):
  """Figures to which each kind of layer adds a number of its own."""
  adds = {
    (True, "window"): 3.0,
    (False, "window"): 7.0,
    (False, "global"): 40.0,
  }
  total = 100.0 + sum(
    adds[layer in backbone.dense_layers, backbone.kind(layer)]
    for layer in layers
  )
  return Figures(
    arguments=2 * total,
    output=1.0,
    temporaries=50.0,
    code=total,
    flops=3 * total,
    accessed=4 * total,
    sums={("pass", "fusion"): Sum(moved=total), ("text", "fusion"): Sum()},
  )


def test_the_kinds_of_layers_of_the_full_size(full):
  window, dense, everywhere = sorted(
    depth.kinds(full.backbone), key=len, reverse=True
  )[0], [0, 1], list(range(5, 42, 6))  # fmt: skip
  assert sorted(map(tuple, depth.kinds(full.backbone))) == sorted(
    map(tuple, (dense, window, everywhere))
  )
  assert (len(dense), len(window), len(everywhere)) == (2, 33, 7)
  assert depth.chosen(full.backbone, 1) == (0, 1, 2, 5)
  assert depth.chosen(full.backbone, 3) == (0, 1, 2, 3, 4, 5, 11, 17)


def test_a_shallow_model_keeps_the_kinds_of_its_layers(full):
  cfg = depth.shallow(full, (0, 2, 5, 11))
  backbone = cfg.backbone
  assert backbone.num_layers == 4
  assert backbone.dense_layers == (0,)
  assert backbone.global_layers == (2, 3)
  assert cfg == dataclasses.replace(full, backbone=backbone)


def test_what_is_linear_is_told_exactly(full):
  asked = []

  def figures_of(layers):
    asked.append(layers)
    return of_layers(full.backbone, layers)

  found = depth.deep(full.backbone, figures_of)
  assert found == of_layers(full.backbone, range(42))
  # 100 + 2 x 3 + 33 x 7 + 7 x 40.
  assert found.sums["pass", "fusion"].moved == 617.0
  assert asked == [(0, 1, 2, 5), (0, 1, 2, 3, 5), (0, 1, 2, 5, 11)]


def test_fewer_layers_than_there_are_can_be_told_of(full):
  found = depth.deep(
    full.backbone,
    lambda layers: of_layers(full.backbone, layers),
    each={0: 2, 2: 3, 5: 3},
  )
  assert found == of_layers(full.backbone, depth.chosen(full.backbone, 3))


def test_what_lives_at_one_time_never_becomes_less(full):
  def figures_of(layers):
    less = of_layers(full.backbone, layers)
    return dataclasses.replace(less, temporaries=50.0 - len(layers))

  assert depth.deep(full.backbone, figures_of).temporaries == 46.0


def test_work_is_added_up_by_part_and_operation():
  works = (
    Work("fusion", "jit(f)/take_in/x", moved=4),
    Work("fusion", "jit(f)/listen/x", moved=8),
    Work("copy", "jit(f)/take_in/x", moved=16),
    Work("fusion", "jit(f)/write/while/body/x", moved=32, open=True),
  )
  compiled = Compiled(
    weights=1, cache=2, arguments=3, output=4, temporaries=5, code=6,
    works=works, flops=7.0, accessed=8.0,
  )  # fmt: skip
  found = depth.figures(compiled, WHERE)
  moved = {part: one.moved for part, one in found.sums.items()}
  assert moved == {
    ("pass", "fusion"): 4.0,
    ("voice", "fusion"): 8.0,
    ("pass", "copy"): 16.0,
    ("text", "fusion"): 32.0,
  }
  assert found.total().moved == 60.0
  assert found.total("pass").moved == 20.0
  whole = depth.figures(compiled, WHERE, update=True)
  assert whole.total("update").moved == whole.total().moved == 60.0
