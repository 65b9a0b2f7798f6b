"""How good a vocoder is: distances, and whether its words are understood.

Both on what it never heard: recordings of voices that were held out, and
sentences of the assistant, spoken as a whole. Beside it stand the recordings
themselves and Griffin-Lim, which nobody trained: what a judge makes of those
is what can be had.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from interaction_jax.core import checkpoint
from interaction_jax.core.params import Params
from interaction_jax.data.synthetic import world
from interaction_jax.evals import intelligibility
from interaction_jax.evals.harness import narrator
from interaction_jax.evals.harness.narrator import Line
from interaction_jax.evals.intelligibility import Judge, Spoken
from interaction_jax.model.config import VocoderConfig
from interaction_jax.ops import waveform
from interaction_jax.train import vocoder
from interaction_jax.train.vocoder import VocoderTraining


def report(
  weights: Params,
  held_out: Sequence[Float[np.ndarray, " _"]],
  *,
  cfg: VocoderConfig,
  training: VocoderTraining,
  num_sentences: int = 60,
  seed: int = 0,
) -> dict[str, Any]:
  """Measures a vocoder.

  Args:
    held_out: recordings that it did not learn from.
    training: says how long the stretches are that are compared.
    num_sentences: of the assistant.

  Returns:
    `distances`: of `vocoder` and `griffin_lim`, each as
    `train.vocoder.distances`; `words`: of `recorded`, `griffin_lim` and
    `vocoder`, each as `intelligibility.report`.
  """
  samples = vocoder.exam(held_out, cfg=cfg, training=training)
  found = {
    "vocoder": vocoder.measure(weights, samples, cfg=cfg),
    "griffin_lim": _guessed(samples, cfg),
  }
  lines = sentences(num_sentences, seed=seed)
  said = narrator.speak([Line(" ".join(line)) for line in lines])
  rows = intelligibility.round_trips(
    [one.sound for one in said], weights, cfg=cfg
  )
  return {
    "distances": {
      name: {part: float(value) for part, value in parts.items()}
      for name, parts in found.items()
    },
    "words": intelligibility.report(
      judge(),
      {
        name: [Spoken(s, line) for s, line in zip(sounds, lines, strict=True)]
        for name, sounds in rows.items()
      },
      seed=seed,
    ),
  }


def apart(
  clips: Sequence[Float[np.ndarray, " _"]],
) -> tuple[list[np.ndarray], list[np.ndarray]]:
  """Recordings to learn from, and every tenth of them to be measured by.

  Raises:
    ValueError: there is one alone.
  """
  if len(clips) < 2:
    raise ValueError(
      f"{len(clips)} recording is too few: one is learned from and another "
      "one measured by."
    )
  step = min(10, len(clips))
  held_out = list(clips[step - 1 :: step])
  return [
    clip for place, clip in enumerate(clips) if place % step != step - 1
  ], held_out


def give(
  model: str | Path,
  weights: Params,
  out: str | Path,
  *,
  cfg: VocoderConfig,
  overwrite: bool = False,
) -> None:
  """Writes a checkpoint again with another vocoder.

  Raises:
    FileExistsError: `out` is taken.
    OSError: it could not be written.
    ValueError: the checkpoint is damaged, or has another kind of vocoder.
  """
  loaded = checkpoint.load(model)
  checkpoint.save(
    out,
    vocoder.given_to(loaded, weights, cfg),
    config=loaded.config,
    tokenizer=loaded.tokenizer,
    extra=loaded.extra,
    overwrite=overwrite,
    max_file_bytes=15 << 20,
  )


def sentences(num: int, *, seed: int) -> list[tuple[str, ...]]:
  """Three to six words each, that mean nothing together: none can be guessed.

  Words whose sound is that of another one are left out.
  """
  rng = np.random.default_rng(seed)
  known = [word for word in world.WORDS if word not in _SAME]
  return [
    tuple(rng.choice(known, rng.integers(3, 7)).tolist()) for _ in range(num)
  ]


_SAME = frozenset({"to", "two", "for", "four"})


def judge() -> Judge:
  """One who knows every word of the assistant, said by itself."""
  said = narrator.speak([Line(word) for word in world.WORDS])
  return Judge.of(
    (word, one.sound) for word, one in zip(world.WORDS, said, strict=True)
  )


def summary(report: dict[str, Any]) -> str:
  """What `report` returned, for people to read."""
  lines = [f"{'':<14}{'mel':>9}{'log':>9}{'dB':>9}"]
  for name, parts in report["distances"].items():
    values = (parts[part] for part in ("mel", "log", "log_spectral_db"))
    lines.append(f"{name:<14}" + "".join(f"{value:>9.4f}" for value in values))
  lines.append(f"{'':<14}{'WER':>9}{'chance':>9}{'words':>9}")
  for name, row in report["words"].items():
    lines.append(
      f"{name:<14}{row['wer']:>9.1%}{row['chance']:>9.1%}{row['n']:>9}"
    )
  return "\n".join(lines)


def _guessed(
  samples: Float[Array, "B W"], cfg: VocoderConfig
) -> dict[str, Float[Array, ""]]:
  @jax.jit
  def run(samples: Array) -> dict[str, Array]:
    mel = jnp.maximum(vocoder.fine_mel(samples, cfg), cfg.floor)
    made = waveform.griffin_lim(
      mel, hop=cfg.hop, window=cfg.window, sample_rate=cfg.sample_rate
    )
    end = samples.shape[1] - cfg.delay
    return vocoder.distances(made[:, :end], samples[:, :end], cfg)

  return run(samples)
