"""Interaction models in JAX: one model that listens while it speaks.

What stands here is the public interface, loaded when it is first used, so
that `import interaction_jax` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  __version__: str
  from interaction_jax.core.settings import load as load_config
  from interaction_jax.model.config import InteractionConfig
  from interaction_jax.model.interaction import init
  from interaction_jax.serve.session import Session
  from interaction_jax.train.config import Experiment

__all__ = [
  "Experiment",
  "InteractionConfig",
  "Session",
  "__version__",
  "init",
  "load_config",
]

_HOMES = {
  "Experiment": "train.config:Experiment",
  "InteractionConfig": "model.config:InteractionConfig",
  "Session": "serve.session:Session",
  "init": "model.interaction:init",
  "load_config": "core.settings:load",
}


def __getattr__(name: str) -> Any:
  if name == "__version__":
    value = _version()
  elif name in _HOMES:
    module, _, attribute = _HOMES[name].partition(":")
    home = importlib.import_module(f"{__name__}.{module}")
    value = getattr(home, attribute)
  else:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
  globals()[name] = value
  return value


def __dir__() -> list[str]:
  return sorted(__all__)


def _version() -> str:
  # Reading the metadata of installed packages is slow and rarely asked for.
  from importlib import metadata

  try:
    return metadata.version("interaction-jax")
  except metadata.PackageNotFoundError:
    # A checkout on the path that was never installed.
    return "0+checkout"
