"""What a launch would do, said before it is done.

Every script here makes a `Plan` and hands it to `carry_out`: with `--dry-run`
it is printed and nothing else happens, without it what is missing stops it
before anything was begun. The scripts need Python alone, not JAX and not this
package, so that they run on the laptop from which a launch is made.
"""

import argparse
import dataclasses
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

TRAIN = "interaction-jax"


@dataclasses.dataclass(frozen=True)
class Need:
  """Something without which a launch cannot work.

  Attributes:
    there: whether it is fulfilled.
    remedy: what to do if it is not.
  """

  what: str
  there: bool
  remedy: str


@dataclasses.dataclass(frozen=True)
class Plan:
  """What is needed, what is written, and what is run, in this order.

  Attributes:
    files: texts by where they are written.
    commands: each is run when the one before it has ended well.
  """

  needs: tuple[Need, ...]
  commands: tuple[tuple[str, ...], ...]
  files: Mapping[str, str] = dataclasses.field(default_factory=dict)


def flags(summary: str) -> argparse.ArgumentParser:
  """The flags of every launch; those of `train` keep their names."""
  parser = argparse.ArgumentParser(
    description=summary, formatter_class=argparse.RawTextHelpFormatter
  )
  add = parser.add_argument
  add("--dry-run", action="store_true", help="print the plan, do nothing")
  add("--config", default="nano", help="a shipped experiment, or a file")
  add("--workdir", required=True, help="of the run; all hosts see it")
  add("--mesh", required=True, help="a name, or 'data=2,expert=4'")
  add("--start", help="a checkpoint that a new run begins with")
  add(
    "--set",
    action="append",
    default=[],
    metavar="PATH=VALUE",
    help="one setting: train.num_steps=20",
  )
  return parser


def train(given: argparse.Namespace, *more: str) -> list[str]:
  """The training command of every process, flags of a launch handed on."""
  line = [TRAIN, "train", f"--config={given.config}"]
  line += [f"--workdir={given.workdir}", f"--mesh={given.mesh}"]
  line += [f"--start={given.start}"] if given.start else []
  return [*line, *(f"--set={one}" for one in given.set), *more]


def program(name: str, remedy: str) -> Need:
  """That a program is on the path of this machine."""
  return Need(f"the program {name}", shutil.which(name) is not None, remedy)


def answer(*command: str) -> str | None:
  """What a command prints, in one line; None: it fails or is not there."""
  if shutil.which(command[0]) is None:
    return None
  done = subprocess.run(command, capture_output=True, text=True)
  return done.stdout.strip() if done.returncode == 0 else None


def carry_out(plan: Plan, *, dry_run: bool) -> int:
  """Prints a plan, and does what it says; returns an exit code.

  2: something is missing, and nothing was done.
  """
  missing = [need for need in plan.needs if not need.there]
  for need in plan.needs:
    print(f"{'has' if need.there else 'MISSING':<8}{need.what}")
    if not need.there:
      print(f"{'':<8}{need.remedy}")
  for path, text in plan.files.items():
    print(f"{'write':<8}{path}")
    if dry_run:
      print("\n".join(f"{'':<8}{line}" for line in text.splitlines()))
  if dry_run:
    for command in plan.commands:
      print(f"{'run':<8}{shlex.join(command)}")
    return 0
  if missing:
    print(f"{len(missing)} missing, nothing was done", file=sys.stderr)
    return 2
  for path, text in plan.files.items():
    Path(path).write_text(text, encoding="utf-8")
  return _run(plan.commands)


def _run(commands: Sequence[Sequence[str]]) -> int:
  for command in commands:
    print(f"{'run':<8}{shlex.join(command)}", flush=True)
    code = subprocess.run(command).returncode
    if code:
      print(f"it ended with {code}; the rest was not run", file=sys.stderr)
      return code
  return 0
