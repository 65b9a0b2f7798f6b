"""`train`: a run, or its continuation."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from interaction_jax.command import bar
from interaction_jax.command.form import Command, Flag
from interaction_jax.core import settings

if TYPE_CHECKING:
  from interaction_jax.train.config import Experiment


def _train(
  *,
  config: str,
  workdir: str | None,
  set: list[str],
  start: str | None,
  mesh: str | None,
  profile: str | None,
  distributed: bool,
  coordinator: str | None,
  processes: int,
  process: int,
) -> None:
  if workdir is None:
    raise ValueError("train needs --workdir DIR, the folder of the run.")
  experiment = settings.override(settings.load(config), set)
  steps = None if profile is None else _steps(profile)
  if mesh is not None:
    settings.mesh_line(mesh)
  with _leaving_when_told():
    import jax

    from interaction_jax.core import cluster
    from interaction_jax.evals import rehearsal
    from interaction_jax.serve import models
    from interaction_jax.train import loop, watch

  if start is not None:
    start = str(models.find(start))
  if distributed:
    cluster.join(
      coordinator,
      count=processes or None,
      index=None if process < 0 else process,
    )
  if jax.process_index() == 0:
    _tell_what_comes_first(experiment)
  shown = watch.Bar(experiment.train.num_steps)
  loop.train(
    experiment,
    workdir,
    start_from=start,
    mesh=mesh,
    profile=steps,
    on_step=shown.show if jax.process_index() == 0 else lambda line: None,
    on_save=rehearsal.Rehearsal(experiment, workdir),
  )


def _tell_what_comes_first(experiment: "Experiment") -> None:
  """Minutes in which nothing else would be seen."""
  data = experiment.train.data
  if not data.sources and not Path(data.bank).exists():
    bar.note(f"{data.bank}: a speech bank is made first, which takes minutes.")
  bar.note("The first update is compiled, which takes a minute or more.")


@contextlib.contextmanager
def _leaving_when_told() -> Iterator[None]:
  """While nothing can be lost yet, who is told to end (SIGTERM) just ends.

  To import a library takes seconds; from then on the run itself listens.
  """
  if threading.current_thread() is not threading.main_thread():
    yield
    return
  before = signal.signal(signal.SIGTERM, lambda *told: os._exit(0))
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, before)


def _steps(line: str) -> range:
  """Reads `100:105`."""
  first, _, last = line.partition(":")
  if not (first.isdecimal() and last.isdecimal() and int(first) < int(last)):
    raise ValueError(
      f"--profile={line!r} is not FIRST:END, such as '100:105' for five steps."
    )
  return range(int(first), int(last))


COMMAND: Final = Command(
  "train",
  "trains a model, or goes on where a run stopped",
  _train,
  flags=(
    Flag("config", "nano", "a shipped experiment, or a file"),
    Flag("workdir", None, "the folder of the run"),
    Flag("set", (), "one setting: 'train.num_steps=20'"),
    Flag("start", None, "a model whose weights a new run begins with"),
    Flag("mesh", None, "where it is spread: a name, or 'data=2,expert=4'"),
    Flag("profile", None, "steps that are profiled: '100:105'"),
    Flag("distributed", False, "join other processes, on TPU pods and such"),
    Flag("coordinator", None, "distributed: HOST:PORT of the first one"),
    Flag("processes", 0, "distributed: how many there are"),
    Flag("process", -1, "distributed: which this one is, from 0"),
  ),
  extra="data",
)
