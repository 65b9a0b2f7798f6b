"""A background model behind any OpenAI-compatible chat endpoint, with tools.

    briefing    the conversation so far, and the task        (`briefing.py`)
    endpoint    a reply, piece by piece                      (`endpoint.py`)
    crew        the tools that it calls, several at once     (`crew.py`)
    remote      tools of servers that speak MCP              (`remote.py`)

    task -> reply -> calls -> answers -> reply -> ... -> an answer in sentences

Sentences are told as they come. A call that the interaction model wrote itself
goes straight to its tool.
"""

import asyncio
import dataclasses
import json
import re
from collections.abc import (
  AsyncGenerator,
  AsyncIterator,
  Iterator,
  Mapping,
  Sequence,
)
from typing import Any, Final

from interaction_jax.serve.background import agent, briefing
from interaction_jax.serve.background.agent import Tool
from interaction_jax.serve.background.briefing import Message
from interaction_jax.serve.background.crew import Answer, Call, Crew, Sign
from interaction_jax.serve.background.endpoint import Endpoint, Piece
from interaction_jax.serve.background.job import Context, Delivery, Finding
from interaction_jax.serve.background.remote import Remote

_SENTENCE: Final = re.compile(r"(?<=[.!?…])[\"')\]]*\s+|\n+")

_SHORTEST: Final = 40
"""Characters of what is told before the rest has come: "Dr." is no sentence."""


@dataclasses.dataclass(frozen=True)
class ChatConfig:
  """How far a job may go.

  Attributes:
    rounds: replies, the last of which may not call tools.
    calls: of tools in all.
    answer: characters of what is told; a longer answer is cut.
    arguments: characters of the calls in one reply.
    result: characters that a tool may answer the model.
    context: characters of the conversation that the model is told.
  """

  rounds: int = 6
  calls: int = 12
  answer: int = 2000
  arguments: int = 20_000
  result: int = 8000
  context: int = 24_000

  def __post_init__(self):
    for field in dataclasses.fields(self):
      if getattr(self, field.name) < 1:
        value = getattr(self, field.name)
        raise ValueError(f"chat.{field.name}={value} must be 1 or more.")


class Chat:
  """A `BackgroundModel` that asks an endpoint.

  Raises:
    ValueError: two tools have one name.
  """

  def __init__(
    self,
    endpoint: Endpoint,
    *,
    tools: Sequence[Tool] = (),
    remotes: Sequence[Remote] = (),
    cfg: ChatConfig = ChatConfig(),
  ):
    """Joins an endpoint and its tools.

    Args:
      tools: of this process.
      remotes: servers whose tools are offered, too.
    """
    self._endpoint, self._remotes, self._cfg = endpoint, remotes, cfg
    # It refuses two of one name.
    self._tools = agent.Agent(tools).tools

  async def run(self, context: Context) -> AsyncIterator[Finding]:
    """Works on a task.

    Raises:
      ValueError: there is no answer; the message says why.
    """
    tools, problems = await self._all_tools()
    for problem in problems:
      yield Finding(problem, Delivery.SILENT, more=True)
    direct = _direct(context, tools)
    if direct is not None:
      tool, arguments = direct
      async for finding in tool.call(context, **arguments):
        yield finding
      return
    crew = Crew(tools, context, most=self._cfg.result)
    try:
      async for finding in self._converse(context, tools, crew):
        yield finding
      async for finding in crew.rest():
        yield dataclasses.replace(finding, wait_s=crew.wait_s)
    finally:
      await crew.close()

  def close(self) -> None:
    """Closes connections, and ends the servers that were started."""
    self._endpoint.close()
    for remote in self._remotes:
      remote.close()

  async def _converse(
    self, context: Context, tools: Mapping[str, Tool], crew: Crew
  ) -> AsyncIterator[Finding]:
    """Rounds of replies and calls, until a reply calls nothing."""
    cfg = self._cfg
    messages = briefing.messages(context, most=cfg.context)
    offered = [_offer(name, tool) for name, tool in tools.items()]
    room = cfg.calls
    for number in range(cfg.rounds):
      may_call = number < cfg.rounds - 1 and room > 0
      reply = _Reply(cfg)
      pieces = self._endpoint.reply(messages, offered, may_call=may_call)
      async for finding in _listen(reply, pieces, crew):
        yield finding
      calls = reply.calls() if may_call else []
      rest = reply.rest()
      if not calls:
        if not reply.text.strip():
          raise ValueError("the endpoint sends no answer")
        # Who still sleeps is heard of later.
        yield Finding(rest, more=crew.at_work, wait_s=crew.wait_s)
        return
      if rest:
        yield Finding(rest, more=True)
      messages.append(reply.message(calls))
      allowed, refused = calls[:room], calls[room:]
      room -= len(allowed)
      answers = [Answer(one, "error: too many calls") for one in refused]
      for call in allowed:
        crew.start(call)
      while len(answers) < len(calls):
        found = await crew.next()
        if isinstance(found, Answer):
          answers.append(found)
        elif isinstance(found, Finding):
          yield found
      told = {one.call.id: one.text for one in answers}
      messages += [
        {"role": "tool", "tool_call_id": one.id, "content": told[one.id]}
        for one in calls
      ]
    raise ValueError("the endpoint calls tools, and gives no answer")

  async def _all_tools(self) -> tuple[dict[str, Tool], list[str]]:
    """Tools by their names, ours first, and which others are not to be had."""
    tools, problems = dict(self._tools), []
    found = await asyncio.gather(
      *(remote.tools() for remote in self._remotes), return_exceptions=True
    )
    for one in found:
      if isinstance(one, ValueError):
        problems.append(str(one))
        continue
      if isinstance(one, BaseException):
        raise one
      for tool in one:
        tools.setdefault(_free(tool.name, tools), tool)
    return tools, problems


async def _listen(
  reply: "_Reply", pieces: AsyncGenerator[Piece, None], crew: Crew
) -> AsyncIterator[Finding]:
  """A reply as it comes, and what tools find meanwhile."""
  stop = crew.hear(pieces)
  while (found := await crew.next()) is not Sign.READ:
    if isinstance(found, Finding):
      yield found
    elif isinstance(found, Piece) and not reply.full:
      for sentence in reply.take(found):
        yield Finding(sentence, more=True)
      if reply.full:
        stop()


class _Reply:
  """A reply as it comes."""

  def __init__(self, cfg: ChatConfig):
    self.text, self.full = "", False
    self._cfg = cfg
    self._told = 0
    self._calls: dict[int, list[str]] = {}

  def take(self, piece: Piece) -> list[str]:
    """Takes a piece; returns the sentences that are whole now."""
    room = self._cfg.answer - len(self.text)
    self.text += piece.text[:room]
    if len(piece.text) > room:
      self.text = f"{self.text.rstrip()} ... (cut)"
      self.full = True
    for number, *parts in piece.calls:
      call = self._calls.setdefault(number, ["", "", ""])
      for place, part in enumerate(parts):
        # Ids are sent whole, and by some again and again.
        call[place] = call[place] + part if place else part or call[place]
    if sum(len(one[2]) for one in self._calls.values()) > self._cfg.arguments:
      raise ValueError(
        f"the endpoint writes calls of over {self._cfg.arguments} characters"
      )
    return [] if self.full else list(self._sentences())

  def _sentences(self) -> Iterator[str]:
    begin = self._told
    for end in _SENTENCE.finditer(self.text, begin):
      # The last one is kept: it may be all there is.
      if end.end() == len(self.text):
        break
      if end.start() - begin >= _SHORTEST:
        yield self.text[begin : end.start()].strip()
        begin = self._told = end.end()

  def rest(self) -> str:
    """What was not told yet."""
    rest, self._told = self.text[self._told :].strip(), len(self.text)
    return rest

  def calls(self) -> list[Call]:
    """What it calls, each with an id of its own."""
    made: dict[str, Call] = {}
    for number, (name_id, name, arguments) in sorted(self._calls.items()):
      own = name_id if name_id and name_id not in made else f"call_{number}"
      if name or arguments:
        made[own] = Call(own, name, arguments)
    return list(made.values())

  def message(self, calls: Sequence[Call]) -> Message:
    """What it wrote, as it is told to the endpoint again."""
    return {
      "role": "assistant",
      "content": self.text or None,
      "tool_calls": [
        {
          "id": one.id,
          "type": "function",
          "function": {"name": one.name, "arguments": one.arguments or "{}"},
        }
        for one in calls
      ],
    }


def _direct(
  context: Context, tools: Mapping[str, Tool]
) -> tuple[Tool, Mapping[str, Any]] | None:
  """The tool that a task calls by itself; None: it is for the model."""
  if not context.task.lstrip().startswith("{"):
    return None
  try:
    return agent.called(context.task, tools)
  except ValueError:
    return None


def _offer(name: str, tool: Tool) -> dict[str, Any]:
  """A tool as an endpoint is told of it."""
  return {
    "type": "function",
    "function": {
      "name": name,
      "description": tool.summary,
      # A copy in plain JSON, whatever it was made of.
      "parameters": json.loads(json.dumps(tool.parameters, default=dict)),
    },
  }


def _free(name: str, taken: Mapping[str, Any]) -> str:
  """A name that endpoints take, and nobody else has."""
  plain = re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:60] or "tool"
  number, free = 1, plain
  while free in taken:
    number += 1
    free = f"{plain}_{number}"
  return free
