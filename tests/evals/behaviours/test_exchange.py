import numpy as np
import pytest

from interaction_jax.evals.account import Account, Piece
from interaction_jax.evals.behaviours import exchange as exchanges

LABEL = {
  "scenario": "repeat",
  "start": 1.0,
  "end": 3.0,
  "user": [[1.0, 1.9]],
  "answer": ["red", "cat"],
  "onset_turn": 11,
  "broken": [],
}
LATER = {**LABEL, "start": 4.0, "answer": [], "onset_turn": None}


def said(*words, num_turns=30):
  sounding = np.zeros(num_turns, bool)
  for turn, _ in words:
    sounding[turn : turn + 2] = True
  return Account(
    sounding, tuple(Piece(turn, "say", f" {word}") for turn, word in words)
  )


def first_of(made):
  return exchanges.split([LABEL, LATER], made, made)[0]


def test_every_turn_belongs_to_one_exchange():
  made = said((2, "hello"), (11, "red"), (19, "cat"), (20, "dog"))
  one, other = exchanges.split([LABEL, LATER], made, made)
  assert (one.first, one.last, other.first, other.last) == (5, 20, 20, 30)
  assert one.words == ("red", "cat") and one.turns == (11, 19)
  assert other.words == ("dog",) and other.before == (LABEL,)
  # A sound that began before the exchange is not lost on the next one.
  assert other.onset == 20 and one.onset == 11


@pytest.mark.parametrize(
  ("words", "hit", "timing"),
  [
    ([(11, "red"), (13, "cat")], 1, (0.0,)),
    ([(11, "Red,"), (13, "cat.")], 1, (0.0,)),
    ([(10, "red"), (13, "cat")], 1, (-0.2,)),
    ([(16, "red"), (18, "cat")], 1, (1.0,)),
    ([(17, "red"), (18, "cat")], 0, (1.2,)),
    ([(9, "red"), (13, "cat")], 0, (-0.4,)),
    ([(11, "red")], 0, (0.0,)),
    ([(11, "cat"), (13, "red")], 0, (0.0,)),
    ([(11, "red"), (13, "cat"), (15, "cat")], 0, (0.0,)),
    ([], 0, ()),
  ],
)
def test_answers_have_to_be_right_and_in_time(words, hit, timing):
  judgement = first_of(said(*words)).answered()
  assert judgement.hit == hit
  assert judgement.timing == pytest.approx(timing)


def test_what_nobody_asked_for_is_a_false_alarm():
  _, quiet = exchanges.split([LABEL, LATER], said((22, "hello")), said())
  judgement = quiet.answered()
  assert (judgement.hit, judgement.false_alarms) == (0, 1)
  assert quiet.sounds(4.4, 4.6) and not quiet.sounds(4.8, 6.0)


@pytest.mark.parametrize(
  ("answer", "broken", "allowed"),
  [
    ("a b", [], {"a b"}),
    ("a b", [[2, ["c"]]], {"a b", "a", "a b c"}),
    ("a b x y", [[2, []]], {"a b x y", "a x y"}),
    ("a b x y", [[2, ["c", "d"]]], {"a b x y", "a x y", "a b c x y"}),
    ("x", [[0, ["c"]]], {"x", "c x"}),
  ],
)
def test_one_word_around_a_break_is_free(answer, broken, allowed):
  label = {"answer": answer.split(), "broken": broken}
  found = {" ".join(words) for words in exchanges.answers(label)}
  assert found == allowed


def test_pairs_are_in_order_and_used_once():
  pairs, rest = exchanges.matched([10, 12], [9, 10, 11, 30], early=1, late=2)
  assert pairs == [(10, 9), (12, 11)] and rest == [10, 30]
  assert exchanges.matched([5], [], early=1, late=1) == ([], [])


def test_objects_are_found_between_words():
  text = ' say {"a":1} and { then {"b":{"c":[2]}} {"half":'
  assert exchanges.objects(text) == [{"a": 1}, {"b": {"c": [2]}}]


@pytest.mark.parametrize(
  ("wanted", "made", "distance"),
  [("a b c", "a b c", 0), ("a b c", "a c", 1), ("a b", "b a", 2), ("", "a", 1)],
)
def test_edits(wanted, made, distance):
  assert exchanges.edits(wanted.split(), made.split()) == distance


def test_times_are_those_of_turns_that_begin_there():
  assert exchanges.turn_from(0.6) == 3
  assert exchanges.turn_from(0.61) == 4
  assert exchanges.seconds(-3) == -0.6
