"""Which benchmarks there are. A new one is a module and a line below.

A module of a suite offers `Options`, a frozen dataclass that refuses what
cannot be, and `run(model, folder, options, progress=)`, which writes a report
with at least `suite`, `rows`, `seed`, `checkpoint` and `wall_s` and returns it.
"""

import importlib
from types import ModuleType
from typing import Final

from interaction_jax.core import settings

SUITES: Final = {"behaviours": "interaction_jax.evals.behaviours.suite"}


def find(name: str | None) -> ModuleType:
  """The module of a suite.

  Raises:
    ValueError: there is none of that name.
  """
  if name not in SUITES:
    near = "" if name is None else settings.near(name, SUITES)
    raise ValueError(
      f"suite={name!r} is not known{near}; there is {', '.join(SUITES)}."
    )
  return importlib.import_module(SUITES[name])
