import asyncio
import socket

import pytest

from interaction_jax.serve.background.job import Context
from interaction_jax.serve.background.tools.browser import (
  Browser,
  BrowserConfig,
)

PAGES = {
  "/": "<title>Fruit</title><h1>Fruit</h1><p>All about fruit."
  "<p><a href=/apples>apples</a> <a href=/pears>pears and when</a>"
  "<a href=http://elsewhere.example/pears>pears elsewhere</a>",
  "/apples": "<title>Apples</title><p>Red.",
  "/pears": "<title>Pears</title><p>Sweet.\n<p>Ripe in september.",
}


@pytest.fixture
def site(station, http):
  """A server of some pages."""

  def play(_, path, __):
    if path not in PAGES:
      return [http("gone", 404)]
    return [http(PAGES[path], kind="text/html; charset=utf-8")]

  return station(play)


def ask(browser, task="", **arguments):
  if task:
    arguments = browser.match(task)
    assert arguments is not None

  async def main():
    return [one async for one in browser.call(Context("a"), **arguments)]

  (found,) = asyncio.run(main())
  return found


def test_a_page_is_read_and_cited(site):
  found = ask(Browser([site.at]), f"read the page {site.at}/")
  assert found.text == (
    f"Fruit (http://{site.at}/): All about fruit. "
    "apples pears and whenpears elsewhere"
  )
  assert found.shown["page"] == f"http://{site.at}/"
  assert [link["text"] for link in found.shown["links"]] == [
    "apples",
    "pears and when",
    "pears elsewhere",
  ]


def test_links_are_followed_to_what_is_wanted(site):
  found = ask(Browser([site.at]), f"when are pears ripe on {site.at}")
  place = f"http://{site.at}/pears"
  assert found.text == f"Sweet. Ripe in september. (Pears, {place})"
  assert found.shown["page"] == place and "september" in found.shown["text"]
  # That of a host which is not allowed was not asked, nor what is not wanted.
  assert [path for _, path, _ in site.asked] == ["/", "/pears"]


def test_nothing_is_sent_but_the_address(station, http):
  seen = []

  def play(method, path, body):
    seen.append((method, path, body))
    return [http("x", Set_Cookie="a=b")]

  at = station(play).at
  ask(Browser([at]), url=f"http://{at}/?q=1")
  ask(Browser([at]), url=f"http://{at}/?q=1")
  assert seen == [("GET", "/?q=1", b"")] * 2


@pytest.mark.parametrize("status", [200, 500])
def test_a_search_has_an_end(station, http, status):
  def play(_, path, __):
    links = "".join(f"<a href={path}{n}>zebra {n}</a>" for n in range(50))
    return [http(f"{links}<p>page", 200 if path == "/" else status)]

  running = station(play)
  with pytest.raises(
    ValueError, match=r"nothing is found on .* and [03] pages"
  ):
    ask(
      Browser([running.at], cfg=BrowserConfig(pages=4)),
      url=f"http://{running.at}/",
      find="zebra lion tiger bear",
    )
  assert len(running.asked) == 4


def test_a_link_that_leads_nowhere_is_passed_over(station, http):
  def play(_, path, __):
    if path == "/":
      return [http("<a href=/pear>pear</a><a href=/pear/2>pear two</a>")]
    if path == "/pear":
      return [http("gone", 500)]
    return [http("<p>A pear is ripe in september.")]

  running = station(play)
  found = ask(Browser([running.at]), url=running.at, find="pear september")
  assert found.text.startswith("A pear is ripe in september.")


@pytest.mark.parametrize(
  ("task", "wanted"),
  [
    ("read example.org", {"url": "https://example.org/"}),
    ("go to example dot org slash fruit",
     {"url": "https://example.org/fruit"}),
    ("what does https://other.net/a say about pears",
     {"url": "https://other.net/a", "find": "pear"}),
    ("localhost:8000/x, please", {"url": "http://localhost:8000/x"}),
    ("the opening hours on example.org?",
     {"url": "https://example.org/", "find": "opening hour"}),
    ("what is 3.5 times 2", None),
    ("look at notes.txt", None),
    ("read other.net", None),
    ("weather in paris", None),
  ],
)  # fmt: skip
def test_addresses_in_words(task, wanted):
  assert Browser(["example.org", "localhost:8000"]).match(task) == wanted


@pytest.mark.parametrize("hosts", [[], ["example.org"]])
@pytest.mark.parametrize("at", ["station", "https://elsewhere.example/"])
def test_who_is_not_allowed_is_not_asked(site, hosts, at):
  url = f"http://{site.at}/" if at == "station" else at
  with pytest.raises(ValueError, match="is not allowed; allowed hosts: "):
    ask(Browser(hosts), url=url)
  assert site.asked == []


def test_a_redirect_is_followed_where_one_may_go(station, http, site):
  paths = {
    "/a": http(status=302, Location="b"),
    "/b": http(status=308, Location=f"http://{site.at}/pears"),
  }
  running = station(lambda _, path, __: [paths[path]])
  browser = Browser([running.at, site.at])
  found = ask(browser, url=f"http://{running.at}/a")
  assert found.shown["page"] == f"http://{site.at}/pears"


@pytest.mark.parametrize(
  ("target", "problem"),
  [
    ("http://elsewhere.example/", "elsewhere.example is not allowed"),
    ("http://169.254.169.254/latest", r"169\.254\.169\.254 is not allowed"),
    ("file:///etc/passwd", "is no address of a page"),
    ("/again", "sends in circles"),
    ("http://me:secret@127.0.0.1/", "with a password is not asked"),
    ("site", r"127\.0\.0\.1 is not allowed"),
  ],
)
def test_a_redirect_leads_nowhere_else(station, http, site, target, problem):
  if target == "site":
    target = f"http://{site.at}/"
  running = station(lambda *_: [http(status=302, Location=target)])
  with pytest.raises(ValueError, match=problem):
    ask(Browser([running.at]), url=f"http://{running.at}/")
  assert site.asked == [] and len(running.asked) <= 6


@pytest.mark.parametrize(
  ("answer", "problem"),
  [
    ([b"this is not http at all\r\n\r\n"], "breaks off"),
    ([b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort"], "breaks off"),
    ([b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 10**5], "breaks off"),
    ([], "breaks off"),
    ([None], "does not answer in 0.3 s"),
    ([b"HTTP/1.1 200 OK\r\nA: ", None], "does not answer in"),
    ([b"HTTP/1.1 200 OK\r\n\r\nhello", None], "does not answer in"),
    ([b"HTTP/1.1 100 Continue\r\n\r\n", None], "does not answer in"),
  ],
  ids=["garbage", "short", "headers", "hangs up", "silent", "slow", "drips",
       "continue"],
)  # fmt: skip
def test_a_server_that_is_not_well(station, answer, problem):
  running = station(lambda *_: answer)
  cfg = BrowserConfig(seconds=0.3 if None in answer else 300.0)
  with pytest.raises(ValueError, match=rf"127\.0\.0\.1 {problem}"):
    ask(Browser([running.at], cfg=cfg), url=f"http://{running.at}/")


def test_a_server_that_is_not_there():
  with socket.socket() as taken:
    # It is bound, so nobody else listens there, and does not listen.
    taken.bind(("127.0.0.1", 0))
    at = f"127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(ValueError, match=r"127\.0\.0\.1 cannot be reached"):
      ask(Browser([at]), url=f"http://{at}/")


@pytest.mark.parametrize(
  ("answer", "problem"),
  [
    ({"status": 404}, "answers 404"),
    ({"status": 204}, "answers 204"),
    ({"status": 302}, "answers 302"),
    ({"kind": "image/png"}, "is no text but image/png"),
    ({"Content_Encoding": "gzip"}, "is no text but text/html, gzip"),
  ],
  ids=str,
)
def test_what_is_no_page_is_told(station, http, answer, problem):
  running = station(lambda *_: [http("x", **answer)])
  with pytest.raises(ValueError, match=problem):
    ask(Browser([running.at]), url=f"http://{running.at}/")


def test_a_page_without_end_is_read_in_part(station, http):
  def play(*_):
    yield http("<p>begins</p>")
    while True:
      yield b"<p>and goes on</p>" * 1000

  running = station(play)
  cfg = BrowserConfig(bytes=100_000)
  browser = Browser([running.at], cfg=cfg)
  found = ask(browser, url=f"http://{running.at}/", whole=True)
  assert ": begins\n\nand goes on" in found.text and len(found.text) < 7000


@pytest.mark.parametrize(
  ("body", "kind"),
  [
    ("café".encode(), "text/html"),
    ("café".encode("latin-1"), "text/html"),
    ("café".encode("latin-1"), "text/plain; charset=ISO-8859-1"),
    ("café".encode("utf-16"), "text/plain"),
    (
      "<meta charset='koi8-r'>caf".encode("koi8-r") + "é".encode(),
      "text/plain",
    ),
    ("café".encode(), "text/html; charset=utf-none"),
    ("café".encode(), "text/html; charset=unicode_escape"),
  ],
)
def test_in_what_letters_it_is_written(station, http, body, kind):
  running = station(lambda *_: [http(body, kind=kind)])
  found = ask(Browser([running.at]), url=f"http://{running.at}/")
  assert ("café" in found.text) == (b"koi8" not in body)
  assert "caf" in found.text


def test_a_whole_page_tells_where_it_leads(site):
  found = ask(Browser([site.at]), url=f"http://{site.at}/", whole=True)
  assert f"\nlinks:\napples: http://{site.at}/apples\n" in found.text


def test_what_is_allowed_is_told_to_models():
  described = Browser(["example.org", "*.b.net"]).parameters
  url = described["properties"]["url"]
  assert url["description"] == "of example.org, *.b.net"


def test_who_gives_up_leaves_no_connection(station, until):
  running = station(lambda *_: [None])
  browser = Browser([running.at])

  async def main():
    found = browser.call(Context("a"), url=f"http://{running.at}/")
    asking = asyncio.ensure_future(anext(found))
    await until(lambda: running.asked)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()

  asyncio.run(main())
