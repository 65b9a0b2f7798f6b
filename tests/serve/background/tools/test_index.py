import math

import pytest

from interaction_jax.serve.background.tools import index
from interaction_jax.serve.background.tools.index import Index, Passage

CODES = "codes of people\n\nanna: red box\ntom: blue key\n\nzoe: green lamp"


@pytest.fixture
def made():
  def make(**texts):
    one = Index()
    for source, text in texts.items():
      one.put(source, text)
    return one

  return make


@pytest.mark.parametrize(
  ("text", "words"),
  [
    ("Anna's Códe, red_box!", ["anna", "s", "code", "red", "box"]),
    ("cats and glass", ["cat", "and", "glass"]),
    ("Straße 2024s", ["strasse", "2024s"]),
    ("", []),
  ],
)
def test_words(text, words):
  assert index.words(text) == words


@pytest.mark.parametrize(
  ("question", "asked"),
  [
    ("what is the code of anna", ["code", "anna"]),
    ("anna anna", ["anna"]),
    ("who is it", ["who", "is", "it"]),
  ],
)
def test_what_is_asked_for(question, asked):
  assert index.asked(question) == asked


def test_a_text_is_cut_where_it_is_blank():
  found = list(index.passages("a", CODES))
  assert found == [
    Passage("a", 1, "codes of people"),
    Passage("a", 3, "anna: red box\ntom: blue key"),
    Passage("a", 6, "zoe: green lamp"),
  ]
  assert found[1].best_line(["tom"]) == 4
  assert found[1].best_line(["nobody"]) == 3


@pytest.mark.parametrize(
  "text",
  ["word " * 10_000, "\n".join(["line"] * 500), "\n\n\n", "a" * 2000 + "\nb"],
  ids=["line", "lines", "blank", "both"],
)
def test_no_passage_is_long_and_nothing_is_lost(text):
  found = list(index.passages("a", text))
  assert all(len(one.text) <= 811 for one in found)
  assert all(one.text.count("\n") < 12 for one in found)
  letters = "".join(one.text for one in found)
  assert "".join(letters.split()) == "".join(text.split())
  lines = text.split("\n")
  assert all(
    lines[one.line - 1].startswith(one.text.split("\n")[0][:5].strip())
    or one.text.split("\n")[0] in lines[one.line - 1]
    for one in found
  )


def test_the_best_comes_first(made):
  one = made(a=CODES, b="a red house\n\na red car and a red box")
  assert [hit.passage.line for hit in one.find("red box", most=9)] == [3, 3, 1]
  assert [hit.share for hit in one.find("red box", most=9)] == [1, 1, 0.5]
  assert one.find("nothing of that") == []
  assert one.find("") == []


def test_scores_are_those_of_the_formula(made):
  # Three passages of 2, 4 and 3 words; each counts its source as one more.
  one = made(x="cat dog\n\ncat cat cat bird\n\nfish bird cow")
  first, second = one.find("cat")
  rare = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
  mean = (3 + 5 + 4) / 3

  def score(count, length):
    return rare * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / mean))

  assert first.passage.line == 3
  assert first.score == pytest.approx(score(3, 5))
  assert second.score == pytest.approx(score(1, 3))


def test_a_file_is_found_by_its_name(made):
  one = made(**{"notes/garden plan.txt": "apples and pears"})
  assert one.find("garden")[0].passage.text == "apples and pears"


def test_a_title_counts_for_every_passage():
  one = Index()
  one.put("a", "ripe\n\nsweet", title="Pears")
  assert [hit.passage.text for hit in one.find("sweet pears")] == [
    "sweet",
    "ripe",
  ]
  assert one.find("sweet pears")[0].share == 1


def test_what_is_put_again_is_as_new(made):
  one = made(a=CODES, b="the moon")
  one.put("a", "anna: white horse")
  assert len(one) == 2 and one.find("anna")[0].passage.text.endswith("horse")
  assert one.find("zoe") == []
  one.drop("a")
  one.drop("b")
  one.drop("never there")
  assert len(one) == 0 and one._places == {} and one._length == 0
