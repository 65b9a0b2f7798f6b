"""Pages of hosts that somebody allowed: read, followed, and cited.

    allowed    example.org *.example.net 127.0.0.1:8000
    asked      example.org/fruit when are pears ripe
    read       /fruit -> its links that sound like it -> /fruit/pears
    told       Ripe in september. (Pears, https://example.org/fruit/pears)

Each redirect is checked like the first address (`hosts.py`), and nothing is
sent but the address. Without an allowed host nothing is read.
"""

import asyncio
import dataclasses
import functools
import re
import ssl
import urllib.parse
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

from interaction_jax.serve.background import outside
from interaction_jax.serve.background.job import Context, Finding
from interaction_jax.serve.background.tools import documents, index, page
from interaction_jax.serve.background.tools.hosts import Hosts, Place, guarded
from interaction_jax.serve.background.tools.index import Hit, Index
from interaction_jax.serve.background.tools.page import Link, Page

_MOVED: Final = frozenset((301, 302, 303, 307, 308))

_READ: Final = re.compile(r"text/|application/(json|xml|xhtml\+xml|\w+\+xml)")

_CHARSET: Final = re.compile(
  r"charset\s*=\s*[\"']?((?:utf|iso-8859|windows|cp1|koi8|big5|gb|euc|shift|us-a)"
  r"[\w-]*)",
  re.IGNORECASE,
)

_ADDRESS: Final = re.compile(
  r"https?://[^\s<>\"']+|(?:localhost|\[[0-9a-f:.]+\]|[\w-]+(?:\.[\w-]+)+)"
  r"(?::\d+)?(?:/[^\s<>\"']*)?"
)

_ORDERS: Final = frozenset(
  index.words("browse open read visit go website site page web online http")
)
"""Words around an address that say nothing of what is wanted there."""

_ENOUGH: Final = 0.5
"""Of the words that were asked for, what a passage must have at least."""

_HEADERS: Final = (
  (b"User-Agent", b"interaction_jax"),
  (b"Accept", b"text/html, text/plain, application/json;q=0.5"),
  # What is packed may be a thousand times larger than it looks.
  (b"Accept-Encoding", b"identity"),
)


@dataclasses.dataclass(frozen=True)
class BrowserConfig:
  """What a visit may cost.

  Attributes:
    seconds: for one page, redirects included.
    bytes: of a page; of a larger one so much is read.
    redirects: in a row.
    pages: that are looked through for one task.
  """

  seconds: float = 10.0
  bytes: int = 2**20
  redirects: int = 5
  pages: int = 5


class Browser:
  """Reads pages of allowed hosts."""

  name = "browse"
  summary = (
    "Reads a page of an allowed host, or looks for something on it and on the "
    "pages that it leads to."
  )

  def __init__(
    self,
    allowed: Iterable[str],
    *,
    cfg: BrowserConfig = BrowserConfig(),
  ):
    """Allows some hosts; none: nothing can be read.

    Raises:
      ValueError: what is allowed is not the name of a host.
    """
    self._hosts, self._cfg = Hosts(allowed), cfg
    self.parameters: Mapping[str, Any] = {
      "type": "object",
      "properties": {
        "url": {
          "type": "string",
          "description": f"of {', '.join(self._hosts.names) or 'no host'}",
        },
        "find": {"type": "string", "description": "what is looked for there"},
        "whole": {
          "type": "boolean",
          "description": "the whole page and where it leads, not its beginning",
        },
      },
      "required": ["url"],
    }

  def match(self, task: str) -> Mapping[str, Any] | None:
    """Tasks with an address: "read example.org", "pears on example.org"."""
    text = re.sub(r"\s+dot\s+", ".", task[:2000])
    text = re.sub(r"\s+slash\s+", "/", text)
    found = _ADDRESS.search(text)
    if found is None:
      return None
    url = found.group().rstrip(".,;:!?)")
    if not url.startswith(("http://", "https://")):
      try:
        # Many things have dots; it is an address where it is an allowed one.
        url = self._hosts.place(_with_scheme(url)).url
      except ValueError:
        return None
    rest = index.telling(text.replace(found.group(), " "))
    find = " ".join(word for word in rest if word not in _ORDERS)
    return {"url": url, "find": find} if find else {"url": url}

  async def call(
    self, context: Context, *, url: str, find: str = "", whole: bool = False
  ) -> AsyncIterator[Finding]:
    """Reads it, or finds something there."""
    if "//" not in url:
      url = _with_scheme(url)
    first = await self._page(url)
    if not index.words(find):
      yield _told(first, whole=whole)
      return
    hit, title = await self._look(first, find)
    text = documents.cited(hit, index.asked(find))
    place = f"{title}, {hit.passage.source}" if title else hit.passage.source
    yield Finding(
      f"{text.rpartition(' (')[0]} ({place})",
      shown={
        "page": hit.passage.source,
        "title": title,
        "text": hit.passage.text,
      },
    )

  async def _look(self, first: Page, find: str) -> tuple[Hit, str]:
    """The passage that fits best, on a page or on those it leads to."""
    found, titles = Index(), {}
    wanted, links = index.asked(find), {}
    one: Page | None = first
    best: Hit | None = None
    for number in range(self._cfg.pages):
      if number:
        link = _likeliest(links, wanted, titles)
        if link is None:
          break
        one = await self._try(links.pop(link.url).url)
      if one is None or one.url in titles:
        continue
      titles[one.url] = one.title
      found.put(one.url, one.text, title=one.title)
      hits = found.find(find, most=5)
      best = max(hits, key=lambda hit: (hit.share, hit.score), default=None)
      if best is not None and best.share == 1:
        break
      links |= {link.url: link for link in one.links if link.url not in links}
    if best is None or best.share < _ENOUGH:
      raise ValueError(
        f"nothing is found on {first.url} and {len(titles) - 1} pages behind it"
      )
    return best, titles[best.passage.source]

  async def _try(self, url: str) -> Page | None:
    """A page that a link leads to; None: it cannot be read."""
    try:
      return await self._page(url)
    except ValueError:
      return None

  async def _page(self, url: str) -> Page:
    """Fetches a page and reads it.

    Raises:
      ValueError: it may not be, or cannot be, or is none.
    """
    place = self._hosts.place(url)
    try:
      return await outside.do(self._fetch(place), seconds=self._cfg.seconds)
    except TimeoutError:
      raise ValueError(
        f"{place.host} does not answer in {self._cfg.seconds:g} s"
      ) from None

  async def _fetch(self, place: Place) -> Page:
    import httpcore2

    for _ in range(self._cfg.redirects + 1):
      try:
        answer = await self._get(place)
      except httpcore2.TimeoutException:
        raise ValueError(f"{place.host} does not answer") from None
      except httpcore2.NetworkError:
        raise ValueError(f"{place.host} cannot be reached") from None
      except httpcore2.ProtocolError:
        raise ValueError(f"{place.host} breaks off") from None
      if isinstance(answer, Page):
        return answer
      place = self._hosts.place(urllib.parse.urljoin(place.url, answer))
    raise ValueError(f"{place.host} sends in circles")

  async def _get(self, place: Place) -> Page | str:
    """What a place answers: a page, or where it has moved to."""
    import httpcore2

    pool = httpcore2.AsyncConnectionPool(
      ssl_context=self._trust,
      max_keepalive_connections=0,
      network_backend=guarded(self._hosts),
    )
    url = httpcore2.URL(
      scheme=place.scheme,
      host=place.host,
      port=place.port,
      target=place.target,
    )
    async with (
      pool,
      pool.stream("GET", url, headers=list(_HEADERS)) as answer,
    ):
      headers = {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in answer.headers
      }
      if answer.status in _MOVED and "location" in headers:
        return headers["location"]
      if answer.status != 200:
        raise ValueError(f"{place.url} answers {answer.status}")
      kind = headers.get("content-type", "text/html").lower()
      packed = headers.get("content-encoding", "identity")
      if not _READ.match(kind) or packed != "identity":
        raise ValueError(f"{place.url} is no text but {kind[:40]}, {packed}")
      content = bytearray()
      async for piece in answer.aiter_stream():
        content += piece
        if len(content) >= self._cfg.bytes:
          break
    whole = len(content) < self._cfg.bytes
    text = _decoded(bytes(content[: self._cfg.bytes]), kind, whole=whole)
    read = page.read if "html" in kind else page.plain
    # It may be long, and others wait here.
    return await asyncio.to_thread(read, place.url, text)

  @functools.cached_property
  def _trust(self) -> ssl.SSLContext:
    """Whose certificates are believed."""
    return ssl.create_default_context()


def _with_scheme(url: str) -> str:
  """An address as it is said; whoever names a port does not mean TLS."""
  host = url.partition("/")[0]
  return f"http://{url}" if re.search(r":\d+$", host) else f"https://{url}"


def _decoded(content: bytes, kind: str, *, whole: bool) -> str:
  """A page as text, by what it says of itself."""
  named = _CHARSET.search(kind) or _CHARSET.search(
    content[:2048].decode("latin-1")
  )
  if named is not None:
    try:
      return content.decode(named.group(1), errors="replace")
    except LookupError:
      pass
  text = documents.decode(content, whole=whole)
  return content.decode("latin-1") if text is None else text


def _likeliest(
  links: Mapping[str, Link], wanted: list[str], seen: Mapping[str, Any]
) -> Link | None:
  """The link that sounds most like what is wanted; None: none does."""

  def share(link: Link) -> int:
    path = urllib.parse.urlsplit(link.url).path
    return len(set(wanted) & {*index.words(link.text), *index.words(path)})

  open_links = [link for link in links.values() if link.url not in seen]
  best = max(open_links, key=share, default=None)
  return best if best is not None and share(best) else None


def _told(one: Page, *, whole: bool) -> Finding:
  """A page as it is read out, or all of it."""
  text = one.text.removeprefix(one.title).strip()
  most = 6000 if whole else 300
  if len(text) > most:
    text = text[:most].rsplit(" ", 1)[0] + " ..."
  if not whole:
    text = " ".join(text.split())
  links = [dataclasses.asdict(link) for link in one.links[:40]]
  told = f"{one.title or 'a page'} ({one.url}): {text}"
  if whole and links:
    told += "\nlinks:\n" + "\n".join(
      f"{link['text']}: {link['url']}" for link in links
    )
  shown = {"page": one.url, "title": one.title, "text": text, "links": links}
  return Finding(told, shown=shown)
