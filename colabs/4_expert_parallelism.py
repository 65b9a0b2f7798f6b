# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]

# %% [markdown]
# # 4 · Expert parallelism on eight devices
#
# [![Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/interaction-jax/interaction_jax/blob/main/colabs/4_expert_parallelism.ipynb)
#
# A large mixture of experts fits on no single chip, so each chip holds some of
# the experts, and positions travel to them and back. Here eight devices are
# pretended on one CPU. They are no faster, but the program is the one that runs
# on eight chips: we draw where everything lies, count what travels, and see
# that the result does not change.

# %%
import importlib.util
import shutil
import subprocess
import sys

REPOSITORY = "https://github.com/interaction-jax/interaction_jax"
if importlib.util.find_spec("interaction_jax") is None:
  extras = "data,cuda" if shutil.which("nvidia-smi") else "data"
  package = f"interaction-jax[{extras}] @ git+{REPOSITORY}"
  pip = [sys.executable, "-m", "pip", "install", "--quiet"]
  subprocess.run([*pip, package], check=True)

# %%
import os
import re
from collections import Counter

import jax

# Before anything is computed; afterwards the number of devices is fixed.
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from flax import nnx

import interaction_jax as ij
from interaction_jax.core import params, sharding
from interaction_jax.data.synthetic import synthesiser
from interaction_jax.model import config, interaction
from interaction_jax.model.backbone.feed import Experts
from interaction_jax.turns import clock

SMALL = "INTERACTION_JAX_SMALL" in os.environ
COLOURS = plt.get_cmap("tab10")
plt.rcParams["figure.dpi"] = 80
print(len(jax.devices()), "devices")

# %% [markdown]
# ## Letters to axes
#
# Every dimension in the library has a letter: `E` counts experts, `D` is the
# width of the model, `F` that of an expert, `N` counts heads, `V` tokens, `B`
# rows of a batch. A mesh has four axes, and one table says which letter lies
# along which axis. Nothing else in the model knows about devices.

# %%
mesh = sharding.mesh("expert=4,tensor=2")
for name in ("weights", "activations"):
  table = getattr(sharding.RULES, name)
  where = (f"{letter} along {'+'.join(table[letter])}" for letter in table)
  print(f"{name:12}", ", ".join(where))

# %% [markdown]
# ## Where the weights of nano lie
#
# Four of its arrays, as grids of two of their dimensions. A colour is a device,
# or several that hold the same piece. The experts are dealt out to four pairs
# of devices, and each of a pair holds half of every expert's width. The columns
# of the router lie with their experts. Heads and tokens are halved, so four
# devices hold the same.

# %%
cfg = ij.load_config("nano").model
letters = sharding.by_name(interaction.axes(cfg))
shapes = sharding.by_name(interaction.shapes(cfg))
places = sharding.by_name(
  sharding.shardings(interaction.axes(cfg), interaction.shapes(cfg), mesh)
)


def draw(axis, name, dims):
  """Draws two dimensions of an array, each piece with its devices."""
  shape = shapes[name].shape
  pieces = {}
  for device, index in places[name].devices_indices_map(shape).items():
    box = tuple(index[dim].indices(shape[dim])[:2] for dim in dims)
    pieces.setdefault(box, []).append(device.id)
  for ((top, bottom), (left, right)), devices in pieces.items():
    colour = COLOURS(devices[0]) if len(devices) < 8 else "#BBBBBB"
    size = (right - left, bottom - top)
    axis.add_patch(plt.Rectangle((left, top), *size, fc=colour, ec="white"))
    text = "all" if len(devices) == 8 else " ".join(map(str, devices))
    axis.text((left + right) / 2, (top + bottom) / 2, text, ha="center",
              va="center", color="white", fontsize=11)  # fmt: skip
  axis.set_ylim(shape[dims[0]], 0)
  axis.set_xlim(0, shape[dims[1]])
  named = letters[name].split()
  axis.set_ylabel(f"{named[dims[0]]} = {shape[dims[0]]}")
  axis.set_xlabel(f"{named[dims[1]]} = {shape[dims[1]]}")
  axis.set_title(f"{name}\n{letters[name]}", fontsize=9)
  axis.set_xticks([])
  axis.set_yticks([])


layer = "backbone/layers/3"
chosen = (
  (f"{layer}/feed/gate", (0, 2)),
  (f"{layer}/feed/router/routed", (1, 0)),
  (f"{layer}/attention/query", (1, 0)),
  ("embed/text/table", (0, 1)),
)
figure, axes = plt.subplots(1, 4, figsize=(11, 3.4))
for axis, (name, dims) in zip(axes, chosen, strict=True):
  draw(axis, name, dims)
figure.tight_layout()

whole = sum(leaf.size * leaf.dtype.itemsize for leaf in shapes.values())
each = sharding.share(interaction.axes(cfg), interaction.shapes(cfg), mesh)
print(f"{whole / 1e6:.1f} MB in all, {each / 1e6:.1f} MB on each device")

# %% [markdown]
# ## One layer of experts, and who travels
#
# Now a layer with 16 experts, of which each position asks two. Rows of the
# batch lie on all eight devices, 64 positions on each; each expert lies on two
# of them, one in each group of four. So most positions must travel to their
# experts.

# %%
grid = sharding.mesh("data=2,expert=4")
backbone = config.BackboneConfig(
  width=48,
  num_layers=1,
  global_layers=(0,),
  dense_layers=(),
  dense_width=8,
  window_attention=config.AttentionConfig(1, 1, 8, 8),
  global_attention=config.AttentionConfig(1, 1, 8, 8),
  experts=config.ExpertConfig(
    num_routed=16, num_chosen=2, num_shared=1, width=32
  ),
)


def build(key):
  return Experts(backbone, dtype="float32", rngs=nnx.Rngs(key))


def apply(weights, x):
  real = jnp.ones(x.shape[:2], bool)
  return params.bind(build, weights)(x, real).out


def routing(weights, x):
  return params.bind(build, weights).router(x.reshape(-1, x.shape[-1]))


rows, length = 64, 8
weights = params.to_dict(build(jax.random.key(0)))
x = jax.random.normal(jax.random.key(1), (rows, length, backbone.width))
alone = jax.jit(apply)(weights, x)

spread = jax.device_put(
  weights, sharding.shardings(params.axes_of(build), weights, grid)
)
x_spread = jax.device_put(x, sharding.place("B T D", x.shape, grid))
with jax.set_mesh(grid):
  program = jax.jit(apply).lower(spread, x_spread).compile()
  together = program(spread, x_spread)

kinds = r" (all-to-all|all-gather|all-reduce|reduce-scatter)(?:-start)?\("
collectives = Counter(re.findall(kinds, program.as_text()))
difference = float(jnp.abs(together - alone).max() / jnp.abs(alone).max())
print("the program contains", dict(collectives))
print(f"eight devices against one: {difference:.1e} of the largest value")

# %% [markdown]
# On the left, how many pairs of position and expert go from each device to each
# other one. Nothing leaves a group of four: the two groups are copies of the
# model that share the batch (`data`), so the picture has two blocks. What lies
# on the diagonal stays at home. On the right, how busy each expert is.


# %%
def traffic(weights, x):
  """Pairs that go from a device to a device, and from where to which expert."""
  asked = np.asarray(routing(weights, x).experts)
  at = {}
  for device, index in x_spread.sharding.devices_indices_map(x.shape).items():
    for row in range(*index[0].indices(rows)):
      at[row] = np.argwhere(grid.devices == device)[0]
  sent = np.zeros((8, 8), int)
  for position, experts in enumerate(asked):
    data, _, expert, _ = at[position // length]
    for one in experts:
      sent[4 * data + expert, 4 * data + one // 4] += 1
  return sent, np.bincount(asked.ravel(), minlength=16)


def show(sent, load, title):
  figure, (left, right) = plt.subplots(
    1, 2, figsize=(11, 3.2), width_ratios=(1, 2)
  )
  left.imshow(sent, cmap="Blues")
  for row, column in np.argwhere(sent):
    dark = sent[row, column] > sent.max() / 2
    left.text(column, row, sent[row, column], ha="center", va="center",
              fontsize=7, color="white" if dark else "black")  # fmt: skip
  left.set_ylabel("from device")
  left.set_xlabel("to device")
  left.set_title(title, fontsize=10)
  right.bar(range(16), load, color=[COLOURS(one // 4) for one in range(16)])
  right.set_xlabel("expert; its colour is its device in the group")
  right.set_ylabel("pairs")
  for side in ("top", "right"):
    right.spines[side].set_visible(False)
  figure.tight_layout()


sent, load = traffic(weights, x)
show(sent, load, "even load")
away = 1 - sum(sent.diagonal()) / sent.sum()
kilobytes = 2 * 4 * backbone.width * away * sent.sum() / 1e3
print(f"{away:.0%} of the pairs travel, {kilobytes:.0f} kB there and back")

# %% [markdown]
# ## A crowd
#
# Suppose everybody wants the same two experts. Room between two devices is
# fixed, as a compiled program needs it to be. Many implementations drop what
# does not fit. Here it waits for another round, so a crowd costs time, and no
# bits: the rows of a conversation do not depend on who else is served.

# %%
bias = jnp.zeros(16).at[jnp.array([5, 6])].set(10.0)
crowd = {**weights, "router": {**weights["router"], "selection_bias": bias}}
crowd_spread = jax.device_put(
  crowd, sharding.shardings(params.axes_of(build), crowd, grid)
)
crowded = program(crowd_spread, x_spread)
crowded_alone = jax.jit(apply)(crowd, x)
crowd_sent, crowd_load = traffic(crowd, x)
show(crowd_sent, crowd_load, "everybody wants experts 5 and 6")
crowd_difference = float(
  jnp.abs(crowded - crowded_alone).max() / jnp.abs(crowded_alone).max()
)
print(f"eight devices against one: {crowd_difference:.1e} of the largest value")

# %% [markdown]
# ## A whole conversation on eight devices
#
# `load_model(mesh=...)` is all it takes; the same names work for `serve`,
# `talk` and `train`, as in `--mesh expert=8`.

# %%
synthesiser.seed(0)
spoken = synthesiser.speak(
  "what is three plus four", voice="en-us+f5", rate=150, pitch=50
)
sound = np.zeros(4 * clock.SAMPLE_RATE, np.float32)
samples = synthesiser.resample(spoken).samples
sound[9600 : 9600 + len(samples)] = samples


def answer_on(line):
  session = ij.Session(ij.load_model("nano", mesh=line))
  answer = session.push(sound)
  words = [e.payload["text"] for e in answer.events if e.kind == "say"]
  print(f"{line or 'one device':18} says{''.join(words)}")
  return "".join(words), answer.audio


said, voice = answer_on("expert=8")
if not SMALL:
  said_alone, voice_alone = answer_on(None)
  assert said == said_alone
  print(
    f"voices differ by {np.abs(voice - voice_alone).max():.1e} of full scale"
  )

# %%
assert "seven" in said
assert difference < 1e-5 and crowd_difference < 1e-5
assert collectives["all-to-all"] >= 2, collectives
assert sent.sum() == crowd_sent.sum() == 2 * rows * length
assert not sent[:4, 4:].any() and not sent[4:, :4].any()
assert set(np.flatnonzero(crowd_load)) == {5, 6}
assert len(places[f"{layer}/feed/gate"].device_set) == 8
assert each < whole
