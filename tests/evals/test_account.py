import numpy as np
import pytest

from interaction_jax.data.record import Record, TextOut
from interaction_jax.data.synthetic import world
from interaction_jax.evals import account
from interaction_jax.evals.account import Account, Piece, Word
from interaction_jax.serve.backlog import Conduct
from interaction_jax.turns.vocabulary import Control


def made(sounding, *pieces):
  """Sounding as a string: # is a voice."""
  return Account(
    np.array([sign == "#" for sign in sounding]),
    tuple(Piece(*piece) for piece in pieces),
  )


def test_words_are_put_together_from_pieces():
  one = made(
    "....##..",
    (1, "show", " wha"),
    (2, "say", " ti"),
    (2, "show", "t is"),
    (3, "say", "ger and"),
    (4, "say", " a"),
    (6, "say", " cat"),
  )
  assert one.text("show") == " what is"
  assert one.words("show") == [Word(1, "what"), Word(2, "is")]
  assert one.words() == [
    Word(2, "tiger"), Word(3, "and"), Word(4, "a"), Word(6, "cat"),
  ]  # fmt: skip
  # Nobody can hear the cat.
  assert [word.text for word in one.said()] == ["tiger", "and", "a"]


@pytest.mark.parametrize(
  ("gap", "found"),
  [
    (0, [(1, 3), (4, 5), (7, 9)]),
    (1, [(1, 5), (7, 9)]),
    (2, [(1, 9)]),
  ],
)
def test_stretches_bridge_gaps(gap, found):
  assert made(".##.#..##.").stretches(gap=gap) == found
  assert account.silent(3).stretches(gap=gap) == []


def test_parts_of_a_conversation():
  one = made(".##..#", (1, "say", " a"), (3, "show", " b"), (5, "say", " c"))
  part = one.cut(2, 5)
  assert part.sounding.tolist() == [False, False, True, False, False, False]
  assert [piece.text for piece in part.pieces] == [" b"]
  moved = one.moved(2, 7)
  assert moved.sounding.tolist() == [False] * 3 + [True] * 2 + [False] * 2
  assert [piece.turn for piece in moved.pieces] == [3, 5]
  back = one.moved(-2, 4)
  assert back.sounding.tolist() == [True, False, False, True]
  assert [(p.turn, p.text) for p in back.pieces] == [(1, " b"), (3, " c")]


def test_rolling_stays_within_the_stretch():
  one = made("#.##.#", (2, "say", " a"), (3, "say", " b"), (5, "say", " c"))
  rolled = one.rolled(2, 2, 5)
  # a b . becomes b . a
  assert rolled.sounding.tolist() == [False, False, True, False, True, False]
  assert [(p.turn, p.text) for p in rolled.pieces] == [(2, " b"), (4, " a")]


def test_joining():
  one = account.joined([made("#..", (0, "say", " a")), made("..#")])
  assert one.sounding.tolist() == [True, False, True]
  with pytest.raises(ValueError, match=r"of \[3, 2\] turns cannot be joined"):
    account.joined([account.silent(3), account.silent(2)])


def test_a_voice_without_words():
  one = made("##........####", (0, "say", " a"), (13, "say", " b"))
  assert one.wordless() == pytest.approx(2 / 6)
  assert account.silent(4).wordless() is None


def test_what_is_made_is_audible_a_turn_later():
  """The same deeds, as a record tells them and as a model does them."""
  words = world.vocabulary()
  say, show = (words.id_of(one) for one in (Control.SAY, Control.SHOW))
  text = [()] * 6
  text[1] = (show, *words.encode(" what"), say, *words.encode(" red"))
  text[3] = tuple(words.encode(" cat"))
  text[5] = tuple(words.encode(" never"))
  speaks = np.array([False, True, True, False, False, True])
  conduct = Conduct(
    tuple(text), speaks, np.zeros(6), np.zeros(6 * 3200, np.float32), 1.0
  )
  record = Record(
    heard=np.zeros(6 * 3200 - 5, np.float32),
    voice=np.zeros(6 * 3200 - 5, np.float32),
    speech=((2 * 3200 + 9, 4 * 3200),),
    text_out=(
      TextOut(2 * 3200, "show", " what"),
      TextOut(2 * 3200 + 9, "say", " red"),
      TextOut(4 * 3200, "say", " cat"),
      TextOut(6 * 3200 - 5, "say", " never"),
    ),
  )
  done, wanted = account.of_conduct(conduct, words), account.of_record(record)
  assert done.sounding.tolist() == wanted.sounding.tolist()
  assert done.pieces == wanted.pieces[:3]
  kinds = [event.kind for event in account.events(conduct, words)]
  assert kinds.count("speak_start") == 2 and kinds.count("speak_stop") == 1


def test_words_last_until_the_next_one_or_until_their_voice_ends():
  sounding = np.zeros(12, bool)
  sounding[2:5] = sounding[8:11] = True
  pieces = [Piece(2, "say", " one"), Piece(3, "say", " two")]
  pieces += [Piece(8, "say", " three")]
  # "two" ends with its voice, in turn 5, not with the next word, in turn 8.
  assert Account(sounding, tuple(pieces)).spans() == [
    ("one", 0.4, 0.6),
    ("two", 0.6, 1.0),
    ("three", 1.6, 2.2),
  ]
  assert account.silent(4).spans() == []
