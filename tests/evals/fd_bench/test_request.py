import numpy as np

from interaction_jax.evals.cued import wording
from interaction_jax.evals.fd_bench import floor, request


def test_requests_are_in_the_small_world():
  seen = set()
  for seed in range(40):
    made = request.request(np.random.default_rng(seed))
    assert wording.small(made.text) and wording.small(made.answer)
    # A shorter answer would be none to the scorers.
    assert len(made.answer.split()) > floor.BRIEF_WORDS
    seen.add(made.text.split()[0])
  assert seen == {"set", "show", "count"}
  assert made.text == " ".join(made.parts)


def test_long_answers_can_be_interrupted():
  for seed in range(20):
    made = request.long(np.random.default_rng(seed))
    assert len(made.answer.split()) >= 9


def test_sentences_have_words_of_their_own():
  rng = np.random.default_rng(0)
  numbers = set(request.long(rng).answer.split())
  for _ in range(20):
    assert set(request.sentence(rng).answer.split()) - numbers


def test_a_story_has_places_for_nods():
  told = request.tell(np.random.default_rng(0), 6)
  assert list(told.nods) == [1, 3, 5]
  assert all(piece.endswith(" and") for piece in told.pieces)
  # A nod is brief.
  assert all(len(nod.split()) == 1 for nod in told.nods.values())
