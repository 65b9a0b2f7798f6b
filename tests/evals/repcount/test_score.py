import pytest

from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.repcount import score
from interaction_jax.evals.repcount.score import Count

CYCLES = ((1.0, 2.0), (2.5, 3.5), (4.0, 5.0), (5.5, 6.5))


def said(*pairs):
  return [Word(text, at, at + 0.2) for at, text in pairs]


@pytest.mark.parametrize(
  ("words", "told"),
  [
    # The last repetition but one is over at 5.0 s.
    (said((2.1, "one"), (3.6, "two"), (5.2, "three"), (6.6, "four")), 4),
    (said((2.1, "one"), (3.6, "two"), (5.2, "three")), 3),
    (said((2.1, "one"), (4.9, "four")), None),
    (said((5.0, "three")), 3),
    (said((7.0, "that"), (7.2, "was"), (7.4, "twenty"), (7.6, "one")), 21),
    (said((7.0, "done")), None),
    ([], None),
  ],
)
def test_the_last_number_said_late_enough_counts(words, told):
  assert score.count(words, CYCLES) == Count(told, 4)


def test_of_one_repetition_everything_is_late_enough():
  assert score.count(said((0.1, "two")), CYCLES[:1]) == Count(2, 1)
  assert score.count(said((0.1, "two")), ()) == Count(2, 0)


def test_an_annotation_may_know_better_how_many_there_are():
  assert score.count(said((5.2, "five")), CYCLES, wanted=5) == Count(5, 5)


@pytest.mark.parametrize(
  ("told", "wanted", "obo", "exact", "relative", "error"),
  [
    (4, 4, True, True, 0.0, 0.0),
    (3, 4, True, False, 1 / 4.1, 1.0),
    (5, 4, True, False, 1 / 4.1, 1.0),
    (6, 4, False, False, 2 / 4.1, 2.0),
    (None, 4, False, False, 4 / 4.1, 4.0),
    (None, 1, False, False, 1 / 1.1, 1.0),  # 0 would be one off; silence is not
    (2, 0, False, False, 2 / 0.1, 2.0),
    (1, 0, True, False, 1 / 0.1, 1.0),
  ],
)
def test_what_a_count_is_worth(told, wanted, obo, exact, relative, error):
  one = Count(told, wanted)
  assert (one.off_by_one, one.exact) == (obo, exact)
  assert one.relative_error == pytest.approx(relative)
  assert one.error == error
