"""`inspect`: what a config, a checkpoint or a folder of records is."""

import functools
import json as json_lib
from pathlib import Path
from typing import Any, Final

from interaction_jax.command.form import Command, Flag
from interaction_jax.core import settings


def _inspect(source: str, *, json: bool, mesh: str | None) -> None:
  # A wrong name is told before the model is imported, which takes seconds.
  line = None if mesh is None else settings.mesh_line(mesh)
  if (Path(source) / "index.json").is_file():
    return _inspect_records(source, json=json)
  if Path(source).is_dir():
    report = _checkpoint_report(source)
  else:
    report = _config_report(source)
  if line is not None:
    report["mesh"] = _mesh_report(report["config"], line)
  if json:
    print(json_lib.dumps(report, indent=2))
    return
  print(_readable(source, report))


def _inspect_records(source: str, *, json: bool) -> None:
  from interaction_jax.data import records

  report = records.inspect(source)
  print(json_lib.dumps(report, indent=2) if json else records.summary(report))


def _readable(source: str, report: dict[str, Any]) -> str:
  from interaction_jax.model import cost

  name = (report["config"] or {}).get("name", Path(source).name)
  lines = [f"{'name':<20}{name:>20}"]
  if "intact" in report:
    lines.append(f"{'intact':<20}{'yes' if report['intact'] else 'no':>20}")
    lines += [f"  {problem}" for problem in report["problems"]]
  if "mesh" in report:
    share = report["mesh"]["bytes_per_device"] / 2**30
    lines.append(f"{'GiB on a device':<20}{share:>20.3f}")
  return "\n".join([*lines, cost.table(report["parameters"])])


def _config_report(source: str) -> dict[str, Any]:
  # A wrong name is told before the model is imported, which takes seconds.
  experiment = settings.load(source)
  from interaction_jax.model import cost

  return {
    "config": settings.to_dict(experiment),
    "parameters": cost.parameters(experiment.model),
  }


def _checkpoint_report(source: str) -> dict[str, Any]:
  from interaction_jax.core import checkpoint
  from interaction_jax.model import config, cost

  report = checkpoint.inspect(source)
  # What a damaged folder still says of itself is all there is to tell.
  counts: dict[str, Any] = {"total": report["parameters"], "parts": {}}
  if report["config"] is not None:
    # A training run keeps the whole experiment, others the model alone.
    plain = report["config"].get("model", report["config"])
    model = settings.from_dict(config.InteractionConfig, plain)
    counts = {**cost.parameters(model)}
  return {**report, "parameters": counts}


def _mesh_report(plain: dict[str, Any], line: str) -> dict[str, Any]:
  """How the parameters would lie on a mesh; no device is needed."""
  import jax

  from interaction_jax.core import sharding
  from interaction_jax.model import config, interaction

  model = settings.from_dict(
    config.InteractionConfig, plain.get("model", plain)
  )
  shapes = jax.eval_shape(
    functools.partial(interaction.init, cfg=model), jax.random.key(0)
  )
  mesh = sharding.planned(line)
  share = sharding.share(interaction.axes(model), shapes, mesh)
  return {"axes": dict(mesh.shape), "bytes_per_device": share}


COMMAND: Final = Command(
  "inspect",
  "what a config, a checkpoint or a folder of records is; is it intact?",
  _inspect,
  arguments=("CONFIG-or-CHECKPOINT-or-RECORDS",),
  flags=(
    Flag("json", False, "print JSON"),
    Flag("mesh", None, "and how it would lie there: a name or 'expert=4'"),
  ),
)
