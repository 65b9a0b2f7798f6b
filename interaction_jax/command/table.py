"""All sub-commands. A new one is a module beside this one and a line below."""

from typing import Final

from interaction_jax.command import (
  bench,
  convert,
  evaluate,
  fit,
  generate,
  inspect,
  replay,
  serve,
  talk,
  train,
  vocoder,
)
from interaction_jax.command.form import Command

_MODULES: Final = (
  *(talk, replay, serve),
  *(train, vocoder, generate, inspect),
  *(evaluate, bench, fit, convert),
)

COMMANDS: Final[dict[str, Command]] = {
  module.COMMAND.name: module.COMMAND for module in _MODULES
}
