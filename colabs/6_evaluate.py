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
# # 6 · Evaluate, and read a timeline
#
# [![Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/interaction-jax/interaction_jax/blob/main/colabs/6_evaluate.ipynb)
#
# A number for a conversation is only worth something beside the numbers of
# those who cannot converse. Here `nano` is asked to take turns, to wait through
# pauses and to hold its tongue; then we look at a conversation in which it did
# worst.

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
import json
import os
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import soundfile
from IPython.display import Image

import interaction_jax as ij
from interaction_jax.data.synthetic import recorder, voices
from interaction_jax.evals import report, suites
from interaction_jax.serve.web import notebook

SMALL = "INTERACTION_JAX_SMALL" in os.environ  # to test the notebook itself
if SMALL:
  jax.config.update("jax_disable_most_optimizations", True)
plt.rcParams.update(
  {"figure.dpi": 80, "axes.spines.top": False, "axes.spines.right": False}
)

# %% [markdown]
# ## Run a suite
#
# `behaviours` has 25 rows, each a thing that an interaction model should do.
# Its conversations are spoken by voices that no model was trained on. This is
# `interaction-jax evaluate --suite behaviours --row turn_taking ...`; the
# benchmarks of the field (`suites.names()`) are run in the same way.

# %%
print(", ".join(suites.names()))
users = {"train": (), "held_out": voices.USERS["held_out"]}
size = {"num_clips": 180, "num_voices": 2} if SMALL else {"num_clips": 1200}
recorder.make("held_out", seed=3, num_shards=2, users=users, **size)
suite = suites.find("behaviours")
options = suite.Options(
  num_items=3 if SMALL else 12,
  rows=("turn_taking",)
  if SMALL
  else ("turn_taking", "waits_through_pauses", "ignores_side_talk"),
  batch=4,
  bank="held_out",
  other=False,
  keep=1,
)
folder = report.prepare("report", force=True)
found = suite.run(ij.load_model("nano"), folder, options)
print(report.table(found))

# %% [markdown]
# ## What the numbers are worth
#
# The orange point is `nano`, and the line is where its true score lies with
# 95 % confidence: with a dozen items, nearly anywhere. The blue mark is one who
# guesses, the grey one always silent. The oracle, in green, knows what was
# wanted; where it does not reach 1, the scorer is too strict. The dashed line
# is what a row wants of a model that passes.

# %%
rows = found["rows"]
figure, axis = plt.subplots(figsize=(11, 0.8 + 0.6 * len(rows)))
marks = (
  ("chance", "#0072B2", "s"), ("silent", "#888888", "o"),
  ("oracle", "#009E73", "^"),
)  # fmt: skip
for place, row in enumerate(rows.values()):
  axis.plot(row["ci"], [place, place], color="#D55E00", lw=4, alpha=0.4)
  axis.plot(row["score"], place, "D", color="#D55E00", ms=9, label="nano")
  for name, colour, mark in marks:
    axis.plot(row[name], place + 0.2, mark, color=colour, label=name)
  axis.plot([row["threshold"]] * 2, [place - 0.3, place + 0.3], "k--", lw=1)
axis.set_yticks(range(len(rows)), rows)
axis.set_ylim(len(rows) - 0.5, -0.5)
axis.set_xlim(-0.02, 1.02)
axis.set_xlabel("score")
handles, labels = axis.get_legend_handles_labels()
axis.legend(handles[:4], labels[:4], loc="center left", bbox_to_anchor=(1, 0.5))
figure.tight_layout()

# %% [markdown]
# ## Read a timeline
#
# Of each row the worst conversation is kept, as sound and as a picture.

# %%
name = list(rows)[0 if SMALL else -1]
items = [
  json.loads(line)
  for line in Path(folder, name, "items.jsonl").read_text().splitlines()
]
kept = min(path for path in Path(folder, name).iterdir() if path.is_dir())
sound, rate = soundfile.read(kept / "stereo.wav")
notebook.play(sound, title=f"{name}, conversation {kept.name}: user | model")

# %% [markdown]
# From the top, everything against seconds:
#
# * **user**: the pressure at the microphone;
# * **screen**: what the model wrote while it listened, each word when it stood
#   on the screen. How far a caption hangs behind its sound is how long the
#   model took to recognise it;
# * **model**: the pressure at the loudspeaker, with the words it chose;
# * **gate**: how likely it was to speak, turn by turn. A speech detector would
#   follow the user's loudness; this follows the sense. Look for a rise that
#   never reaches the dashed line: it nearly spoke;
# * **frames, jobs**: when it saw a pair of pictures, and what it gave to the
#   background model;
# * **ms a turn**: what each turn cost, against the 200 ms that it may (here,
#   where conversations are run together, their mean).

# %%
Image(filename=str(kept / "timeline.png"), width=1000)

# %% [markdown]
# And this is what the judge says of its exchanges: what was asked, what was
# wanted of the model, and what it did.

# %%
for item in items:
  if item["conversation"] == int(kept.name):
    print(f"{item['start']:5.1f} s  {item['scenario']:10} hit {item['hit']}")
    print(f"         asked   {item['asked']}")
    print(f"         wanted  {item['wanted']}")
    print(f"         made    {item['made']}")

# %%
written = json.loads(Path(folder, "report.json").read_text())
assert written["complete"] and set(written["rows"]) == set(options.rows)
for row in rows.values():
  assert row["n"] >= options.num_items
  assert row["ci"][0] <= row["score"] <= row["ci"][1]
  assert row["oracle"] == 1.0 and row["chance"] < row["oracle"]
assert rows["turn_taking"]["score"] > rows["turn_taking"]["chance"]
assert sound.shape[1] == 2 and len(items) >= options.num_items
