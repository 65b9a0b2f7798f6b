import pytest

from interaction_jax.serve.background.tools import page
from interaction_jax.serve.background.tools.page import Link

URL = "https://example.org/fruit/pears.html"


@pytest.mark.parametrize(
  ("content", "text"),
  [
    ("<h1>Pears</h1><p>In <b>sep</b>tember.", "Pears\n\nIn september."),
    ("a<br>b<br/>c", "a\nb\nc"),
    ("a &lt;b&gt; &amp; caf&eacute; &#x41;", "a <b> & café A"),
    ("<script>if (a < b) { x('</p>') }</script>seen", "seen"),
    ("<STYLE>p {}</Style >seen<script src=x></script> too", "seen too"),
    ("<script>never closed", ""),
    ("<!-- <p>not this</p> -->seen<!doctype html>", "seen"),
    ("<!-- never closed <p>x", ""),
    ("<a title='>'>x</a> 3 < 4 <", "x 3 < 4 <"),
    ("<p", ""),
    ('<p class="never closed>x', ""),
    ("<table><tr><td>a<td>b<tr><th>c</th><td>d</table>", "a b\nc d"),
    ("<img src=x alt='a pear'>ripe", "a pear ripe"),
    ("<title>T</title><svg><title>no</title></svg>x", "x"),
    ("  many \n  spaces\t", "many spaces"),
    ("", ""),
  ],
)  # fmt: skip
def test_what_is_read(content, text):
  assert page.read(URL, content).text == text


def test_the_title_is_the_first():
  made = page.read(URL, "<title> The\n pears </title><title>other</title>")
  assert made.title == "The pears" and made.url == URL


@pytest.mark.parametrize(
  ("target", "url"),
  [
    ("apples.html", "https://example.org/fruit/apples.html"),
    ("/", "https://example.org/"),
    ("//other.org/a", "https://other.org/a"),
    ("http://other.org/a?b=1&amp;c=2#part", "http://other.org/a?b=1&c=2"),
    ("?page=2", "https://example.org/fruit/pears.html?page=2"),
    ("#here", None),
    ("javascript:alert(1)", None),
    ("mailto:a@b", None),
    ("file:///etc/passwd", None),
    ("http://[half", None),
    ("", None),
  ],
)
def test_where_it_leads(target, url):
  made = page.read(URL, f'<p><a class=x HREF="{target}">a <i>b</i></a> c')
  assert made.links == (() if url is None else (Link("a b", url),))
  assert made.text == "a b c"


def test_links_that_are_not_closed_or_say_nothing():
  made = page.read(
    URL, "<a href=/1><img src=x></a><a href=/2>two<a href='/3'>three"
  )
  assert [link.text for link in made.links] == ["two", "three"]


def test_a_page_may_say_where_it_is_relative_to():
  made = page.read(URL, "<base href='/other/'><a href=b>x</a>")
  assert made.links == (Link("x", "https://example.org/other/b"),)


def test_there_is_an_end_to_links():
  content = "".join(f"<a href=/{n}>link {n}</a>" for n in range(1000))
  assert len(page.read(URL, content).links) == 200


@pytest.mark.parametrize(
  "content",
  ["<!--" * 50_000, "<a " * 50_000, "<a href='" * 50_000, "<" * 50_000,
   "<script>" * 50_000, "</p" * 50_000, "<a x=" + "y=" * 50_000, "&" * 50_000,
   "<p>" * 50_000, "<a href=x>" * 50_000, '<a "' * 50_000, "<![" * 50_000],
  ids=range(12),
)  # fmt: skip
def test_no_page_takes_long(content):
  # Whatever grew with the square would take hours.
  assert len(page.read(URL, content).text) <= len(content)


def test_a_text_is_taken_as_it_is():
  made = page.plain(URL, " a <b>\n\nc ")
  assert (made.text, made.title, made.links) == ("a <b>\n\nc", "", ())
