"""`fit`: a model on a machine that is not there."""

import dataclasses
import json as json_lib
import os
from typing import Final

from interaction_jax.command import form
from interaction_jax.command.form import Command, Flag
from interaction_jax.core import settings


def _fit(
  *,
  config: str,
  topology: str,
  slices: int,
  sessions: int,
  mesh: str | None,
  train_mesh: str | None,
  program: str,
  layers: str,
  quantise: str | None,
  set: list[str],
  json: bool,
) -> None:
  programs, ways = ("both", "step", "train"), ("shallow", "checked", "whole")
  for flag, value, known in (
    ("program", program, programs), ("layers", layers, ways),
  ):  # fmt: skip
    if value not in known:
      raise ValueError(
        f"--{flag}={value!r} is not known{settings.near(value, known)}; there "
        f"is {', '.join(known)}."
      )
  parts = settings.quantised(quantise)
  if parts and program == "train":
    raise ValueError(
      f"--quantise={quantise!r} is for a model that is served; training needs "
      "the weights themselves: leave it out, or ask for --program=step."
    )
  experiment = settings.override(settings.load(config), set)
  lines = [
    None if name is None else settings.mesh_line(name)
    for name in (mesh, train_mesh)
  ]
  # No device of this machine is used, and some would take long to begin.
  os.environ.setdefault("JAX_PLATFORMS", "cpu")
  from interaction_jax.evals.fit import report
  from interaction_jax.evals.fit import topology as topologies

  request = report.Request(
    experiment,
    topologies.parse(topology, num_slices=slices),
    sessions=sessions,
    mesh=lines[0],
    train_mesh=lines[1],
    served=program != "train",
    trained=program != "step",
    how=layers,  # pyright: ignore[reportArgumentType]
    quantise=parts,
  )
  try:
    found = report.run(request)
  except ModuleNotFoundError as error:
    if error.name != "jax_cuda12_plugin":
      raise
    raise ValueError(
      "fit needs jax_cuda12_plugin for GPUs, which is not installed; pip "
      f"install '{form.PROGRAM}[cuda]' brings it."
    ) from error
  print(json_lib.dumps(found, indent=2) if json else report.summary(found))


COMMAND: Final = Command(
  "fit",
  "whether a model fits a machine that is not there; estimates its times",
  _fit,
  flags=(
    Flag("config", "interaction_276b", "a shipped experiment, or a file"),
    Flag("topology", "v5p:2x2x4", "chips of v5e, v5p, v6e, tpu7x; h200:8"),
    Flag("slices", 1, "of that shape"),
    Flag("sessions", 64, "at once"),
    Flag("mesh", None, "where a served model lies; else one is chosen"),
    Flag("train-mesh", None, "where a trained one does"),
    Flag("program", "both", "both, step or train"),
    Flag("layers", "shallow", "compiled: few, or whole; or checked"),
    dataclasses.replace(form.QUANTISE, help=f"step: {form.QUANTISE.help}"),
    Flag("set", (), "one setting: 'train.batch=512'"),
    Flag("json", False, "print JSON"),
  ),
  extra="tpu",
)
