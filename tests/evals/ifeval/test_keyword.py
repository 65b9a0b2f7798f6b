import pytest

from interaction_jax.evals.ifeval import keyword

WORDS = "Start the art of ART, artful C++ and c++."


@pytest.mark.parametrize(
  ("number", "relation", "wanted", "holds"),
  [
    (2, "less than", 3, True),
    (3, "less than", 3, False),
    (3, "at least", 3, True),
    (2, "at least", 3, False),
    (0, "less than", 1, True),
  ],
)
def test_numbers_are_compared(number, relation, wanted, holds):
  assert keyword.compare(number, relation, wanted) == holds


def test_there_is_no_other_relation():
  with pytest.raises(ValueError, match="relation='at most' must be one of"):
    keyword.compare(1, "at most", 2)


@pytest.mark.parametrize(
  ("keywords", "official", "exact"),
  [
    (["art"], True, True),
    (["ARTFUL", "start"], True, True),
    (["tart"], True, False),  # within "Start" alone
    (["rt"], True, False),
    (["art", "music"], False, False),
    ([], True, True),
  ],
)
def test_keywords(keywords, official, exact):
  assert keyword.existence(WORDS, keywords=keywords) == official
  assert keyword.exact_existence(WORDS, keywords=keywords) == exact


@pytest.mark.parametrize(
  ("number", "official", "exact"),
  [
    (1, True, True),
    (2, True, True),
    (3, True, False),  # within Start, art, ART, artful: 4; as a word: 2
    (4, True, False),
    (5, False, False),
  ],
)
def test_how_often_a_keyword_comes_up(number, official, exact):
  wanted = {"keyword": " art ", "frequency": number, "relation": "at least"}
  assert keyword.frequency(WORDS, **wanted) == official
  assert keyword.exact_frequency(WORDS, **wanted) == exact


@pytest.mark.parametrize(
  ("words", "official", "exact"),
  [
    (["music"], True, True),
    (["art"], False, False),
    (["tart"], True, True),
    (["music", "of"], False, False),
    (["the.art"], False, True),  # as a pattern it fits "the art"
    ([], True, True),
  ],
)
def test_forbidden_words(words, official, exact):
  assert keyword.forbidden(WORDS, forbidden_words=words) == official
  assert keyword.exact_forbidden(WORDS, forbidden_words=words) == exact


def test_only_the_exact_rule_forbids_words_with_signs_in_them():
  assert not keyword.exact_forbidden(WORDS, forbidden_words=["c++"])


@pytest.mark.parametrize(
  ("letter", "number", "relation", "follows"),
  [
    ("t", 6, "at least", True),  # sTarT The arT arT arTful: 6
    ("t", 7, "at least", False),
    ("T", 6, "at least", True),
    ("t", 6, "less than", False),
    ("z", 1, "less than", True),
    ("+", 4, "at least", True),
  ],
)
def test_how_often_a_letter_comes_up(letter, number, relation, follows):
  assert (
    keyword.letter_frequency(
      WORDS, letter=letter, let_frequency=number, let_relation=relation
    )
    == follows
  )
