"""One reply of a chat endpoint, piece by piece, whatever it sends.

    asked     messages, and tools that it may call
    pieces    "22 deg" | "rees" | call 0 "browse" {"ur | l": ...}
    wrong     it is down, slow, breaks off, sends garbage or without end: a
              ValueError in a few words, which never holds a key

It is read outside (`outside.py`), so nobody waits while it is taken apart.
"""

import dataclasses
import json
import os
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from interaction_jax.serve.background import outside
from interaction_jax.serve.background.briefing import Message

if TYPE_CHECKING:
  import httpx2
  import openai


@dataclasses.dataclass(frozen=True)
class EndpointConfig:
  """Whom to ask, and how long.

  Attributes:
    url: of an OpenAI-compatible endpoint, such as "http://127.0.0.1:8000/v1".
    model: one that is there.
    seconds: for one reply.
    connect_s: until there is a connection.
    retries: where it is down or busy, before anything came.
    bytes: of one reply on the wire.

  Raises:
    ValueError: the address or the name is none, or a number makes no sense.
  """

  url: str
  model: str
  seconds: float = 60.0
  connect_s: float = 5.0
  retries: int = 1
  bytes: int = 2**22

  def __post_init__(self):
    if not self.url.startswith(("http://", "https://")):
      raise ValueError(
        f"background={self.url!r} is no address of an OpenAI-compatible "
        "endpoint, such as 'http://127.0.0.1:8000/v1'."
      )
    if not self.model:
      raise ValueError(
        f"background={self.url!r} needs background-model, the name of a model "
        "that is there."
      )
    for name in ("seconds", "connect_s", "bytes"):
      if getattr(self, name) <= 0:
        raise ValueError(
          f"endpoint.{name}={getattr(self, name)} must be more than 0."
        )
    if self.retries < 0:
      raise ValueError(f"endpoint.retries={self.retries} must be 0 or more.")


@dataclasses.dataclass(frozen=True)
class Piece:
  """A piece of a reply.

  Attributes:
    text: that goes on with the one before.
    calls: pieces of calls: which one, its id, and what is added to the name
      and to the arguments.
    ends: whether the reply is whole now.
  """

  text: str = ""
  calls: tuple[tuple[int, str, str, str], ...] = ()
  ends: bool = False


class Endpoint:
  """An OpenAI-compatible endpoint; the key is in `OPENAI_API_KEY`."""

  def __init__(self, cfg: EndpointConfig):
    self.cfg = cfg
    self._open: list[openai.AsyncOpenAI] = []
    # It holds connections, which are the other thread's to close.
    self._end = weakref.finalize(self, _close, self._open)
    # With the process its connections end by themselves.
    self._end.atexit = False

  async def reply(
    self,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]],
    *,
    may_call: bool = True,
  ) -> AsyncGenerator[Piece, None]:
    """Asks, and yields what comes.

    Args:
      may_call: False: it is to answer without calling any tool.

    Raises:
      ValueError: there is no reply, or it is not whole; the message says why.
    """
    import httpx2
    import openai

    async def make() -> AsyncGenerator[Piece, None]:
      async for piece in self._ask(messages, tools, may_call):
        yield piece

    ends = False
    try:
      async for piece in outside.each(make, seconds=self.cfg.seconds):
        ends = ends or piece.ends
        yield piece
    except TimeoutError:
      why = f"has no answer in {self.cfg.seconds:g} s"
    except openai.APITimeoutError:
      why = "does not answer"
    except (openai.APIConnectionError, httpx2.HTTPError) as error:
      why = "breaks off" if ends or _began(error) else "cannot be reached"
    except openai.APIStatusError as error:
      why = f"answers {error.status_code}"
    except openai.APIError as error:
      why = f"fails: {error.message:.100}"
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
      why = "sends what is no JSON"
    else:
      if ends:
        return
      why = "breaks off"
    raise ValueError(f"the endpoint {why}")

  def close(self) -> None:
    """Closes its connections; the next reply opens new ones."""
    _close(self._open)

  async def _ask(
    self,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]],
    may_call: bool,
  ) -> AsyncIterator[Piece]:
    import openai

    more: dict[str, Any] = {}
    if tools:
      choice = "auto" if may_call else "none"
      more = {"tools": list(tools), "tool_choice": choice}
    given: Any = list(messages)
    stream = await self._client().chat.completions.create(
      model=self.cfg.model, messages=given, stream=True, **more
    )
    assert isinstance(stream, openai.AsyncStream), "a stream was asked for"
    async with stream:
      async for chunk in stream:
        piece = _piece(chunk)
        if piece is not None:
          yield piece

  def _client(self) -> "openai.AsyncOpenAI":
    if not self._open:
      import httpx2
      import openai

      async def bound(response: httpx2.Response) -> None:
        response.stream = _bounded(response, self.cfg.bytes)

      timeout = httpx2.Timeout(self.cfg.seconds, connect=self.cfg.connect_s)
      self._open.append(
        openai.AsyncOpenAI(
          base_url=self.cfg.url,
          # Endpoints on one's own machine want a key, and do not look at it.
          api_key=os.environ.get("OPENAI_API_KEY", "none"),
          max_retries=self.cfg.retries,
          timeout=timeout,
          default_headers={"Accept-Encoding": "identity"},
          http_client=httpx2.AsyncClient(
            timeout=timeout, event_hooks={"response": [bound]}
          ),
        )
      )
    return self._open[0]


def _bounded(
  response: "httpx2.Response", most: int
) -> "httpx2.AsyncByteStream":
  """The bytes of an answer, which end where there are too many."""
  import httpx2
  import openai

  inner: Any = response.stream
  packed = response.headers.get("content-encoding", "identity") != "identity"

  class Bounded(httpx2.AsyncByteStream):
    """Counts."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
      num = 0
      async for part in inner:
        num += len(part)
        # What is packed may be a thousand times larger than it looks.
        if packed or num > most:
          why = "packs its answers" if packed else f"sends over {most} bytes"
          raise openai.APIError(f"it {why}", response.request, body=None)
        yield part

    async def aclose(self) -> None:
      await inner.aclose()

  return Bounded()


def _close(clients: "list[openai.AsyncOpenAI]") -> None:
  while clients:
    outside.begin(clients.pop().close())


def _began(error: BaseException) -> bool:
  """Whether an error came when there was a connection already."""
  import httpx2

  seen: BaseException | None = error
  while seen is not None:
    if isinstance(seen, httpx2.ReadError | httpx2.RemoteProtocolError):
      return True
    seen = seen.__cause__
  return False


def _piece(chunk: Any) -> Piece | None:
  """What a chunk holds, as far as it is what it should be."""
  choices = getattr(chunk, "choices", None)
  choice = choices[0] if isinstance(choices, list) and choices else None
  delta = getattr(choice, "delta", None)
  if choice is None:
    return None
  text = getattr(delta, "content", None)
  calls = getattr(delta, "tool_calls", None)
  return Piece(
    text=text if isinstance(text, str) else "",
    calls=tuple(
      _call(place, one)
      for place, one in enumerate(calls if isinstance(calls, list) else ())
    ),
    ends=bool(getattr(choice, "finish_reason", None)),
  )


def _call(place: int, one: Any) -> tuple[int, str, str, str]:
  number = getattr(one, "index", None)
  function = getattr(one, "function", None)
  told = (
    getattr(one, "id", None),
    getattr(function, "name", None),
    getattr(function, "arguments", None),
  )
  name_id, name, arguments = (
    text if isinstance(text, str) else "" for text in told
  )
  # Some leave the number out where there is one call only.
  number = number if isinstance(number, int) else place
  return number, name_id, name, arguments
