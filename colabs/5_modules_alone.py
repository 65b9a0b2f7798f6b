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
# # 5 · One module in your own code
#
# [![Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/interaction-jax/interaction_jax/blob/main/colabs/5_modules_alone.ipynb)
#
# You need not take the whole model. Its ear (dMel), its eye (hMLP), its experts
# and its voice (the flow head) stand alone, and each works in plain JAX, in
# Linen and in NNX. Below each is used once in every way, and the three that
# learn something learn it in three different styles.

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
import dataclasses
import os
from collections.abc import Callable

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import linen, nnx

import interaction_jax as ij
from interaction_jax.core import params
from interaction_jax.model import config
from interaction_jax.model.backbone.feed import Experts
from interaction_jax.model.embed.audio import AudioEmbedding
from interaction_jax.model.embed.vision import PatchEmbedding
from interaction_jax.model.heads.flow import Condition, FlowHead
from interaction_jax.ops import dispatch, flow, patches, spectral

SMALL = "INTERACTION_JAX_SMALL" in os.environ  # to test the notebook itself
if SMALL:
  jax.config.update("jax_disable_most_optimizations", True)
plt.rcParams.update(
  {"figure.dpi": 80, "axes.spines.top": False, "axes.spines.right": False}
)

# %% [markdown]
# ## Three ways to hold a module
#
# Every module of the library is an NNX module that holds parameters and
# nothing else. In **NNX** code it is therefore a module like your own. For
# **plain JAX** there are two functions: `params.to_dict` takes the arrays out,
# and `params.bind` puts them back while a function is traced. With these two,
# **Linen** takes a few lines.


# %%
def plain(build, use):
  """init(key) -> dict of arrays; apply(arrays, ...) -> result."""

  def init(key):
    return params.to_dict(build(key))

  def apply(weights, *given):
    return use(params.bind(build, weights), *given)

  return init, apply


class InLinen(linen.Module):
  build: Callable
  use: Callable

  @linen.compact
  def __call__(self, *given):
    weights = self.param("own", lambda key: params.to_dict(self.build(key)))
    return self.use(params.bind(self.build, weights), *given)


class InNNX(nnx.Module):
  def __init__(self, build, use, *, rngs):
    self.own, self.use = build(rngs.params()), use

  def __call__(self, *given):
    return self.use(self.own, *given)


def three_ways(build, use, *given):
  """The result in plain JAX, and how far the two others are from it."""
  key = jax.random.key(0)
  init, apply = plain(build, use)
  weights = init(key)
  results = {"plain": jax.jit(apply)(weights, *given)}
  module = InLinen(build, use)
  results["linen"] = jax.jit(module.apply)({"params": {"own": weights}}, *given)
  inside = InNNX(build, use, rngs=nnx.Rngs(0))
  nnx.update(inside.own, nnx.state(params.bind(build, weights)))
  results["nnx"] = nnx.jit(lambda module, *x: module(*x))(inside, *given)
  worst = max(
    float(jnp.abs(results[name] - results["plain"]).max())
    for name in ("linen", "nnx")
  )
  return results["plain"], worst


differences = {}

# %% [markdown]
# ## The ear: dMel
#
# A whistle that rises from 200 Hz to 6 kHz, with a second one an octave above
# it at first. On the left is the pressure of its first 60 ms. In the middle,
# the power in each of 80 bands, window by window: two rising lines, bent
# because the bands get wider with frequency. On the right the same in 16
# levels, which is all that a model of ours hears; each level of each band has a
# vector, and a window is the sum of its 80.

# %%
RATE = 16_000
t = np.arange(2 * RATE) / RATE
phase = 2 * np.pi * (200 * t + (6000 - 200) / 4 * t**2)
sound = (
  0.3 * np.sin(phase) + 0.1 * np.sin(2 * phase) * np.clip(8 - 10 * t, 0, 1)
).astype(np.float32)
audio = config.AudioConfig(hop=400, window=800)
mel = spectral.log_mel(
  sound[None],
  hop=audio.hop,
  window=audio.window,
  num_mels=audio.num_mels,
  sample_rate=RATE,
)
scale = {"num_levels": audio.num_levels, "low": audio.low, "high": audio.high}
levels = spectral.quantize(mel, **scale)
back = spectral.dequantize(levels, **scale)

figure, axes = plt.subplots(1, 3, figsize=(11, 3))
axes[0].plot(t[:960], sound[:960], lw=1)
axes[0].set_title("pressure")
axes[0].set_xlabel("seconds")
for axis, image, name in (
  (axes[1], mel, "log power"), (axes[2], levels, "16 levels")
):  # fmt: skip
  axis.imshow(
    image[0].T,
    origin="lower",
    aspect="auto",
    extent=(0, 2, 0, 80),
    cmap="magma",
  )
  axis.set_title(name)
  axis.set_xlabel("seconds")
axes[1].set_ylabel("band")
figure.tight_layout()


# %%
def ear(key):
  return AudioEmbedding(audio, 64, rngs=nnx.Rngs(key))


def use(module, *given):
  return module(*given)


vectors, differences["ear"] = three_ways(ear, use, levels)
print("one vector a window:", vectors.shape)

# %% [markdown]
# ## The eye: hMLP
#
# Two pictures, 100 ms apart, cut into patches. Patches never see each other: a
# tower of folds and products makes one vector of both moments of a patch. Even
# with random weights the vectors tell where something moves: on the right, how
# far each is from what it would be if the first picture had stood still.

# %%
video = config.VideoConfig(patch=20, num_layers=3, rows=6, columns=9)
height, width = video.rows * video.patch, video.columns * video.patch
y, x = np.mgrid[:height, :width]


def ball(at):
  picture = np.stack([40 + x / 2, 60 + y / 2, 120 + 0 * x], axis=-1)
  picture[(x - at) ** 2 + (y - 50) ** 2 < 18**2] = (250, 210, 80)
  picture[(x - 140) ** 2 + (y - 80) ** 2 < 14**2] = (230, 90, 90)
  return picture.astype(np.uint8)


moving = np.stack([ball(40), ball(66)])
still = np.stack([ball(40), ball(40)])
pairs = patches.cut(
  patches.normalize(jnp.asarray(np.stack([moving, still]))), patch=video.patch
)


def eye(key):
  return PatchEmbedding(video, 64, rngs=nnx.Rngs(key))


seen, differences["eye"] = three_ways(eye, use, pairs)
motion = np.linalg.norm(seen[0] - seen[1], axis=-1)
motion = motion.reshape(video.rows, video.columns)

figure, axes = plt.subplots(1, 3, figsize=(11, 2.6))
for axis, picture, name in (
  (axes[0], moving[0], "0 ms"), (axes[1], moving[1], "100 ms")
):  # fmt: skip
  axis.imshow(picture)
  axis.set_title(name)
  axis.set_xticks(np.arange(0, width, video.patch) - 0.5, [])
  axis.set_yticks(np.arange(0, height, video.patch) - 0.5, [])
  axis.grid(color="white", lw=0.4)
axes[2].imshow(motion, cmap="magma")
axes[2].set_title("what moved, patch by patch")
axes[2].set_xticks([])
axes[2].set_yticks([])
figure.tight_layout()

# %% [markdown]
# ## The experts, trained in Linen style
#
# A curve with four tempers: a slope, waves, steps and a flat end. Four small
# experts share it, of which one is asked at each point; a router learns whom.
# Nobody has to be good at everything. On the right is who was asked: borders
# that nobody drew. (Some expert may never be asked. In a large model a bias
# moves the choice, never the weights, until loads are even; `dispatch.route`
# takes it.)

# %%
points = jnp.linspace(-1, 1, 256)
curve = jnp.select(
  [points < -0.5, points < 0, points < 0.5],
  [2 * points + 1.5, jnp.sin(25 * points), jnp.sign(jnp.sin(19 * points))],
  -0.5,
)
features = jnp.concatenate(
  [
    jnp.cos(points[:, None] * k + b)
    for k, b in ((1, 0), (3, 1), (9, 2), (27, 0))
  ]
  + [points[:, None], jnp.ones((256, 1))],
  axis=1,
)
num_steps = 150 if SMALL else 1500


class Mixture(linen.Module):
  num_experts: int = 4

  @linen.compact
  def __call__(self, x):
    _, D = x.shape
    E, F = self.num_experts, 16
    normal = linen.initializers.normal(0.4)
    logits = linen.Dense(E, name="router")(x)
    routing = dispatch.route(
      logits,
      jnp.full((len(x), 1), -4.0),
      jnp.zeros(E),
      num_chosen=1,
      scale=1.0,
    )
    experts = dispatch.ExpertWeights(
      self.param("gate", normal, (E, D, F)),
      self.param("up", normal, (E, D, F)),
      self.param("down", normal, (E, F, D)),
    )
    mixed = dispatch.grouped(x, routing, experts)
    return linen.Dense(1, name="out")(mixed)[:, 0], routing.experts[:, 0]


mixture = Mixture()
variables = mixture.init(jax.random.key(3), features)
rate = optax.adam(1e-2)
state = rate.init(variables)


@jax.jit
def learn(variables, state):
  def loss(variables):
    made, _ = mixture.apply(variables, features)
    return jnp.square(made - curve).mean()

  value, gradient = jax.value_and_grad(loss)(variables)
  moves, state = rate.update(gradient, state)
  return optax.apply_updates(variables, moves), state, value


expert_losses = []
for _ in range(num_steps):
  variables, state, value = learn(variables, state)
  expert_losses.append(float(value))
made, asked = mixture.apply(variables, features)

figure, axes = plt.subplots(1, 2, figsize=(11, 3))
axes[0].plot(points, curve, color="#BBBBBB", lw=4, label="wanted")
axes[0].scatter(points, made, c=asked, cmap="tab10", s=6, vmax=9, zorder=3)
axes[0].set_title("the curve; colours are experts")
axes[0].legend()
axes[1].scatter(points, asked, c=asked, cmap="tab10", s=12, vmax=9)
axes[1].set_yticks(range(4))
axes[1].set_title("who was asked")
figure.tight_layout()
print(f"error {expert_losses[0]:.3f} -> {expert_losses[-1]:.3f}")

# %% [markdown]
# The layer of the model itself, with its router and shared experts:

# %%
backbone = dataclasses.replace(
  ij.load_config("tiny").model.backbone,
  width=32,
  experts=config.ExpertConfig(
    num_routed=8, num_chosen=2, num_shared=1, width=16
  ),
)


def experts(key):
  return Experts(backbone, dtype="float32", rngs=nnx.Rngs(key))


hidden = jax.random.normal(jax.random.key(1), (2, 50, 32))
real = jnp.ones((2, 50), bool)
mixed, differences["experts"] = three_ways(
  experts, lambda module, x, real: module(x, real).out, hidden, real
)

# %% [markdown]
# ## The voice: a flow head, trained in NNX style
#
# The head makes the 20 frames of a turn out of noise, steered by a vector. Here
# it has three things to say: a tone that falls, one that rises, and two that
# part. It learns, from a noisy picture and how noisy that is, to expect the
# clean one; then it walks from pure noise towards what it expects, in four
# steps.

# %%
small = dataclasses.replace(
  ij.load_config("tiny").model,
  flow=config.FlowConfig(width=64, num_layers=2, past_frames=2),
)
frames, bands = small.vocoder.frames_per_turn, small.vocoder.num_mels
time, band = (
  np.mgrid[:frames, :bands] / np.array([frames, bands])[:, None, None]
)


def line(centre):
  return 3 * np.exp(-(((band - centre) / 0.09) ** 2)) - 1


songs = np.stack(
  [
    line(0.8 - 0.6 * time),
    line(0.2 + 0.6 * time),
    np.maximum(line(0.5 + 0.3 * time), line(0.5 - 0.3 * time)),
  ]
).astype(np.float32)
names = np.eye(3, small.backbone.width, dtype=np.float32)


def voice(key):
  return FlowHead(small, rngs=nnx.Rngs(key))


def condition(which):
  B, U, D = len(which), small.turn.text_out, small.backbone.width
  return Condition(
    hidden=4 * jnp.asarray(names)[which],
    text=jnp.zeros((B, U, D)),
    text_mask=jnp.zeros((B, U), bool),
    past=jnp.zeros((B, small.flow.past_frames, bands)),
  )


head = voice(jax.random.key(0))
optimizer = nnx.Optimizer(head, optax.adam(3e-3), wrt=nnx.Param)


@nnx.jit
def teach(head, optimizer, key):
  keys = jax.random.split(key, 3)
  which = jax.random.randint(keys[0], (24,), 0, 3)
  data = jnp.asarray(songs)[which]
  times = flow.times(keys[1], (24,), mean=-1.0, std=1.0)
  point = flow.between(jax.random.normal(keys[2], data.shape), data, times)

  def loss(head):
    expected = head.expect(point, times, condition(which))
    return jnp.square(expected - data).mean()

  value, gradient = nnx.value_and_grad(loss)(head)
  optimizer.update(head, gradient)
  return value


voice_losses = [
  float(teach(head, optimizer, jax.random.key(step)))
  for step in range(100 if SMALL else 400)
]
print(f"error {voice_losses[0]:.3f} -> {voice_losses[-1]:.3f}")

# %% [markdown]
# From left to right: pure noise, the four steps, and what was wanted. Time runs
# to the right, pitch upwards.

# %%
noise = jax.random.normal(jax.random.key(9), (3, frames, bands))
which = jnp.arange(3)
walk, point = [noise], noise
for step in range(4):
  at = jnp.full(3, step / 4)
  expected = head.expect(point, at, condition(which))
  point = point + flow.velocity(expected, point, at) / 4
  walk.append(point)

figure, rows = plt.subplots(3, 6, figsize=(11, 4.5))
for song, row in enumerate(rows):
  for axis, image in zip(row, [*walk, jnp.asarray(songs)], strict=True):
    axis.imshow(
      image[song].T,
      origin="lower",
      aspect="auto",
      cmap="magma",
      vmin=-2,
      vmax=2,
    )
    axis.set_xticks([])
    axis.set_yticks([])
titles = ("noise", "step 1", "step 2", "step 3", "step 4", "wanted")
for axis, title in zip(rows[0], titles, strict=True):
  axis.set_title(title, fontsize=10)
figure.tight_layout()
error = float(jnp.square(point - songs).mean())
print(f"error from pure noise: {error:.3f}; silence would have "
      f"{np.square(songs + 1).mean():.3f}")  # fmt: skip


# %%
def sing(module, noise, which):
  return module.make(noise, condition(which), num_steps=4, guidance=1.0)


_, differences["voice"] = three_ways(voice, sing, noise, which)
print("plain JAX against Linen and NNX, largest difference:", differences)

# %%
assert max(differences.values()) < 1e-5, differences
assert set(differences) == {"ear", "eye", "experts", "voice"}
step_size = (audio.high - audio.low) / (audio.num_levels - 1)
inside = (mel > audio.low) & (mel < audio.high)
assert float(jnp.abs(back - mel)[inside].max()) <= step_size / 2 + 1e-5
assert motion.max() > 100 * max(motion[-1, 0], 1e-6), (
  "a patch saw its neighbour"
)
assert expert_losses[-1] < expert_losses[0] / 2
assert len(np.unique(asked)) > 1
assert error < np.square(songs + 1).mean() / 2
