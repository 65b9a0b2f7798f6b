"""The background model that somebody asks for, in words of a command line.

nothing           tools on this machine, which need no network
a folder, hosts   more tools: its documents, their pages
an address        a chat endpoint there, which is offered all these tools
servers           more tools for it, over MCP
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from interaction_jax.serve.background.agent import Agent, Tool
from interaction_jax.serve.background.chat import Chat
from interaction_jax.serve.background.endpoint import Endpoint, EndpointConfig
from interaction_jax.serve.background.job import BackgroundModel
from interaction_jax.serve.background.remote import Remote
from interaction_jax.serve.background.tools.browser import Browser
from interaction_jax.serve.background.tools.chart import Chart
from interaction_jax.serve.background.tools.documents import (
  Documents,
  Library,
  Reader,
)
from interaction_jax.serve.background.tools.numbers import Calculator, Units
from interaction_jax.serve.background.tools.timer import Clock, Timer


def choose(
  *,
  documents: str | Path | None = None,
  browse: Sequence[str] = (),
  url: str | None = None,
  model: str | None = None,
  mcp: Sequence[str] = (),
) -> BackgroundModel:
  """Builds it; nothing is opened or asked yet.

  Args:
    documents: a folder that may be searched.
    browse: hosts whose pages may be read.
    url: of an OpenAI-compatible endpoint.
    model: that is asked there.
    mcp: servers of tools: commands, or addresses.

  Raises:
    ValueError: something is not what it should be, or of no use alone.
    OSError: there is no such folder, or no such command.
  """
  tools = offline(documents=documents, browse=browse)
  if url is None:
    for name, given in (("background-model", model), ("mcp", tuple(mcp))):
      if given:
        raise ValueError(
          f"--{name}={given if name != 'mcp' else given[0]} is of use with "
          "--background URL only: its model decides when a tool is called."
        )
    return Agent(tools)
  endpoint = Endpoint(EndpointConfig(url, model or ""))
  _need("openai", "--background")
  if mcp:
    _need("mcp", "--mcp")
  remotes = [Remote(where) for where in mcp]
  return Chat(endpoint, tools=tools, remotes=remotes)


def offline(
  *, documents: str | Path | None = None, browse: Sequence[str] = ()
) -> list[Tool]:
  """The tools of this machine, in the order in which they are asked.

  Arguments and errors are those of `choose`.
  """
  tools: list[Tool] = [Timer(), Clock(), Chart()]
  if browse:
    _need("httpcore2", "--browse")
    # An address may look like a sum.
    tools.append(Browser(browse))
  tools += [Units(), Calculator()]
  if documents is not None:
    library = Library(documents)
    # It takes whatever has words, so it is asked last.
    tools += [Reader(library), Documents(library)]
  return tools


def _need(package: str, flag: str) -> None:
  if importlib.util.find_spec(package) is None:
    raise ValueError(
      f"{flag} needs {package}, which is not installed; "
      "pip install 'interaction-jax[serve]' brings it."
    )
