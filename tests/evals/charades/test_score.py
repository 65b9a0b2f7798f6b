import pytest

from interaction_jax.evals.charades import score
from interaction_jax.evals.harness.output import Word


def said(*pairs):
  return [Word(text, float(at), at + 0.2) for at, text in pairs]


@pytest.mark.parametrize(
  ("made", "wanted", "iou"),
  [
    ([(2, 6)], [(2, 6)], 1.0),
    ([(2, 6)], [(4, 8)], 2 / 6),  # common 4 to 6, together 2 to 8
    ([(2, 6)], [(6, 8)], 0.0),
    ([(0, 10)], [(4, 6)], 2 / 10),
    ([], [(4, 6)], 0.0),
    ([(5, 5)], [(4, 6)], 0.0),
    # Twice: common 1 + 2, lengths 4 + 5, together 9 - 3.
    ([(0, 2), (6, 8)], [(1, 3), (5, 8)], 3 / 6),
    # What touches is one: 0 to 4 against 1 to 3.
    ([(0, 2), (2, 4), (1, 3)], [(1, 3)], 2 / 4),
  ],
)
def test_intersection_over_union(made, wanted, iou):
  made, wanted = ([(float(a), float(b)) for a, b in x] for x in (made, wanted))
  assert score.overlap(made, wanted) == pytest.approx(iou)
  assert score.overlap(wanted, made) == pytest.approx(iou)


@pytest.mark.parametrize(
  ("words", "all_of_it", "one"),
  [
    (said((1, "Start."), (4, "Stop.")), [(1, 4)], [(1, 4)]),
    (said((4, "stop"), (5, "start")), [], []),
    (said((1, "start"), (2, "start"), (4, "stop")), [(1, 4)], [(1, 4)]),
    (
      said((1, "start"), (2, "stop"), (3, "start"), (5, "stop")),
      [(1, 2), (3, 5)],
      [(1, 2)],
    ),
    (said((1, "started"), (2, "well"), (3, "stops")), [(1, 3)], [(1, 3)]),
    ([], [], []),
  ],
)
def test_what_was_said_encloses_stretches(words, all_of_it, one):
  assert score.spoken(words) == all_of_it
  assert score.first(words) == one


def test_what_nobody_stopped_may_last_until_the_end():
  words = said((1, "start"))
  assert score.spoken(words) == []
  assert score.spoken(words, until=9.0) == [(1, 9.0)]
  assert score.spoken(words, until=0.5) == []
