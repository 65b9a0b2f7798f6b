"""Sessions of an engine that is spread over eight devices.

JAX fixes its devices when it starts, so what is compared runs in a process of
its own: this very file, as a program.
"""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import settings, sharding
from interaction_jax.data.synthetic import world
from interaction_jax.model import config, interaction
from interaction_jax.serve.conversation import Ready
from interaction_jax.serve.models import Model
from interaction_jax.serve.slots import Slots

MESH = "expert=4,tensor=2"
ROWS, PLAYED, TURNS = 8, 3, 2

# Sums of float32 numbers, split among devices and so in another order.
CLOSE = 1e-3


def settings_of_the_law():
  """The small model, in sizes that the mesh divides."""
  small = settings.load("tests/small.py").model
  words = world.vocabulary()
  backbone = dataclasses.replace(
    small.backbone,
    window_attention=config.AttentionConfig(6, 2, 8, 5),
    global_attention=config.AttentionConfig(8, 4, 7, 9),
    experts=config.ExpertConfig(
      num_routed=12, num_chosen=2, num_shared=3, width=16
    ),
  )
  text = config.TextConfig(
    table_size=words.table_size,
    vocab_size=words.table_size,
    first_control=words.first_control,
  )
  return dataclasses.replace(small, backbone=backbone, text=text)


def ready(seed, turn):
  rng = np.random.default_rng((seed, turn))
  return Ready(
    index=turn,
    heard=rng.normal(0, 0.1, 3200).astype(np.float32),
    tokens=(1, 2)[:turn],
    pair=None,
    lost=(0.0, 0.0),
    events=(),
  )


def play(model):
  """What some sessions made, and two that have the same past."""
  slots = Slots(model, ROWS)
  for row in range(PLAYED):
    slots.join(row, 5 + row, [3, 4])
  made = [
    slots.tick({row: ready(row, turn) for row in range(PLAYED)})
    for turn in range(TURNS)
  ]
  slots.load(ROWS - 1, slots.save(1))
  twins = slots.tick({1: ready(9, 9), ROWS - 1: ready(9, 9)})
  held = [leaf.sharding for leaf in jax.tree.leaves(slots._states[0])]
  return {
    "voice": np.stack([[one[row].voice for row in one] for one in made]),
    "text": [[one[row].text.tolist() for row in one] for one in made],
    "twins": bool(np.array_equal(*(one.voice for one in twins.values()))),
    "held": held,
  }


def main():
  """Prints how far a mesh is from one device, and what each device holds."""
  cfg, words = settings_of_the_law(), world.vocabulary()
  params = interaction.init(jax.random.key(0), cfg=cfg)
  alone = play(Model("one", "", cfg, params, words))
  mesh = sharding.mesh(MESH)
  places = sharding.shardings(interaction.axes(cfg), params, mesh)
  spread = jax.device_put(params, places)
  found = play(Model("many", "", cfg, spread, words, mesh=mesh, mesh_name=MESH))
  report = {
    "apart": float(jnp.abs(found["voice"] - alone["voice"]).max()),
    "loudest": float(jnp.abs(alone["voice"]).max()),
    "same_text": found["text"] == alone["text"],
    "twins": [alone["twins"], found["twins"]],
    "rings": list(
      {tuple(one.spec) for one in found["held"] if len(one.spec) == 3}
    ),
    "whole": sum(one.is_fully_replicated for one in found["held"]),
  }
  print(json.dumps(report))


@pytest.fixture(scope="module")
def report(on_eight_devices):
  return on_eight_devices(__file__)


def test_sessions_are_those_of_one_device(report):
  assert report["loudest"] > 0
  assert report["apart"] <= CLOSE * report["loudest"]
  assert report["same_text"]


def test_a_session_goes_on_in_another_row(report):
  assert report["twins"] == [True, True]


def test_each_device_remembers_its_own_sessions_and_heads(report):
  assert report["rings"] == [[["data", "fsdp", "expert"], None, "tensor"]]
  assert report["whole"] == 0


if __name__ == "__main__":
  main()
