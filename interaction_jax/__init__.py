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
  from interaction_jax.model.forward import forward
  from interaction_jax.model.interaction import init
  from interaction_jax.model.state import start
  from interaction_jax.model.step import absorb, step, stream
  from interaction_jax.serve.models import load as load_model
  from interaction_jax.serve.session import Session
  from interaction_jax.train.config import Experiment
  from interaction_jax.turns.schema import Episode, Media, TurnInput

__all__ = [
  "Episode",
  "Experiment",
  "InteractionConfig",
  "Media",
  "Session",
  "TurnInput",
  "__version__",
  "absorb",
  "forward",
  "init",
  "load_config",
  "load_model",
  "start",
  "step",
  "stream",
]

_HOMES = {
  "Episode": "turns.schema:Episode",
  "Experiment": "train.config:Experiment",
  "InteractionConfig": "model.config:InteractionConfig",
  "Media": "turns.schema:Media",
  "Session": "serve.session:Session",
  "TurnInput": "turns.schema:TurnInput",
  "absorb": "model.step:absorb",
  "forward": "model.forward:forward",
  "init": "model.interaction:init",
  "load_config": "core.settings:load",
  "load_model": "serve.models:load",
  "start": "model.state:start",
  "step": "model.step:step",
  "stream": "model.step:stream",
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
