"""A page of the web as text: what a person would read, and where it leads.

    <h1>Pears</h1><p>Ripe in <a href="/months">september</a>.
    Pears
    Ripe in september.            links: september -> https://.../months

One pass, in time that grows with the page and not faster: nobody knows who
wrote it.
"""

import dataclasses
import html
import re
import urllib.parse
from typing import Final

_PART: Final = re.compile(
  r"""
  <!--(?:.*?)(?:-->|\Z)            # a comment
  | <[!?][^>]*+(?:>|\Z)            # a declaration
  | <(?P<end>/?)(?P<tag>[a-zA-Z][^\s/>]*+)
    (?P<more>(?:[^>"']++|"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))*+)(?:>|\Z)
  | (?P<text>[^<]++|<)
  """,
  re.DOTALL | re.VERBOSE,
)

_ATTRIBUTE: Final = re.compile(
  r"""([^\s=/"'>]++)\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'>]++)"""
)

_UNREAD: Final = frozenset(
  ("script", "style", "template", "noscript", "svg", "iframe", "textarea")
)
"""Elements of which nothing is read."""

_BLOCKS: Final = frozenset(
  (
    *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl"),
    *("dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2"),
    *("h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p"),
    *("pre", "section", "table", "title", "tr", "ul", "body"),
  )
)
"""Elements that begin a line, and end one."""

_MOST_LINKS: Final = 200


@dataclasses.dataclass(frozen=True)
class Link:
  """Where a page leads.

  Attributes:
    text: what is written on it.
    url: absolute, without a fragment.
  """

  text: str
  url: str


@dataclasses.dataclass(frozen=True)
class Page:
  """What can be read on a page.

  Attributes:
    url: where it is.
    text: lines; a blank one stands between what does not belong together.
  """

  url: str
  title: str
  text: str
  links: tuple[Link, ...] = ()


def read(url: str, content: str) -> Page:
  """Reads HTML."""
  reader = _Reader(url)
  at = 0
  while at < len(content):
    found = _PART.match(content, at)
    assert found is not None, "every sign is some part"
    at = found.end()
    if found["text"] is not None:
      reader.text(found["text"])
    elif found["tag"] is not None:
      tag = found["tag"].lower()
      reader.tag(tag, bool(found["end"]), found["more"])
      if tag in _UNREAD and not found["end"] and found["more"][-1:] != "/":
        at = _end_of(tag, content, at)
  return reader.page()


def plain(url: str, content: str) -> Page:
  """Takes a text as it is."""
  return Page(url, "", content.strip())


def _end_of(tag: str, content: str, at: int) -> int:
  """Where an element ends whose content is no HTML."""
  end = re.compile(rf"</{tag}\b", re.IGNORECASE).search(content, at)
  return len(content) if end is None else end.start()


class _Reader:
  """Gathers what is read."""

  def __init__(self, url: str):
    self._url = self._base = url
    self._lines: list[str] = []
    self._line: list[str] = []
    self._title: str | None = None
    self._in_title = False
    self._link: tuple[str, list[str]] | None = None
    self._links: dict[str, Link] = {}

  def text(self, piece: str) -> None:
    piece = html.unescape(piece)
    if self._in_title:
      self._title = (self._title or "") + piece
      return
    self._line.append(piece)
    if self._link is not None:
      self._link[1].append(piece)

  def tag(self, tag: str, ends: bool, more: str) -> None:
    if tag == "title":
      # Pictures have titles, too; that of the page is the first.
      self._in_title = not ends and self._title is None
    if tag in _BLOCKS:
      self._break()
    elif tag in ("td", "th"):
      self._line.append(" ")
    if tag == "a":
      self._end_link()
      target = "" if ends else _attributes(more).get("href", "")
      if target:
        self._link = (target, [])
    elif tag == "base" and not ends:
      target = _attributes(more).get("href", "")
      self._base = _join(self._url, target) or self._url
    elif tag == "img" and not ends:
      self._line.append(f" {_attributes(more).get('alt', '')} ")

  def page(self) -> Page:
    self._end_link()
    self._break()
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(self._lines)).strip()
    title = " ".join((self._title or "").split())[:200]
    return Page(self._url, title, text, tuple(self._links.values()))

  def _break(self) -> None:
    line = " ".join("".join(self._line).split())
    self._line = []
    self._lines.append(line)

  def _end_link(self) -> None:
    if self._link is None:
      return
    target, pieces = self._link
    self._link = None
    text = " ".join("".join(pieces).split())[:200]
    url = _join(self._base, target)
    if text and url and url != self._url and len(self._links) < _MOST_LINKS:
      self._links.setdefault(url, Link(text, url))


def _attributes(more: str) -> dict[str, str]:
  found: dict[str, str] = {}
  for name, value in _ATTRIBUTE.findall(more[:10_000]):
    if value[0] in "\"'":
      value = value[1:-1]
    # Of two of one name the first counts.
    found.setdefault(name.lower(), html.unescape(value).strip())
  return found


def _join(base: str, target: str) -> str | None:
  """Where a link leads; None: nowhere that could be read."""
  try:
    joined = urllib.parse.urldefrag(urllib.parse.urljoin(base, target)).url
  except ValueError:
    return None
  return joined if joined.startswith(("http://", "https://")) else None
