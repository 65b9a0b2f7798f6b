import numpy as np
import pytest

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.scenarios import story


@pytest.mark.parametrize(
  ("words", "nod"),
  [
    ("i saw a red cat and", "okay"),
    ("then i ate soup and", "yes"),
    ("then i went home and", "right"),
    ("i bought a blue boat and", "nice"),
  ],
)
def test_the_nod_follows_from_what_was_told(words, nod):
  assert story.nod(tuple(words.split())) == nod


def test_a_piece_asks_for_more():
  rng = np.random.default_rng(0)
  for _ in range(40):
    assert story._draw(rng).words[-1] == "and" in world.EXPECTANT


def test_it_shows_in_pauses_that_it_listens(play, in_time):
  for seed in range(20):
    stage = play("story", seed)
    pieces = stage.utterances
    assert len(stage.spoken) == len(pieces) // 2 > 0
    for word, piece in zip(stage.spoken, pieces[1::2], strict=False):
      assert word.word == story.nod(piece.words)
      assert in_time(word, piece.end) and word.last - word.turn <= 3
    for word, after in zip(stage.spoken, pieces[2::2], strict=False):
      assert word.last * 3200 <= after.at
    # Often enough: twice in 15 s, and never for long.
    assert stage.end / 16_000 < 8.5 * (len(stage.spoken) + 1)
