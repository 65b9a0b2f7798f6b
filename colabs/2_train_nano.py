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
# # 2 · Train nano from generated data
#
# [![Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/interaction-jax/interaction_jax/blob/main/colabs/2_train_nano.ipynb)
#
# Everything that trains `nano` is made here: the speech, the conversations and
# the labels, exact to the sample. In under 15 minutes of two CPU cores the
# model gets its first lessons: when to be silent, and which words there are.
# The shipped `nano` has had some hours of the same.

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
import time

import jax
import matplotlib.pyplot as plt
import numpy as np

import interaction_jax as ij
from interaction_jax.core import settings
from interaction_jax.data.synthetic import perform, recorder, voices, world
from interaction_jax.serve.web import notebook
from interaction_jax.train import loop
from interaction_jax.turns import clock

SMALL = "INTERACTION_JAX_SMALL" in os.environ  # to test the notebook itself
if SMALL:
  jax.config.update("jax_disable_most_optimizations", True)
CPU = jax.default_backend() == "cpu"
USER, MODEL, GATE, INK = "#0072B2", "#D55E00", "#009E73", "#333333"
plt.rcParams.update(
  {"figure.dpi": 80, "axes.spines.top": False, "axes.spines.right": False}
)
began = time.perf_counter()
print(f"{os.cpu_count()} cores, {jax.devices()[0].device_kind}")

# %% [markdown]
# ## Speech
#
# A **bank** holds clips of many synthetic users, each with its rate and pitch,
# and all the words of one assistant. A part of the voices is held out: training
# never hears them.

# %%
size = {"num_clips": 300, "num_voices": 3} if SMALL else {"num_clips": 3000}
bank = recorder.make("bank", seed=1, **size)
seconds = sum(clip.length for clip in bank.clips) / clock.SAMPLE_RATE
print(f"{len(bank.clips)} clips, {seconds / 60:.0f} minutes, "
      f"{len(voices.USERS['held_out'])} voices held out")  # fmt: skip

# %% [markdown]
# ## A conversation with exact labels
#
# Clips are put on a stage: questions, interruptions, pauses, things to be shown
# and counted. Since the generator places every word itself, it knows to the
# sample when the assistant should write, speak and be still. No transcript has
# to be aligned.

# %%
lesson = perform.record(
  bank,
  np.random.default_rng(7),
  num_turns=60,
  split="held_out",
  shares={"sums": 1.0, "greet": 1.0, "count": 1.0},
  video=0.0,
  lossy=0.0,
)
notebook.play(
  np.stack([lesson.heard, lesson.voice], axis=1), title="user | assistant"
)

# %% [markdown]
# The user's pressure in blue, with the captions that the assistant is to write;
# its own voice in orange, with the words that it is to say. The green bars are
# the turns in which the gate is to be open. They begin one turn before the
# sound, since what a turn makes is heard in the next.


# %%
def target(record):
  opens = np.zeros(record.num_turns, bool)
  for first, last in record.speech:
    opens[first // clock.SAMPLES - 1 : last // clock.SAMPLES - 1] = True
  return opens


def draw(row, samples, colour, channel):
  row.plot(
    np.arange(len(samples)) / clock.SAMPLE_RATE, samples, color=colour, lw=0.4
  )
  words = [text for text in lesson.text_out if text.channel == channel]
  for place, text in enumerate(words):
    height = 0.75 + 0.3 * (place % 3)
    row.text(text.at / clock.SAMPLE_RATE, height, text.text.strip(), fontsize=8)
  row.set_ylim(-0.8, 1.7)
  row.set_yticks([])


begins = clock.seconds(1) * np.arange(lesson.num_turns + 1)
figure, rows = plt.subplots(
  3, 1, figsize=(11, 4.5), sharex=True, height_ratios=(2, 2, 0.6)
)
draw(rows[0], lesson.heard, USER, "show")
draw(rows[1], lesson.voice, MODEL, "say")
rows[2].stairs(target(lesson), begins, fill=True, color=GATE)
for row, name in zip(rows, ("user", "assistant", "gate"), strict=True):
  row.set_ylabel(name)
rows[2].set_yticks([])
rows[2].set_xlabel("seconds")
figure.tight_layout()

# %% [markdown]
# ## The run
#
# An experiment is a Python file of frozen dataclasses; `nano` is one, and here
# it is cut down to minutes. `loop.train` is what `interaction-jax train` calls:
# it writes checkpoints and metrics into a folder, and a run that was killed
# goes on there with the same losses. The first update takes a minute or two,
# because its program is compiled.

# %%
changes = [
  f"train.num_steps={120 if CPU else 1000}",
  "train.batch=4",
  "train.data.bank=bank",
  "train.data.workers=0",
  "train.optimizer.name=muon",
  "train.optimizer.learning_rate=2e-3",
  "train.optimizer.warmup=20",
]
if SMALL:
  changes += [
    "train.num_steps=18",
    "train.data.positions=128",
    "train.watch.peak_tflops=0",
    "model.backbone.num_layers=2",
    "model.backbone.global_layers=[1]",
    "model.flow.num_layers=1",
    "model.vocoder.num_layers=1",
  ]
experiment = settings.override(ij.load_config("nano"), changes)
num_steps = experiment.train.num_steps
lines = []


def watch(line):
  lines.append(line)
  if line["step"] % max(1, num_steps // 8) == 0:
    print(
      f"{time.perf_counter() - began:5.0f} s  step {line['step']:4}  text "
      f"{line['loss/text']:.2f}  gate {line['loss/gate']:.3f}  flow "
      f"{line['loss/flow']:.3f}"
    )


loop.train(experiment, "run", on_step=watch)
positions = sum(line["positions"] for line in lines)
print(f"{num_steps} updates over {positions:,.0f} positions")

# %% [markdown]
# ## What the three losses say
#
# * **text**: how surprised the model is by the next word, END included. At the
#   dashed line it would guess among all tokens.
# * **gate**: the same for the choice between speaking and silence. The dashed
#   line is that of one who knows how often somebody speaks, and nothing else.
# * **flow**: the error of the frames that it makes of noise, in units of their
#   own spread. At 1 it makes one average frame, whatever is to be said; below,
#   one word begins to differ from another.

# %%
share = target(lesson).mean()
guess = -share * np.log(share) - (1 - share) * np.log(1 - share)
floors = {
  "text": np.log(experiment.model.text.vocab_size), "gate": guess, "flow": 1.0
}  # fmt: skip
figure, axes = plt.subplots(1, 3, figsize=(11, 3))
for axis, (name, floor), colour in zip(
  axes, floors.items(), (USER, GATE, MODEL), strict=True
):
  loss = np.array([line[f"loss/{name}"] for line in lines])
  width = max(1, num_steps // 24)
  smooth = np.convolve(loss, np.ones(width) / width, "valid")
  axis.plot(loss, color=colour, alpha=0.25)
  axis.plot(np.arange(len(smooth)) + width - 1, smooth, color=colour)
  axis.axhline(floor, color=INK, lw=0.8, ls="--")
  axis.set_title(name)
  axis.set_xlabel("update")
  axis.set_ylim(0, None)
figure.tight_layout()

# %% [markdown]
# ## What it learned
#
# We let our model hear the lesson above, from a voice that it was not trained
# on, and beside it the `nano` that is shipped. Each curve is how likely the
# model is to open its gate; grey is when it should.

# %%
subjects = {"ours": ij.load_model("run/model")}
if not SMALL:
  subjects["nano"] = ij.load_model("nano")
chances, written = {}, {}
for name, model in subjects.items():
  answer = ij.Session(model).push(lesson.heard)
  chances[name] = 1 / (1 + np.exp([-turn.gate for turn in answer.turns]))
  written[name] = "".join(
    event.payload["text"] for event in answer.events if event.kind == "show"
  ).split()

figure, rows = plt.subplots(
  len(chances), 1, figsize=(11, 3), sharex=True, squeeze=False
)
for row, (name, chance) in zip(rows[:, 0], chances.items(), strict=True):
  row.stairs(target(lesson), begins, fill=True, color="#CCCCCC")
  row.stairs(chance, begins, color=GATE, lw=1.5)
  row.set_ylim(-0.05, 1.05)
  row.set_ylabel(name)
rows[-1, 0].set_xlabel("seconds")
figure.tight_layout()

# %% [markdown]
# Why is ours so still, although the loss of its gate is small? In training the
# gate reads the right words of its turn, and has learned to open where there is
# one to be said. Left to itself, the model does not yet dare to say one: to be
# silent is right most of the time. What it writes is made of words of its
# world, but not yet of those that it heard.

# %%
wanted = [text.text for text in lesson.text_out if text.channel == "show"]
print("to be written:", "".join(wanted[:24]))
for name, words in written.items():
  known = sum(word in world.WORDS for word in words)
  print(f"{name} wrote {len(words)} words, {known} of them from its world:",
        " ".join(words[:24]))  # fmt: skip
minutes = (time.perf_counter() - began) / 60
busy = time.process_time() / 60
print(f"{minutes:.1f} minutes; one core alone would have been busy for "
      f"{busy:.1f}")  # fmt: skip

# %% [markdown]
# (The run whose outputs are shown here had to share its two cores with much
# other work; the second number counts its own share.)
#
# Hearing which words were said comes later, after some thousand updates; so
# does a voice that can be understood. To go on, take the experiment as it is,
# and some hours:
#
# ```sh
# interaction-jax train --config nano --workdir runs/nano
# ```

# %%
for name in ("text", "gate"):
  losses = [line[f"loss/{name}"] for line in lines]
  early, late = np.mean(losses[:6]), np.mean(losses[-6:])
  assert late < early, f"{name} did not fall: {early:.3f} to {late:.3f}"
assert [line["step"] for line in lines] == list(range(num_steps))
assert not lines[-1]["skipped"], "updates with NaN were left out"
assert len(chances["ours"]) == lesson.num_turns
assert np.isfinite(chances["ours"]).all()
