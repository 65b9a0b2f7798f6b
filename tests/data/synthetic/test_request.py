import numpy as np
import pytest

from interaction_jax.data.synthetic.request import (
  Phrase,
  Request,
  fixed,
  reserved,
)


def test_a_pause_may_come_where_more_has_to_follow():
  assert Request(("count", "to", "four"), pauses=(2,)).pauses == (2,)


@pytest.mark.parametrize(
  ("words", "pauses", "last"),
  [
    (("say", "red", "cat"), (2,), "red"),
    (("say", "red", "cat"), (1, 2), "red"),
    (("what", "is", "two", "plus", "three"), (1,), "what"),
  ],
  ids=["complete", "one_of_two", "unclear"],
)
def test_a_pause_elsewhere_is_refused(words, pauses, last):
  with pytest.raises(ValueError, match=f"'{last}' may be the end"):
    Request(words, pauses)


def _phrase(*, combines):
  words = iter(range(2000))
  return Phrase(lambda rng: Request(("say", str(next(words)))), 1.0, combines)


def test_what_is_reserved_is_for_held_out_users():
  rng = np.random.default_rng(0)
  for split in ("train", "held_out"):
    drawn = [_phrase(combines=True).request(rng, split) for _ in range(20)]
    assert {reserved(one.words) for one in drawn} == {split == "held_out"}


def test_without_combinations_nothing_is_reserved():
  rng = np.random.default_rng(0)
  phrase = _phrase(combines=False)
  drawn = {reserved(phrase.request(rng, "train").words) for _ in range(50)}
  assert drawn == {True, False}


def test_an_eighth_is_reserved():
  kept = sum(reserved(("say", str(number))) for number in range(4000))
  # Three standard deviations of a fair draw.
  assert abs(kept - 500) < 63


def test_a_fixed_phrase_always_has_the_same_words():
  rng = np.random.default_rng(0)
  phrase = fixed("stop")
  drawn = {phrase.request(rng, split) for split in ("train", "held_out")}
  assert drawn == {Request(("stop",))}
