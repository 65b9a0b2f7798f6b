import numpy as np
import pytest

from interaction_jax.evals.cued import wording


@pytest.fixture
def rng():
  return np.random.default_rng(3)


@pytest.mark.parametrize("rich", [False, True])
def test_what_is_drawn_is_different(rng, rich):
  targets = wording.targets(rng, 5, rich=rich)
  assert len({one.say for one in targets}) == 5
  for one in targets:
    # An oracle says what will do.
    assert any(set(x.split()) <= set(one.say.split()) for x in one.accept)
  assert len(set(wording.talk(rng, 6, rich=rich))) == 6


def test_small_words_are_those_of_the_shipped_models(rng):
  for _ in range(20):
    for text in (
      *wording.talk(rng, 2, rich=False),
      *wording.sights(rng, ["cat", "dog"], rich=False),
      *(one.say for one in wording.targets(rng, 2, rich=False)),
    ):
      assert wording.small(text), text
  assert not wording.small("say cat whenever i mention a dog")


def test_things_occur_in_order_with_words_behind_them(rng):
  for rich in (False, True):
    made = wording.sights(rng, ["cat", "dog", "cow"], rich=rich)
    for text, thing in zip(made, ["cat", "dog", "cow"], strict=True):
      words = text.split()
      assert words[words.index(thing) - 1] == "a"
      assert len(words) - words.index(thing) > 2


@pytest.mark.parametrize(
  ("value", "forms"),
  [
    (1, ("one", "1", "won")),
    (3, ("three", "3")),
    (4, ("four", "4", "for")),
    (23, ("twenty three", "23")),
  ],
)
def test_numbers_as_anybody_may_write_them(value, forms):
  assert wording.forms(value) == forms
