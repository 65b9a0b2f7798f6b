import pytest

from interaction_jax.evals.ifeval import token


@pytest.mark.parametrize(
  ("text", "found"),
  [
    ("", []),
    ("Don't go.", ["Don", "t", "go"]),
    ("well-known", ["well", "known"]),
    ("a_b 3,000", ["a_b", "3", "000"]),
    ("Übung, é!", ["Übung", "é"]),
  ],
)
def test_words_are_runs_of_letters_and_digits(text, found):
  assert token.words(text) == found


@pytest.mark.parametrize(
  ("text", "num"),
  [
    ("One. Two! Three?", 3),
    ("Dr. Smith went home. He slept.", 2),
    ("No stop at all", 1),
    ("It cost 1.5 dollars. Really.", 2),
    ("Wait... what? Yes.", 2),
  ],
)
def test_sentences_are_told_from_abbreviations(text, num):
  assert len(token.sentences(text)) == num


@pytest.mark.parametrize(
  ("text", "found"),
  [
    ("I'M HERE.", ["I", "'M", "HERE", "."]),
    ("DON'T STOP", ["DO", "N'T", "STOP"]),
    ("a WELL-KNOWN man", ["a", "WELL-KNOWN", "man"]),
    ("Mr. A. went (home), 3,000 km.",
     ["Mr.", "A.", "went", "(", "home", ")", ",", "3,000", "km", "."]),
    ("CANNOT gonna *X*", ["CAN", "NOT", "gon", "na", "*", "X", "*"]),
    ("the dogs' bed", ["the", "dogs", "'", "bed"]),
    ("no... yes", ["no", "...", "yes"]),
  ],
)  # fmt: skip
def test_tokens_are_those_of_the_treebank(text, found):
  assert token.tokens(text) == found
