"""`replay`: a session again, bit for bit."""

import functools
from typing import Final

from interaction_jax.command import bar
from interaction_jax.command.form import Command


def _replay(folder: str) -> int:
  from interaction_jax.serve import models, replay

  load = functools.partial(models.load, cache=models.cache())
  found = replay.replay(folder, load=load, progress=bar.show)
  print(replay.report(found))
  return 0 if found.agrees else 1


COMMAND: Final = Command(
  "replay",
  "runs a session again and says whether every bit agrees",
  _replay,
  arguments=("DIR",),
)
