"""Which calls were made of those that were expected, and how well.

    expected   search(a)   book(b)
    made       search(x)   search(a)   book(b)
    matched        .       search      book        one too many

Reference: Lin et al. 2026, Full-Duplex-Bench-v3, arXiv:2604.04847.
"""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from interaction_jax.evals.fd_bench.v3 import call as calls
from interaction_jax.evals.fd_bench.v3.call import Call


@dataclasses.dataclass(frozen=True)
class Pair:
  """An expected call, its references resolved, and what was made of it.

  Attributes:
    made: None: it was not made.
  """

  name: str
  wanted: Mapping[str, Any]
  made: Call | None


def pairs(
  expected: Sequence[Call],
  made: Sequence[Call],
  results: Sequence[Mapping[str, Any]],
) -> list[Pair]:
  """For each expected call the best of the same name that is left.

  Args:
    results: what each expected call brings.
  """
  left, found = list(made), []
  for one in expected:
    wanted = calls.resolved(one, results)
    same = [other for other in left if other.name == one.name]
    same.sort(key=lambda other: -_worth(wanted, other))
    found.append(Pair(one.name, wanted, same[0] if same else None))
    if same:
      left.remove(same[0])
  return found


def _worth(wanted: Mapping[str, Any], made: Call) -> float:
  """How many of the arguments are there; an exact call is worth most."""
  there = sum(
    name in made.arguments
    and calls.alike({name: value}, {name: made.arguments[name]})
    for name, value in wanted.items()
  )
  return there + 0.5 * calls.same(wanted, made.arguments)


def last(expected: Sequence[Call], made: Sequence[Call]) -> list[Call]:
  """Of calls of one tool only as many as are expected, the last ones.

  Whoever calls early and again after a correction has taken the first one
  back. Tools that are not expected at all are kept.
  """
  room = collections.Counter(one.name for one in expected)
  kept = []
  for one in reversed(made):
    if one.name not in room:
      kept.append(one)
    elif room[one.name]:
      room[one.name] -= 1
      kept.append(one)
  return kept[::-1]


def f1(expected: Sequence[Call], made: Sequence[Call]) -> float:
  """How well tools were chosen: 2 hits / (expected + made), by name alone."""
  wanted = collections.Counter(one.name for one in expected)
  chosen = collections.Counter(one.name for one in made)
  total = wanted.total() + chosen.total()
  return 2 * (wanted & chosen).total() / total if total else 1.0
