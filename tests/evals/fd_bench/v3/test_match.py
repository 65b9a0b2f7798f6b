"""Calls by hand: a(1) is a call of the tool "a" with the argument 1."""

import pytest

from interaction_jax.evals.fd_bench.v3 import match
from interaction_jax.evals.fd_bench.v3.call import Call


def listed(*pairs):
  return [Call(name, {"x": value}) for name, value in pairs]


A1, A2, B1, C1 = ("a", 1), ("a", 2), ("b", 1), ("c", 1)


@pytest.mark.parametrize(
  ("expected", "made", "f1"),
  [
    ([A1], [A1], 1.0),
    # By name alone.
    ([A1], [A2], 1.0),
    ([A1], [], 0.0),
    ([A1], [B1], 0.0),
    # One of two expected, nothing else: 2 * 1 / (2 + 1).
    ([A1, B1], [A1], 2 / 3),
    # Two hits and one too many: 2 * 2 / (2 + 3).
    ([A1, B1], [A1, B1, C1], 0.8),
    # The same tool twice, where it is expected once: 2 * 1 / (1 + 2).
    ([A1], [A1, A2], 2 / 3),
    # Three expected, two made, one hit: 2 * 1 / (3 + 2).
    ([A1, A2, B1], [A1, C1], 0.4),
    ([], [], 1.0),
  ],
)
def test_tools_that_are_chosen(expected, made, f1):
  assert match.f1(listed(*expected), listed(*made)) == pytest.approx(f1)


@pytest.mark.parametrize(
  ("expected", "made", "found"),
  [
    ([A1], [A1], [A1]),
    ([A1], [], [None]),
    # The better one of two, whatever their order.
    ([A1], [A2, A1], [A1]),
    ([A1, A2], [A2, A1], [A1, A2]),
    # One that is left, though it is wrong.
    ([A1, B1], [A2, C1], [A2, None]),
    # Each is used once.
    ([A1, A1], [A1], [A1, None]),
  ],
)
def test_pairs(expected, made, found):
  pairs = match.pairs(listed(*expected), listed(*made), [])
  wanted = [None if one is None else listed(one)[0] for one in found]
  assert [pair.made for pair in pairs] == wanted


def test_results_stand_in_for_references():
  expected = [Call("a", {}), Call("b", {"id": "$RESULT_0.id"})]
  made = [Call("b", {"id": 3}), Call("b", {"id": 7})]
  _, second = match.pairs(expected, made, [{"id": 7}, {}])
  assert second.wanted == {"id": 7} and second.made == made[1]


@pytest.mark.parametrize(
  ("expected", "made", "kept"),
  [
    ([A1], [A1], [A1]),
    # Made again, the first one is taken back.
    ([A1], [A2, A1], [A1]),
    ([A1], [A1, A2], [A2]),
    ([A1, B1], [A2, B1, A1], [B1, A1]),
    ([A1, A2], [B1, A1, A2, A1], [B1, A2, A1]),
    # What nobody expects stays.
    ([A1], [C1, A1, C1], [C1, A1, C1]),
    ([A1], [], []),
  ],
)
def test_the_last_ones_count(expected, made, kept):
  assert match.last(listed(*expected), listed(*made)) == listed(*kept)
