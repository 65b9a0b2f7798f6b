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
# # 3 · Stream, interrupt, snapshot and fork
#
# [![Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/interaction-jax/interaction_jax/blob/main/colabs/3_stream_and_fork.ipynb)
#
# A session is a function of its past: sound in, sound out, and one state in
# between. So it can be listened to while it runs, cut off in the middle of a
# word, laid on a disk, and split into several futures of one past.

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
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display

import interaction_jax as ij
from interaction_jax.data.synthetic import synthesiser
from interaction_jax.serve.snapshot import Snapshot
from interaction_jax.serve.web import notebook
from interaction_jax.turns import clock

USER, MODEL = "#0072B2", "#D55E00"
plt.rcParams.update(
  {"figure.dpi": 80, "axes.spines.top": False, "axes.spines.right": False}
)


def say(words):
  spoken = synthesiser.speak(words, voice="en-us+f5", rate=150, pitch=50)
  return synthesiser.resample(spoken).samples


def padded(sound, seconds, *, after=0.0):
  """Silence, the sound, and silence until so many seconds are full."""
  whole = np.zeros(round(seconds * clock.SAMPLE_RATE), np.float32)
  begin = round(after * clock.SAMPLE_RATE)
  whole[begin : begin + len(sound)] = sound
  return whole


synthesiser.seed(0)

# %% [markdown]
# ## Stream
#
# The user asks `nano` to count. Sound is pushed as a microphone would bring it,
# in pieces of 50 ms; each `push` returns what became audible, at most one turn
# of it, together with the events. (The first session compiles its programs for
# half a minute.)

# %%
session = ij.Session("nano")
question = padded(say("count to ten"), 4.2, after=0.6)
voice = [np.zeros(clock.SAMPLES, np.float32)]
past = []
for at in range(0, len(question), 800):
  answer = session.push(question[at : at + 800])
  voice.append(answer.audio)
  past += answer.events
  for event in answer.events:
    if event.kind in ("show", "say"):
      print(f"{event.t:4.1f} s  {event.kind:5}{event.payload['text']}")
voice = np.concatenate(voice)

# %% [markdown]
# ## Snapshot
#
# It is in the middle of its answer. All that it has heard, said and intends to
# say is one tree of arrays, whose size does not grow with time. It becomes a
# file, and a session again.

# %%
session.snapshot().save("counting.npz")
snapshot = Snapshot.load("counting.npz")
size = sum(leaf.nbytes for leaf in snapshot.state)
print(f"{len(snapshot.state)} arrays, {size / 1e6:.1f} MB in memory, "
      f"{len(snapshot.to_bytes()) / 1e6:.1f} MB on disk")  # fmt: skip
resumed = ij.Session.resume(session.model, snapshot)
print(f"it goes on at {resumed.time:.1f} s, in turn {resumed.turn}")

# %% [markdown]
# ## Fork, and interrupt
#
# Three futures of this one moment. In the first the user says nothing. In the
# second he says "stop" while the model speaks; in the third he asks something
# else. There is no detector of interruptions that would switch the voice off:
# the model hears the user while it speaks, and decides for itself.

# %%
futures = {
  "silence": padded([], 3.8),
  "“stop”": padded(say("stop"), 3.8),
  "another question": padded(say("what is two plus two"), 3.8),
}
answers = {}
for name, sound in futures.items():
  branch = resumed.fork()
  answers[name] = branch.push(sound)
  said = "".join(
    event.payload["text"]
    for event in answers[name].events
    if event.kind == "say"
  )
  print(f"{name:18} it says:{said}")

# %% [markdown]
# Left of the dashed line there is one past. Right of it, blue is the pressure
# at the user's microphone and orange that at the model's loudspeaker, with the
# words that it says. Where both colours stand one above the other, both talk
# at once.

# %%
figure, rows = plt.subplots(3, 1, figsize=(11, 6), sharex=True)
fork_at = len(question) / clock.SAMPLE_RATE
for row, (name, sound) in zip(rows, futures.items(), strict=True):
  heard = np.concatenate([question, sound])
  made = np.concatenate([voice, answers[name].audio])[: len(heard)]
  t = np.arange(len(heard)) / clock.SAMPLE_RATE
  row.plot(t, 0.6 + heard, color=USER, lw=0.4)
  row.plot(t, -0.6 + made, color=MODEL, lw=0.4)
  row.axvline(fork_at, color="#333333", lw=1, ls="--")
  for event in [*past, *answers[name].events]:
    if event.kind in ("say", "show"):
      height = -1.6 if event.kind == "say" else 1.2
      colour = MODEL if event.kind == "say" else USER
      row.text(event.t, height, event.payload["text"].strip(), color=colour)
  row.set_ylim(-1.8, 1.5)
  row.set_yticks([])
  row.set_title(name, loc="left", fontsize=11)
rows[-1].set_xlabel("seconds")
figure.tight_layout()

# %%
for name, sound in futures.items():
  heard = np.concatenate([question, sound])
  made = np.concatenate([voice, answers[name].audio])[: len(heard)]
  late = slice(round(1.5 * clock.SAMPLE_RATE), None)
  display(notebook.play(np.stack([heard, made], 1)[late], title=name))

# %% [markdown]
# ## The same bits
#
# A session that came from a disk goes on as if it had never stopped: not
# nearly so, but to the last bit.

# %%
onward = session.push(futures["silence"])
same = np.array_equal(onward.audio, answers["silence"].audio)
print("the session that never stopped made the same bits:", same)

# %% [markdown]
# ## Your own voice
#
# In Colab, the cell below leads your microphone to a session in this notebook,
# over the bridge between page and Python, without a server. (Anywhere else,
# `interaction-jax serve` opens a page.) Do not expect to be understood: `nano`
# has only ever heard synthetic voices.

# %%
if "google.colab" in sys.modules:
  display(notebook.converse(ij.Session(session.model)))

# %%
counted = {
  name: [e.payload["text"].strip() for e in answer.events if e.kind == "say"]
  for name, answer in answers.items()
}
assert same
assert counted["silence"][-1] == "ten", counted
assert len(counted["“stop”"]) < len(counted["silence"]), counted
assert "four" in counted["another question"][-1], counted
assert resumed.turn == session.turn - len(onward.turns) == 21
