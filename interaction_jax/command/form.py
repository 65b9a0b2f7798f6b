"""What a sub-command is: its arguments, its flags, and how they are read."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final

from absl import flags

PROGRAM: Final = "interaction-jax"


@dataclasses.dataclass(frozen=True)
class Flag:
  """One flag; its default says its type, and a tuple may be given often."""

  name: str
  default: bool | int | float | str | tuple[str, ...] | None
  help: str


@dataclasses.dataclass(frozen=True)
class Command:
  """One sub-command.

  Attributes:
    run: called with the arguments in order and the flags by name; may return
      an exit code.
    arguments: what must stand on the line, in order.
    extra: the optional dependencies of the package that it needs.
  """

  name: str
  summary: str
  run: Callable[..., int | None]
  arguments: tuple[str, ...] = ()
  flags: tuple[Flag, ...] = ()
  extra: str | None = None


QUANTISE: Final = Flag(
  "quantise", None, "in a byte a number: 'experts=int8' or 'experts=fp8'"
)


def parse(
  command: Command, line: Sequence[str]
) -> tuple[list[str], dict[str, Any]]:
  """The arguments and the flags of a line.

  Raises:
    ValueError: there are too few arguments or too many.
    flags.Error: a flag is unknown or has a value of the wrong type.
  """
  values = _flag_values(command)
  arguments = values([command.name, *line])[1:]
  if len(arguments) != len(command.arguments):
    wanted = " ".join(command.arguments) or "nothing"
    raise ValueError(
      f"{command.name} takes {wanted}, not {' '.join(arguments) or 'nothing'}; "
      f"{PROGRAM} {command.name} --help says more."
    )
  return arguments, {
    flag.name.replace("-", "_"): values[flag.name].value
    for flag in command.flags
  }


def describe(command: Command) -> str:
  """The help of a command."""
  usage = " ".join((PROGRAM, command.name, *command.arguments))
  if command.flags:
    usage += " [FLAGS]"
  lines = [f"usage: {usage}", "", command.summary, ""]
  for flag in command.flags:
    form = f"--{flag.name}"
    if not isinstance(flag.default, bool):
      form += "=VALUE"
    lines.append(f"  {form:<20} {flag.help}{_default(flag)}")
  return "\n".join(lines).rstrip()


def whole(flag: str, value: str) -> int:
  """Reads a whole number.

  Raises:
    ValueError: it is none.
  """
  if not value.lstrip("-").isdecimal():
    raise ValueError(f"--{flag}={value!r} is not a whole number.")
  return int(value)


def _flag_values(command: Command) -> flags.FlagValues:
  # A set of flags of its own, so that those which absl's modules define for
  # themselves neither fill the help nor pass unnoticed.
  values = flags.FlagValues()
  values.set_gnu_getopt(True)
  for flag in command.flags:
    define: Callable[..., Any] = {
      bool: flags.DEFINE_boolean,
      int: flags.DEFINE_integer,
      float: flags.DEFINE_float,
      tuple: flags.DEFINE_multi_string,
    }.get(type(flag.default), flags.DEFINE_string)
    default = flag.default
    if isinstance(default, tuple):
      default = list(default)
    define(flag.name, default, flag.help, flag_values=values)
  return values


def _default(flag: Flag) -> str:
  if isinstance(flag.default, tuple):
    return " (may be given often)"
  if flag.default is None or isinstance(flag.default, bool):
    return ""
  return f" (default {flag.default})"
