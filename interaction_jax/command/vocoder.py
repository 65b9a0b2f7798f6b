"""`vocoder`: the voice of a model, trained and judged."""

import json as json_lib
from pathlib import Path
from typing import Final

from interaction_jax.command import bar
from interaction_jax.command.form import Command, Flag
from interaction_jax.core import settings


def _vocoder(
  *,
  config: str,
  workdir: str | None,
  sounds: str | None,
  bank: str,
  set: list[str],
  start: str | None,
  sentences: int,
  into: str | None,
  out: str | None,
  force: bool,
) -> None:
  if workdir is None:
    raise ValueError("vocoder needs --workdir DIR, the folder of the run.")
  if (into is None) != (out is None):
    raise ValueError(
      "--into CHECKPOINT and --out DIR belong together: the model that gets "
      "the voice, and the folder to write."
    )
  if out is not None and Path(out).exists() and not force:
    raise FileExistsError(f"{out} exists already; --force replaces it.")
  cfg = settings.load(config).model.vocoder
  from interaction_jax.core import checkpoint
  from interaction_jax.data import generate
  from interaction_jax.evals import vocoding
  from interaction_jax.serve import models
  from interaction_jax.train import vocoder

  training = settings.override(vocoder.VocoderTraining(), set)
  model = None if into is None else models.find(into)
  first = None
  if start is not None:
    first = vocoder.of_model(checkpoint.load(models.find(start)), cfg)
  if sounds is None:
    made = generate.prepare(Path(bank), seed=training.seed)
    clips, unheard = (
      vocoder.spoken(made, split) for split in ("train", "held_out")
    )
  else:
    clips, unheard = vocoding.apart(
      vocoder.read(sounds, sample_rate=cfg.sample_rate)
    )
  weights = vocoder.fit(
    clips,
    cfg=cfg,
    training=training,
    workdir=workdir,
    held_out=unheard,
    start=first,
    on_step=lambda line: bar.show(line["step"] + 1, training.num_steps),
  )
  report = vocoding.report(
    weights, unheard, cfg=cfg, training=training, num_sentences=sentences
  )
  text = json_lib.dumps(report, indent=2) + "\n"
  (Path(workdir) / "report.json").write_text(text)
  print(vocoding.summary(report))
  if model is not None and out is not None:
    vocoding.give(model, weights, out, cfg=cfg, overwrite=force)


COMMAND: Final = Command(
  "vocoder",
  "trains the voice of a model, and says how good it is",
  _vocoder,
  flags=(
    Flag("config", "nano", "an experiment whose vocoder it is"),
    Flag("workdir", None, "the folder of the run"),
    Flag("sounds", None, "a folder of recordings; else a speech bank"),
    Flag("bank", "bank", "the speech bank; made if it is not there"),
    Flag("set", (), "one setting: 'num_steps=20', or 'judges=0.1'"),
    Flag("start", None, "a model whose voice a new run begins with"),
    Flag("sentences", 60, "by which it is judged"),
    Flag("into", None, "a shipped model, or a checkpoint, that gets it"),
    Flag("out", None, "where that model is written"),
    Flag("force", False, "replace a checkpoint in that folder"),
  ),
  extra="data",
)
