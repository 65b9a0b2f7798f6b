"""`convert`: weights and recordings of others."""

import importlib
import json as json_lib
from pathlib import Path
from typing import Any, Final

from interaction_jax.command.form import Command, Flag
from interaction_jax.core import settings


def _convert(
  family: str,
  source: str,
  target: str,
  *,
  force: bool,
  mesh: str | None,
  distributed: bool,
) -> None:
  families = {
    "inkling": "interaction_jax.convert.inkling",
    "moshi": "interaction_jax.data.convert.moshi",
    "lhotse": "interaction_jax.data.convert.lhotse",
    "captioned": "interaction_jax.data.convert.captioned",
  }
  if family not in families:
    raise ValueError(
      f"convert {family!r} is not known{settings.near(family, families)}; "
      f"there is {', '.join(families)}."
    )
  if Path(target).exists() and not force:
    raise FileExistsError(f"{target} exists already; --force replaces it.")
  spread: dict[str, Any] = {}
  if mesh is not None:
    settings.mesh_line(mesh)
    spread["mesh"] = mesh
  if family != "inkling" and (spread or distributed):
    raise ValueError(
      f"--mesh and --distributed say nothing to {family}, which has no weights."
    )
  module = importlib.import_module(families[family])
  if distributed:
    from interaction_jax.core import cluster

    cluster.join()
  report = module.convert(source, target, overwrite=force, **spread)
  print(json_lib.dumps(report, indent=2))


COMMAND: Final = Command(
  "convert",
  "turns weights or recordings of others into ours; prints a report",
  _convert,
  arguments=("{inkling,moshi,lhotse,captioned}", "SRC", "DST"),
  flags=(
    Flag("force", False, "replace DST if it exists"),
    Flag("mesh", None, "inkling: where the weights lie meanwhile"),
    Flag("distributed", False, "inkling: join other processes first"),
  ),
  extra="convert",
)
