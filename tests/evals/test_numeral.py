import pytest

from interaction_jax.evals import numeral
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.numeral import Numeral


@pytest.mark.parametrize(
  ("text", "values"),
  [
    ("one two three", [1, 2, 3]),
    ("twenty three", [23]),
    ("three twenty", [3, 20]),
    ("Twenty-three reps, 24", [23, 24]),
    ("that makes fourteen.", [14]),
    ("a hundred and five", [105]),
    ("two hundred twelve", [212]),
    ("one hundred and", [100]),
    ("one thousand two hundred and thirty four", [1234]),
    ("1,234 and 5", [1234, 5]),
    ("twenty, three", [20, 3]),
    ("nineteen five", [19, 5]),
    ("zero", [0]),
    ("twenty zero", [20, 0]),
    ("someone to tell for", []),
    ("", []),
    ("five hundred thousand", [500_000]),
    ("thirty one thirty two", [31, 32]),
  ],
)
def test_numbers_are_found_in_words(text, values):
  assert [one.value for one in numeral.find(text.split())] == values


def test_a_number_stands_where_its_first_word_does():
  found = numeral.find(["now", "twenty", "one", "and", "two"])
  assert found == [Numeral(1, 21), Numeral(4, 2)]


def test_only_what_begins_late_enough_counts():
  words = [Word("one", 1.0, 1.2), Word("two", 2.0, 2.2), Word("3", 3.0, 3.1)]
  assert numeral.told(words) == [1, 2, 3]
  assert numeral.told(words, after=2.0) == [2, 3]
  assert numeral.told(words, after=3.1) == []
