"""Programs compiled for the devices of the tests, and what is told of them.

Run as a program, the file quantises on eight fake devices (`EIGHT`) and prints
what they hold, as arrays and by the numbers of `fit`.
"""

import dataclasses
import functools
import json
import math
from pathlib import Path

import jax
import pytest

from interaction_jax.core import settings, sharding
from interaction_jax.evals.fit import program
from interaction_jax.evals.fit.hlo import Work
from interaction_jax.model import interaction
from interaction_jax.model import state as states
from interaction_jax.ops import quantised
from interaction_jax.train import feed

KINDS = ("int8", "fp8")
EIGHT = "fsdp=2,expert=4"


@pytest.fixture(scope="module")
def small(root):
  return settings.load(root / "tests" / "small.py")


@pytest.fixture(scope="module")
def compiled(small):
  mesh = sharding.mesh("", devices=jax.devices()[:1])
  return program.compile_step(small.model, 3, mesh)


def size(tree):
  return sum(
    math.prod(leaf.shape) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(tree)
  )


def test_weights_and_memories_are_those_of_the_model(small, compiled):
  cfg = small.model
  params = jax.eval_shape(
    functools.partial(interaction.init, cfg=cfg), jax.random.key(0)
  )
  state = [leaf for _, leaf in states.shapes(3, cfg=cfg)[0]]
  assert compiled.weights == size(params)
  assert compiled.cache == size(state)
  # Besides them there is one turn of three sessions: 3200 samples each, text,
  # and a few numbers.
  turn = 3 * (4 * 3200 + 4 * cfg.turn.text_in + 1 + 4 + 8)
  assert compiled.arguments == compiled.weights + compiled.cache + turn


def test_what_comes_out_beside_the_state_is_small(compiled):
  # A state is used up: what comes out lies where it lay.
  assert 0 < compiled.output < compiled.cache


def test_text_is_the_part_that_nobody_knows_the_end_of(compiled):
  parts = {program.section(work) for work in compiled.works}
  assert parts == {"pass", "text", "voice"}
  # Both read each matrix of the backbone: a text pass at least once.
  flops = {
    part: sum(w.flops * w.times for w in compiled.works
              if program.section(w) == part)
    for part in parts
  }  # fmt: skip
  assert flops["pass"] > 5 * flops["text"] > 0


@pytest.mark.parametrize(
  ("scope", "is_open", "part"),
  [
    ("jit(flat)/take_in/BTD,DF->BTF/dot_general", False, "pass"),
    ("jit(flat)/listen/jit(fft)/dot", False, "voice"),
    ("jit(flat)/speak/cond/branch_1_fun/gather", False, "voice"),
    ("jit(flat)/write/while/body/speak", True, "text"),
    ("jit(flat)/take_in/while/body/ETD,EDF->ETF", True, "pass"),
    ("", False, "pass"),
    ("jit(flat)/take_in/listener", False, "pass"),
  ],
)
def test_parts_are_told_by_their_scopes(scope, is_open, part):
  assert program.section(Work("fusion", scope, open=is_open)) == part


def test_bytes_of_a_mesh_without_its_devices(small):
  mesh = sharding.planned("data=2,expert=11")
  shapes = jax.eval_shape(
    functools.partial(interaction.init, cfg=small.model), jax.random.key(0)
  )
  weights, cache = program.step_bytes(small.model, 44, mesh)
  assert weights == sharding.share(interaction.axes(small.model), shapes, mesh)
  # Sessions lie along data, and along experts as far as they go.
  assert cache == program.step_bytes(small.model, 2, sharding.planned(""))[1]


def test_a_mesh_that_does_not_divide_the_model_is_refused(small):
  with pytest.raises(ValueError, match=r"E=11 .*4"):
    program.step_bytes(small.model, 44, sharding.planned("expert=4"))


def test_training_holds_weights_averages_and_moments(small):
  mesh = sharding.planned("")
  weights, batch = program.update_bytes(small, mesh)
  served, _ = program.step_bytes(small.model, 1, mesh)
  # Weights, averages, two moments; the vocoder, trained by itself, has none.
  assert 3.5 * served < weights < 4 * served + 100
  # The sound of both sides alone.
  turns = feed.form(small).num_turns
  assert batch > 2 * small.train.batch * turns * 3200 * 4


def test_a_batch_that_cannot_be_spread_is_refused(small):
  with pytest.raises(
    ValueError, match=r"train\.batch=8 cannot be split 3 ways"
  ):
    program.update_bytes(small, sharding.planned("data=3"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("line", ["", "data=2,expert=11", "fsdp=2,expert=11"])
def test_quantised_experts_take_a_byte_a_number(small, kind, line):
  mesh = sharding.planned(line)
  ways = math.prod(mesh.shape.values())
  wide = program.step_bytes(small.model, ways, mesh)
  told = program.step_bytes(small.model, ways, mesh, quantise={"experts": kind})
  backbone = small.model.backbone
  num, width, inner = 11, backbone.width, backbone.experts.width
  here = num // mesh.shape["expert"]
  # Widths of the model lie along fsdp, and those of `down` are its channels.
  part = width // mesh.shape["fsdp"]
  numbers = 3 * here * part * inner
  scales = here * (2 * inner + part)
  assert wide[0] - told[0] == 3 * numbers - 4 * scales
  assert wide[1] == told[1]


def test_on_many_devices_they_lie_as_a_server_has_them(on_eight_devices):
  found = on_eight_devices("tests/evals/fit/test_program.py")
  assert found.keys() == set(KINDS)
  for told in found.values():
    assert told["weights"] == told["held"]
    assert told["places"] == told["wanted"]
    assert told["temporaries"] > 0 and told["works"] > 100
    # A turn of one session beside them, as one device sees it.
    assert told["arguments"] - told["weights"] - told["cache"] == (
      4 * 3200 + 4 * 5 + 1 + 4 + 8
    )


def test_a_model_without_experts_cannot_be_quantised(small):
  backbone = dataclasses.replace(small.model.backbone, dense_layers=(0, 1))
  dense = dataclasses.replace(small.model, backbone=backbone)
  with pytest.raises(ValueError, match="the model has no routed experts"):
    program.step_bytes(
      dense, 1, sharding.planned(""), quantise={"experts": "int8"}
    )


def _held(kind):
  """What `fit` tells of quantised experts, and what arrays of them take."""
  root = Path(__file__).parents[3]
  experiment = settings.override(
    settings.load(root / "tests" / "small.py"),
    ["model.backbone.experts.num_routed=12"],
  )
  cfg, mesh = experiment.model, sharding.mesh(EIGHT)
  chosen = {"experts": kind}
  made = program.compile_step(cfg, 8, mesh, quantise=chosen)
  params = sharding.init_sharded(
    functools.partial(interaction.init, cfg=cfg),
    jax.random.key(0),
    interaction.axes(cfg),
    mesh,
  )
  ready = sharding.by_name(params)
  for name, one in interaction.in_a_byte(cfg, chosen).items():
    ready[name] = quantised.convert(ready[name], one)
  wanted = jax.tree.leaves(sharding.nested(ready))
  planned = jax.tree.leaves(program._weights(cfg, mesh, chosen))
  return {
    "weights": made.weights,
    "held": sum(leaf.addressable_shards[0].data.nbytes for leaf in wanted),
    "places": [
      str((leaf.shape, leaf.dtype, leaf.sharding)) for leaf in planned
    ],
    "wanted": [str((leaf.shape, leaf.dtype, leaf.sharding)) for leaf in wanted],
    "arguments": made.arguments,
    "cache": made.cache,
    "temporaries": made.temporaries,
    "works": len(made.works),
  }


if __name__ == "__main__":
  print(json.dumps({kind: _held(kind) for kind in KINDS}))
