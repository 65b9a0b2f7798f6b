"""A model spread over eight devices equals the model on one.

JAX fixes its devices when it starts, so what is compared runs in a process of
its own: this very file, as a program.
"""

import dataclasses
import functools
import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interaction_jax.core import sharding
from interaction_jax.model import config, forward, interaction, state, step
from interaction_jax.ops import dispatch
from interaction_jax.turns import clock
from interaction_jax.turns.schema import Episode, Media, TurnInput, TurnOutput

MESHES = ("data=2,expert=4", "fsdp=2,expert=2,tensor=2")
WAYS = (dispatch.gathered, dispatch.grouped, dispatch.everyone)

# Sums over some dozens of float32 terms, split among devices and so in
# another order, in parts of the largest number.
CLOSE = 2e-5

# The hum's phase adds up a pitch that is close in this sense, over hundreds of
# radians.
CLOSE_IN_SOUND = 2e-4

BATCH, TURNS = 4, 2

CFG = config.InteractionConfig(
  backbone=config.BackboneConfig(
    width=24,
    num_layers=2,
    global_layers=(1,),
    dense_layers=(0,),
    dense_width=36,
    window_attention=config.AttentionConfig(4, 2, 10, 5),
    global_attention=config.AttentionConfig(8, 4, 6, 9),
    # So many experts that an episode's positions are sorted among them.
    experts=config.ExpertConfig(16, 2, 3, 14),
    bias_features=7,
    log_floor=6,
  ),
  text=config.TextConfig(table_size=40, vocab_size=38, first_control=30),
  audio=config.AudioConfig(num_mels=5, num_levels=7),
  video=config.VideoConfig(patch=6, num_layers=3, rows=2, columns=1),
  # Fewer than a turn or two bring.
  memory=config.MemoryConfig(pinned=3, text=8, media=9, block=17),
  turn=config.TurnConfig(text_in=5, text_out=3),
  flow=config.FlowConfig(width=12, num_layers=1, past_frames=7),
  vocoder=config.VocoderConfig(width=16, num_layers=1, num_pitches=20),
)


def shake(params):
  """Moves what starts at 0 or 1, the same everywhere."""
  leaves, treedef = jax.tree.flatten(params)
  return treedef.unflatten(
    leaf + 0.2 * jnp.cos(jnp.arange(leaf.size) * (i + 1.0)).reshape(leaf.shape)
    for i, leaf in enumerate(leaves)
  )


def init(key):
  return shake(interaction.init(key, cfg=CFG))


def normal(rng, *shape):
  return jnp.asarray(rng.normal(0, 0.1, shape), jnp.float32)


def tokens(rng, *shape):
  return jnp.asarray(rng.integers(0, 38, shape), jnp.int32)


def frames(rng, *shape):
  return jnp.asarray(rng.integers(0, 256, (*shape, 2, 12, 6, 3)), jnp.uint8)


def episode(rng):
  """Everything an episode can have."""
  shape, voice = (BATCH, TURNS), CFG.vocoder
  count = functools.partial(rng.integers, 0, 4, shape)
  return Episode(
    start=jnp.arange(BATCH, dtype=jnp.int32),
    num_turns=jnp.asarray([2, 1, 2, 2], jnp.int32),
    heard=normal(rng, *shape, clock.SAMPLES),
    voice=normal(rng, *shape, clock.SAMPLES),
    speaks=jnp.asarray(rng.random(shape) < 0.7),
    mel=normal(rng, *shape, voice.frames_per_turn, voice.num_mels),
    text_in=tokens(rng, *shape, 5),
    num_text_in=jnp.asarray(count(), jnp.int32),
    text_out=tokens(rng, *shape, 3),
    num_text_out=jnp.asarray(count(), jnp.int32),
    pinned=tokens(rng, BATCH, 4),
    num_pinned=jnp.asarray([3, 0, 1, 2], jnp.int32),
    frames=frames(rng, BATCH, 1),
    frames_of=jnp.asarray([[0, -1], [-1, -1], [-1, 0], [0, 0]], jnp.int32),
    lost=jnp.asarray(rng.random((*shape, 2)), jnp.float32),
  )


def loss(params, episode):
  found = forward.forward(params, episode, cfg=CFG)
  told = {"logits": found.logits, "gate": found.gate, "hidden": found.hidden}
  # Turns that are no turns may hold anything.
  real = jnp.arange(TURNS) < episode.num_turns[:, None]
  told = {
    name: jnp.where(real.reshape(real.shape + (1,) * (x.ndim - 2)), x, 0.0)
    for name, x in told.items()
  }
  return sum(jnp.sin(x).mean() for x in told.values()), told


def talk(params, media, turns):
  """A session that is told something, and then hears and answers."""
  seeds = jnp.arange(BATCH, dtype=jnp.uint32)
  begun = state.start(seeds, cfg=CFG)
  begun = step.absorb(params, begun, media, cfg=CFG)
  # So that some speak and some do not.
  sampling = config.SamplingConfig(temperature=1.0, gate_temperature=4.0)
  _, output = step.stream(params, begun, turns, cfg=CFG, sampling=sampling)
  return vars(output)


def session(rng):
  """What `talk` takes."""
  media = Media(
    active=jnp.ones(BATCH, bool),
    text=tokens(rng, BATCH, 4),
    num_text=jnp.asarray([3, 0, 4, 2], jnp.int32),
    pinned=jnp.asarray([True, False, False, True]),
    frames=frames(rng, BATCH),
    has_frames=jnp.asarray([True, True, False, True]),
  )
  turns = TurnInput(
    active=jnp.asarray([[True] * BATCH, [True, False, True, True]]),
    heard=normal(rng, TURNS, BATCH, clock.SAMPLES),
    text=tokens(rng, TURNS, BATCH, 5),
    num_text=jnp.asarray(rng.integers(0, 6, (TURNS, BATCH)), jnp.int32),
    lost=jnp.asarray(rng.random((TURNS, BATCH, 2)), jnp.float32),
  )
  return media, turns


def spread(way, x, routing, weights):
  """The value and the gradients of one dispatch."""

  def total(x, weights):
    return jnp.sum(jnp.sin(dispatch.across(way, x, routing, weights)))

  return jax.value_and_grad(total, argnums=(0, 1))(x, weights)


def dispatched():
  """Each dispatch on the same numbers."""
  rng = np.random.default_rng(1)

  def normal(*shape):
    return jnp.asarray(rng.normal(size=shape), jnp.float32)

  experts = np.stack([rng.choice(8, 3, replace=False) for _ in range(11)])
  routing = dispatch.Routing(
    jnp.sort(jnp.asarray(experts, jnp.int32)), normal(11, 3), normal(11, 1)
  )
  weights = dispatch.ExpertWeights(
    normal(8, 6, 7), normal(8, 6, 7), normal(8, 7, 6)
  )
  x = normal(11, 6)
  return {
    way.__name__: jax.jit(functools.partial(spread, way))(x, routing, weights)
    for way in WAYS
  }


def everything(params, episode, session):
  """All that is compared, by name."""
  graded = jax.jit(jax.value_and_grad(loss, has_aux=True))
  (value, told), gradients = graded(params, episode)
  made = jax.jit(talk)(params, *session)
  return {
    "loss": value,
    "gradients": gradients,
    **{f"forward/{name}": leaf for name, leaf in told.items()},
    **{f"step/{name}": leaf for name, leaf in made.items()},
    **dispatched(),
  }


def apart(got, wanted):
  """The largest difference, in parts of the largest number."""
  got, wanted = (
    [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(tree)]
    for tree in (got, wanted)
  )
  diff = max(np.abs(a - b).max() for a, b in zip(got, wanted, strict=True))
  return float(diff / max(1e-30, *(np.abs(b).max() for b in wanted)))


def main():
  """Prints how far each mesh is from one device."""
  key = jax.random.key(0)
  rng = np.random.default_rng(0)
  given = episode(rng), session(rng)
  params = jax.jit(init)(key)
  wanted = everything(params, *given)
  report = {"devices": jax.device_count()}
  for line in MESHES:
    mesh = sharding.mesh(line)
    split = sharding.init_sharded(init, key, interaction.axes(CFG), mesh)
    with jax.set_mesh(mesh):
      got = everything(split, *given)
    whole = sum(leaf.size for leaf in jax.tree.leaves(params))
    held = sum(
      leaf.addressable_shards[0].data.size for leaf in jax.tree.leaves(split)
    )
    experts = split["backbone"]["layers"]["1"]["feed"]["gate"]
    report[line] = {
      "params": apart(split, params),
      "held": held / whole,
      "experts": experts.addressable_shards[0].data.shape[0],
      **{name: apart(got[name], wanted[name]) for name in wanted},
    }
  print(json.dumps(report))


@pytest.fixture(scope="module")
def report(root):
  flags = "--xla_force_host_platform_device_count=8"
  done = subprocess.run(
    [sys.executable, __file__],
    cwd=root,
    env={
      **os.environ,
      "XLA_FLAGS": flags,
      "JAX_PLATFORMS": "cpu",
      # Each program runs once: most of its time would be the compiler's.
      "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
      "PYTHONPATH": str(root),
    },
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr[-4000:]
  return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("line", MESHES)
def test_eight_devices_equal_one(report, line):
  assert report["devices"] == 8
  found = report[line]
  compared = {"loss", "gradients", "params"}
  compared |= {f"forward/{name}" for name in ("logits", "gate", "hidden")}
  compared |= {f"step/{field.name}" for field in dataclasses.fields(TurnOutput)}
  compared |= {way.__name__ for way in WAYS}
  limits = dict.fromkeys(compared, CLOSE) | {"step/voice": CLOSE_IN_SOUND}
  off = {n: found[n] for n, limit in limits.items() if found[n] > limit}
  assert off == {}


@pytest.mark.parametrize(
  ("line", "experts", "share"),
  [(MESHES[0], 4, 0.9), (MESHES[1], 8, 0.6)],
  ids=MESHES,
)
def test_no_device_holds_the_whole_model(report, line, experts, share):
  assert report[line]["held"] < share
  assert report[line]["experts"] == experts


@pytest.mark.parametrize(
  ("line", "letter"), [("expert=3", "E=16"), ("tensor=8", "K=2")]
)
def test_a_mesh_that_does_not_divide_the_model_is_named(line, letter):
  shapes = jax.eval_shape(init, jax.random.key(0))
  problems = sharding.check(
    interaction.axes(CFG), shapes, sharding.planned(line)
  )
  assert any(letter in problem and "can" in problem for problem in problems)
  assert all("\n" not in problem for problem in problems)


if __name__ == "__main__":
  main()
