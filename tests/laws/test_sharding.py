"""A model spread over eight devices equals the model on one.

JAX fixes its devices when it starts, so what is compared runs in a process of
its own: this very file, as a program.
"""

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
from interaction_jax.model import config, interaction, step
from interaction_jax.model import state as states
from interaction_jax.model.backbone import memory
from interaction_jax.model.heads import vocoder
from interaction_jax.ops import dispatch, exchange
from interaction_jax.turns.schema import Media, TurnInput

MESHES = ("data=2,expert=4", "fsdp=2,expert=2,tensor=2")
WAYS = (dispatch.gathered, dispatch.grouped, dispatch.everyone)

# Sums over some dozens of float32 terms, split among devices and so in
# another order, in parts of the largest number.
CLOSE = 2e-5

BATCH, LENGTH, PIECE, TURNS = 4, 20, 5, 3

# All that a turn makes.
MADE = ("text", "num_text", "gate", "mel", "voice", "remembered")

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
  memory=config.MemoryConfig(pinned=3, text=8, media=9, block=12),
  turn=config.TurnConfig(text_in=3, text_out=2),
  flow=config.FlowConfig(width=12, num_layers=1),
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


def loss(params, ids):
  model = interaction.bind(params, cfg=CFG)
  kind = jnp.ones_like(ids)
  hidden = model.backbone.episode(model.embed.text(ids), kind, kind > 0).hidden
  logits = model.heads.text(hidden)
  each = jax.nn.log_softmax(logits[:, :-1], axis=-1)
  said = jnp.take_along_axis(each, ids[:, 1:, None], axis=-1)
  return -said.mean(), logits


def stream(params, ids):
  model = interaction.bind(params, cfg=CFG)
  past = memory.empty(CFG.backbone, CFG.memory, BATCH, "float32")
  pieces = jnp.moveaxis(ids.reshape(BATCH, -1, PIECE), 1, 0)

  def step(past, piece):
    kind = jnp.ones_like(piece)
    x = model.embed.text(piece)
    hidden, past = model.backbone.stream(x, kind, kind > 0, past)
    return past, model.heads.text(hidden)

  logits = jax.lax.scan(step, past, pieces)[1]
  return jnp.moveaxis(logits, 0, 1).reshape(BATCH, LENGTH, -1)


def turns(params, heard, text, frames):
  """Sessions that see, hear, read, write and speak, turn by turn."""
  every = jnp.ones(BATCH, bool)
  state = states.start(jnp.arange(BATCH, dtype=jnp.uint32), cfg=CFG)
  two = jnp.full((BATCH,), 2, jnp.int32)
  media = Media(every, text[0], two, every, frames, every)
  state = step.absorb(params, state, media, cfg=CFG)
  turn = TurnInput(
    active=jnp.ones((TURNS, BATCH), bool),
    heard=heard,
    text=text,
    num_text=jnp.broadcast_to(two, (TURNS, BATCH)),
  )
  # A gate wide open, so that there is a voice.
  sampling = config.SamplingConfig(speak_bias=99.0)
  state, made = step.stream(params, state, turn, cfg=CFG, sampling=sampling)
  return vars(made) | {"remembered": state.memory}


def made(params):
  """All that three turns make, and what is remembered of them."""
  rng = np.random.default_rng(2)
  found = jax.jit(turns)(
    params,
    jnp.asarray(0.1 * rng.normal(size=(TURNS, BATCH, 3200)), jnp.float32),
    jnp.asarray(rng.integers(0, 30, (TURNS, BATCH, 3)), jnp.int32),
    jnp.asarray(rng.integers(0, 256, (BATCH, 2, 12, 6, 3)), jnp.uint8),
  )
  assert found["speaks"].all()
  return {name: found[name] for name in MADE}


def soft(params):
  """With gains of queries of about one.

  Sharp attention makes more of every rounding, and the vocoder most of all: at
  the gains that a model begins with a whole voice is 4e-4 apart, though its mel
  is not. There the voice is held against that of the same mel, see `sung`.
  """

  def scale(path, leaf):
    named = jax.tree_util.keystr(path).endswith("['query_norm']")
    return leaf / leaf.size**0.5 if named else leaf

  return jax.tree_util.tree_map_with_path(scale, params)


def sung(params, mel):
  """The voice that one device makes of frames of mel, turn by turn."""
  model = interaction.bind(params, cfg=CFG)
  frames = jnp.moveaxis(jnp.asarray(np.asarray(mel)), 0, 1)
  frames = frames.reshape(BATCH, -1, frames.shape[-1])
  sound, _ = jax.jit(model.heads.vocoder)(
    frames, vocoder.start(CFG.vocoder, BATCH)
  )
  sound = jnp.clip(sound, -1, 1).reshape(BATCH, TURNS, -1)
  return jnp.moveaxis(sound, 1, 0)


def spread(way, x, routing, weights):
  """The value and the gradients of one dispatch."""

  def total(x, weights):
    return jnp.sum(jnp.sin(exchange.across(way, x, routing, weights)))

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


def everything(params, ids):
  """All that is compared, by name."""
  graded = jax.jit(jax.value_and_grad(loss, has_aux=True))
  (value, logits), gradients = graded(params, ids)
  return {
    "loss": value,
    "episode": logits,
    "gradients": gradients,
    "stream": jax.jit(stream)(params, ids),
    **dispatched(),
  }


def apart(got, wanted):
  """The largest difference, in parts of the largest number."""
  got, wanted = (
    [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(tree)]
    for tree in (got, wanted)
  )
  diff = max(np.abs(a - b).max() for a, b in zip(got, wanted, strict=True))
  return float(diff / max(np.abs(b).max() for b in wanted))


def main():
  """Prints how far each mesh is from one device."""
  key = jax.random.key(0)
  ids = jnp.asarray(
    np.random.default_rng(0).integers(0, 38, (BATCH, LENGTH)), jnp.int32
  )
  params = jax.jit(init)(key)
  wanted = everything(params, ids) | made(params)
  wanted["voice"] = made(soft(params))["voice"]
  report = {"devices": jax.device_count()}
  for line in MESHES:
    mesh = sharding.mesh(line)
    split = sharding.init_sharded(init, key, interaction.axes(CFG), mesh)
    with jax.set_mesh(mesh):
      got = everything(split, ids)
      if line == MESHES[-1]:
        # All axes that split a model; compiling it for another takes long.
        got |= made(split)
        got["sung"] = got["voice"]
        wanted["sung"] = sung(params, got["mel"])
        got["voice"] = made(soft(split))["voice"]
    whole = sum(leaf.size for leaf in jax.tree.leaves(params))
    held = sum(
      leaf.addressable_shards[0].data.size for leaf in jax.tree.leaves(split)
    )
    experts = split["backbone"]["layers"]["1"]["feed"]["gate"]
    report[line] = {
      "params": apart(split, params),
      "held": held / whole,
      "experts": experts.addressable_shards[0].data.shape[0],
      **{name: apart(got[name], wanted[name]) for name in got},
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
  compared = {"loss", "episode", "gradients", "stream", "params"}
  compared |= {way.__name__ for way in WAYS}
  assert {name: found[name] for name in compared if found[name] > CLOSE} == {}


def test_turns_on_eight_devices_equal_those_on_one(report):
  found = report[MESHES[-1]]
  assert set(MADE) <= found.keys()
  assert {n: found[n] for n in MADE if n != "voice" and found[n] > CLOSE} == {}
  # Behind the frames of mel lie exp and a phase that adds up.
  assert found["voice"] < 10 * CLOSE
  assert found["sung"] < 10 * CLOSE


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
