"""The command line: `interaction-jax`, or `python -m interaction_jax`.

`command/table.py` says what there is. A sub-command imports what it needs when
it runs, so help and mistakes answer at once.
"""

import importlib
import os
import sys
from collections.abc import Sequence

from absl import flags

from interaction_jax.command import form
from interaction_jax.command.form import PROGRAM
from interaction_jax.command.table import COMMANDS
from interaction_jax.core import pages, settings


def run() -> None:
  """Runs the command line of this process and exits with its code."""
  if sys.argv[1:2] in (["train"], ["bench"]):
    pages.enlarge()
  sys.exit(main(sys.argv[1:]))


def main(line: Sequence[str]) -> int:
  """Runs one command line, program name left out; returns the exit code.

  What the user got wrong is one line on stderr and exit code 2; a mistake of
  ours keeps its traceback.
  """
  if not line or line[0] in ("--help", "-h"):
    print(_overview())
    return 0 if line else 2
  if line[0] == "--version":
    print(importlib.import_module("interaction_jax").__version__)
    return 0
  name = line[0]
  command = COMMANDS.get(name)
  if command is None:
    what = "flag" if name.startswith("-") else "sub-command"
    return _refuse(
      f"there is no {what} {name!r}{settings.near(name, COMMANDS)}; "
      f"{PROGRAM} --help lists what there is."
    )
  if "--help" in line or "-h" in line:
    print(form.describe(command))
    return 0
  try:
    arguments, values = form.parse(command, line[1:])
    code = command.run(*arguments, **values)
    sys.stdout.flush()
  except ModuleNotFoundError as error:
    if command.extra is None or f"{error.name}".startswith("interaction_jax"):
      raise
    return _refuse(
      f"{name} needs {error.name}, which is not installed; "
      f"pip install '{PROGRAM}[{command.extra}]' brings it."
    )
  except BrokenPipeError:
    # Whoever read has read enough; nothing more is flushed at the end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
  except (ValueError, OSError, flags.Error) as error:
    return _refuse(str(error))
  return code or 0


def _overview() -> str:
  lines = [
    f"usage: {PROGRAM} COMMAND [ARGUMENTS] [FLAGS]",
    "",
    "Interaction models in JAX: one model that hears, sees and reads while it",
    "speaks and writes.",
    "",
  ]
  lines += [f"  {name:<10} {c.summary}" for name, c in COMMANDS.items()]
  lines += ["", f"{PROGRAM} COMMAND --help says more of each."]
  return "\n".join(lines)


def _refuse(message: str) -> int:
  """Tells the user what was wrong, in one line."""
  print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)
  return 2


if __name__ == "__main__":
  run()
