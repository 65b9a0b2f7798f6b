"""`generate`: synthetic conversations."""

import json as json_lib
import os
from pathlib import Path
from typing import Final

from interaction_jax.command import bar
from interaction_jax.command.form import Command, Flag
from interaction_jax.core import settings

_SPLITS: Final = ("train", "held_out")


def _generate(
  *,
  out: str | None,
  episodes: int,
  seed: int,
  seconds: float,
  bank: str,
  clips: int,
  split: str,
  workers: int,
  force: bool,
) -> None:
  if out is None and not clips:
    raise ValueError(
      "generate needs --out DIR, the folder to write, or --clips N for a "
      "speech bank alone."
    )
  if split not in _SPLITS:
    raise ValueError(
      f"--split={split!r} is not known{settings.near(split, _SPLITS)}; there "
      f"is {', '.join(_SPLITS)}."
    )
  from interaction_jax.data import generate

  if out is None:
    made = generate.prepare(Path(bank), seed=seed, num_clips=clips)
    print(json_lib.dumps({"bank": bank, "clips": len(made.clips)}, indent=2))
    return
  index = generate.generate(
    out,
    bank,
    num_episodes=episodes,
    seed=seed,
    seconds=seconds,
    num_clips=clips or None,
    split=split,
    num_workers=workers or os.cpu_count() or 1,
    force=force,
    progress=bar.show,
  )
  del index["files"]
  print(json_lib.dumps(index, indent=2))


COMMAND: Final = Command(
  "generate",
  "makes synthetic conversations with exact labels",
  _generate,
  flags=(
    Flag("out", None, "the folder of records to write"),
    Flag("episodes", 100, "how many conversations"),
    Flag("seed", 0, "of all that is drawn"),
    Flag("seconds", 60.0, "length of each"),
    Flag("bank", "bank", "the speech bank; made if it is not there"),
    Flag("clips", 0, "of users, in a bank that is made; 0: 10000"),
    Flag("split", "train", "whose voices speak: train or held_out"),
    Flag("workers", 0, "processes; 0: one for each core"),
    Flag("force", False, "replace a folder of records"),
  ),
  extra="data",
)
