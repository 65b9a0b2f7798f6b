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
# # 1 · One micro-turn, heard and seen
#
# [![Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/interaction-jax/interaction_jax/blob/main/colabs/1_micro_turn.ipynb)
#
# An interaction model does not wait for the end of your sentence. It lives in
# **micro-turns of 200 ms**: in each it hears 3,200 samples, decides whether to
# speak, and makes the next 3,200 samples of its own voice. Here we ask `nano`,
# the small model that comes with the library, a question, and then look into
# one of these turns.

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

import interaction_jax as ij
from interaction_jax.data.synthetic import synthesiser
from interaction_jax.ops import spectral
from interaction_jax.serve.web import notebook
from interaction_jax.turns import clock

USER, MODEL, GATE, FAINT = "#0072B2", "#D55E00", "#009E73", "#DDDDDD"
plt.rcParams.update(
  {"figure.dpi": 80, "axes.spines.top": False, "axes.spines.right": False}
)

# %% [markdown]
# ## A question
#
# The user is a speech synthesiser with a voice that `nano` was never trained
# on. (`nano` knows 300 words, and synthetic voices only.)


# %%
def say(words):
  spoken = synthesiser.speak(words, voice="en-us+f5", rate=150, pitch=50)
  return synthesiser.resample(spoken).samples


def silence(seconds):
  return np.zeros(round(seconds * clock.SAMPLE_RATE), np.float32)


synthesiser.seed(0)
sound = np.concatenate([silence(0.6), say("what is three plus four")])
sound = np.concatenate([sound, silence(4.0 - len(sound) / clock.SAMPLE_RATE)])

# %% [markdown]
# A `Session` is the whole interface: sound goes in by `push`, and every turn
# that became full is run. The first session of a model compiles its two
# programs, which takes half a minute.

# %%
session = ij.Session("nano")
answer = session.push(sound)

shown = [(e.t, e.payload["text"]) for e in answer.events if e.kind == "show"]
said = [(e.t, e.payload["text"]) for e in answer.events if e.kind == "say"]
print("it wrote:", "".join(text for _, text in shown))
print("it said: ", "".join(text for _, text in said))
cost = np.median([turn.compute_ms for turn in answer.turns])
print(f"{len(answer.turns)} turns, each {cost:.0f} ms of its 200 ms")

# %% [markdown]
# What a turn makes is audible in the next one, so the voice lies one turn
# later than the turns that made it. You on the left, the model on the right:

# %%
voice = np.concatenate([silence(0.2), answer.audio])[: len(sound)]
notebook.play(np.stack([sound, voice], axis=1), title="user | model")

# %% [markdown]
# ## The conversation, turn by turn
#
# Every stripe is a turn. Above, the air pressure at the user's microphone, and
# the captions that the model writes while it listens. In the middle, how
# likely it is to speak: nobody tells it that the question is over. Below, the
# pressure at its loudspeaker.

# %%
decides = next(turn for turn in answer.turns if turn.speaks).index
listens, speaks = decides - 3, decides + 1
t = np.arange(len(sound)) / clock.SAMPLE_RATE
begins = clock.seconds(1) * np.arange(len(answer.turns) + 1)
chance = 1 / (1 + np.exp([-turn.gate for turn in answer.turns]))

figure, (heard_row, gate_row, voice_row) = plt.subplots(
  3, 1, figsize=(11, 5), sharex=True, height_ratios=(2, 1, 2)
)
heard_row.plot(t, sound, color=USER, lw=0.5)
voice_row.plot(t, voice, color=MODEL, lw=0.5)
gate_row.stairs(chance, begins, color=GATE, fill=True, alpha=0.6)
for row, words, name in (
  (heard_row, shown, "heard"),
  (voice_row, said, "voice"),
):
  for at, text in words:
    row.text(at, 0.62, text.strip(), fontsize=9)
  row.set_ylim(-0.8, 0.8)
  row.set_ylabel(name)
gate_row.set_ylabel("speaks?")
gate_row.set_ylim(0, 1.05)
for row in (heard_row, gate_row, voice_row):
  for index in range(0, len(begins) - 1, 2):
    row.axvspan(begins[index], begins[index + 1], color="#F5F5F5", zorder=-2)
  for index in (listens, decides, speaks):
    row.axvspan(begins[index], begins[index + 1], color="#FFE9A8", zorder=-1)
voice_row.set_xlabel("seconds")
figure.align_ylabels()
figure.tight_layout()

# %% [markdown]
# ## Inside the yellow turns
#
# The model does not hear pressure. Its ear cuts sound into overlapping windows
# of 50 ms, measures how much power each of 80 bands of frequency holds, and
# rounds the logarithm to one of 16 levels: **dMel**. Eight windows fit into a
# turn, two share a position, so 200 ms of sound are 4 positions of the
# sequence. It hears its own voice through the same ear.

# %%
audio = session.model.cfg.audio


def levels(samples, index):
  mel = spectral.log_mel(
    samples[None],
    hop=audio.hop,
    window=audio.window,
    num_mels=audio.num_mels,
    sample_rate=clock.SAMPLE_RATE,
  )
  rounded = spectral.quantize(
    mel, num_levels=audio.num_levels, low=audio.low, high=audio.high
  )
  per_turn = clock.SAMPLES // audio.hop
  return np.asarray(rounded[0, index * per_turn : (index + 1) * per_turn])


heard_levels, voice_levels = levels(sound, listens), levels(voice, speaks)
print("dMel of a turn:", heard_levels.shape, "in levels from",
      heard_levels.min(), "to", heard_levels.max())  # fmt: skip

# %% [markdown]
# This is how the network reads the three yellow turns. Each begins with a
# **tick**, which carries the time. Then comes its own **voice**, if it spoke in
# the turn before, then what it **heard**, then the text it **writes** until it
# chooses to end: captions on the channel `SHOW`, what it is about to say on the
# channel `SAY`. The hidden state of the last position opens the gate and makes
# the voice.


# %%
def name_of(token):
  control = session.model.words.control_of(token)
  if control is not None:
    return control.name
  return session.model.words.tokenizer.decode([token]).strip()


def positions(index):
  num = clock.SAMPLES // audio.hop // audio.frames_per_position
  spoke = answer.turns[index - 1].speaks
  written = [(name_of(token), FAINT) for token in answer.turns[index].text]
  return [
    ("tick", GATE),
    *[("voice", MODEL)] * (num * spoke),
    *[("heard", USER)] * num,
    *written,
    ("END", "white"),
  ]


figure, rows = plt.subplots(3, 1, figsize=(11, 2.6))
for row, index, name in zip(
  rows,
  (listens, decides, speaks),
  ("listens", "decides", "speaks"),
  strict=True,
):
  for place, (text, colour) in enumerate(positions(index)):
    row.add_patch(plt.Rectangle((place, 0), 0.92, 1, fc=colour, ec="#888888"))
    row.text(
      place + 0.46, 0.5, text, ha="center", va="center", fontsize=9,
      color="white" if colour in (USER, MODEL, GATE) else "black",
    )  # fmt: skip
  row.text(-0.2, 0.5, f"turn {index} {name}", ha="right", va="center")
  row.set_xlim(-2.2, 12)
  row.set_ylim(-0.1, 1.1)
  row.axis("off")
figure.tight_layout()

# %% [markdown]
# And this is what lies in some of the boxes; bright is loud, high pitch is up.
# From the left: the blue boxes of the first turn, the orange ones of the third,
# and the 20 fine frames that the third turn makes for the next 200 ms, drawn
# out of noise by the flow decoder. The ladders in them are harmonics of a
# voice. A vocoder turns the frames into the pressure on the right.

# %%
turn = answer.turns[speaks]
figure, axes = plt.subplots(
  1, 4, figsize=(11, 3), width_ratios=(1, 1, 1.4, 1.8)
)
for axis, image, name in (
  (axes[0], heard_levels, "heard, 16 levels"),
  (axes[1], voice_levels, "its own voice, 16 levels"),
  (axes[2], turn.mel, "made for the next turn"),
):
  axis.imshow(
    image.T, origin="lower", aspect="auto", cmap="magma",
    extent=(0, 200, 0, image.shape[1]),
  )  # fmt: skip
  axis.set_title(name, fontsize=10)
  axis.set_xlabel("ms")
axes[0].set_ylabel("band of frequency")
ms = 1000 * np.arange(clock.SAMPLES) / clock.SAMPLE_RATE
axes[3].plot(ms, turn.voice, color=MODEL, lw=0.6)
axes[3].set_title("as sound", fontsize=10)
axes[3].set_xlabel("ms")
figure.tight_layout()

# %% [markdown]
# This one turn alone, 200 ms of voice:

# %%
notebook.play(turn.voice, title=f"turn {speaks}")

# %% [markdown]
# ## The clock is the model's own
#
# Turns are counted in samples, not in calls. The same sound in pieces of 30 ms,
# as a microphone would bring it, makes the same bits.

# %%
again = ij.Session(session.model)
pieces = [sound[at : at + 480] for at in range(0, len(sound), 480)]
parts = [again.push(piece).audio for piece in pieces]
same = np.array_equal(np.concatenate(parts), answer.audio)
print("bit for bit the same:", same)

# %%
assert same
assert "seven" in "".join(text for _, text in said)
assert len(answer.turns) == len(sound) // clock.SAMPLES == 20
assert turn.voice.shape == (clock.SAMPLES,) and np.abs(turn.voice).max() > 0.01
assert heard_levels.shape == voice_levels.shape == (8, 80)
assert heard_levels.min() >= 0 and voice_levels.max() <= 15

# %% [markdown]
# Next: train such a model yourself (`2_train_nano`), or interrupt one
# (`3_stream_and_fork`).
