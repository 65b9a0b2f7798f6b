"""A background model for machines without a network: tools, and rules.

    "what is 17 times 23"     calculator        391
    {"tool": "timer", ...}    timer             ... time is up
    "code of anna"            documents         the passage, and where it stands

Each tool says what of a task it understands; the first that does is asked. It
is what a server has when nobody configured anything better, and it answers in
milliseconds, always the same.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from types import UnionType
from typing import Any, Final, Protocol, runtime_checkable

from interaction_jax.serve.background.job import Context, Finding


@runtime_checkable
class Tool(Protocol):
  """Something that can be asked, by a task in words or by a call.

  Attributes:
    name: by which calls ask for it.
    summary: what it does, for models that choose among tools.
    parameters: of a call, as JSON schema.
  """

  name: str
  summary: str
  parameters: Mapping[str, Any]

  def match(self, task: str) -> Mapping[str, Any] | None:
    """The arguments that a task in words asks for; None: it is not for it."""
    ...

  def call(
    self, context: Context, *args: Any, **kwargs: Any
  ) -> AsyncIterator[Finding]:
    """Does it, with the arguments by their names; the last is the result.

    Raises:
      ValueError: the arguments make no sense; the message says why.
    """
    ...


class Agent:
  """A `BackgroundModel` that asks its tools.

  Raises:
    ValueError: two tools have one name.
  """

  def __init__(self, tools: Sequence[Tool]):
    self.tools = {tool.name: tool for tool in tools}
    if len(self.tools) < len(tools):
      names = sorted(tool.name for tool in tools)
      raise ValueError(f"two tools have one name: {', '.join(names)}.")

  async def run(self, context: Context) -> AsyncIterator[Finding]:
    """Asks the first tool that understands the task.

    Raises:
      ValueError: none does, or the call is none.
    """
    tool, arguments = self._choose(context.task)
    async for finding in tool.call(context, **arguments):
      yield finding

  def _choose(self, task: str) -> tuple[Tool, Mapping[str, Any]]:
    if task.lstrip().startswith("{"):
      return called(task, self.tools)
    for tool in self.tools.values():
      arguments = tool.match(task)
      if arguments is not None:
        return tool, arguments
    # Whoever reads this aloud has no use for the names of tools.
    raise ValueError("no tool understands it")


def called(
  task: str, tools: Mapping[str, Tool]
) -> tuple[Tool, Mapping[str, Any]]:
  """The tool and the arguments of a call that was written as a task.

  Raises:
    ValueError: it is no call, or not of one of these tools.
  """
  try:
    call = json.loads(task)
    name = call.pop("tool")
  except (AttributeError, KeyError, RecursionError, ValueError) as error:
    raise ValueError('a call is {"tool": NAME, ...}') from error
  if not isinstance(name, str):
    raise ValueError('a call is {"tool": NAME, ...}')
  if name not in tools:
    raise ValueError(f"there is no tool {name!r}")
  check(tools[name], call)
  return tools[name], call


_TYPES: Final[Mapping[str, type | UnionType]] = {
  "string": str,
  "number": int | float,
  "integer": int,
  "boolean": bool,
  "object": Mapping,
  "array": Sequence,
}


def check(tool: Tool, arguments: Mapping[str, Any]) -> None:
  """Looks at the arguments of a call.

  Raises:
    ValueError: some are missing, unknown or of the wrong type.
  """
  wanted = tool.parameters.get("properties", {})
  unknown = sorted(set(arguments) - set(wanted))
  missing = sorted(set(tool.parameters.get("required", ())) - set(arguments))
  if unknown or missing:
    raise ValueError(f"{tool.name}: {unknown} unknown, {missing} missing")
  for name, value in arguments.items():
    kind = wanted[name].get("type")
    if not isinstance(kind, str):
      # Anything, or what only its owner can check.
      continue
    fits = isinstance(value, _TYPES.get(kind, object))
    if not fits or (isinstance(value, bool) and kind != "boolean"):
      raise ValueError(f"{tool.name}: {name}={value!r} is no {kind}")
