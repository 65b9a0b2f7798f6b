"""The numbers of a row, from what was said of its exchanges."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from interaction_jax.evals import bootstrap
from interaction_jax.evals.behaviours.exchange import Judgement
from interaction_jax.evals.behaviours.row import Row
from interaction_jax.evals.bootstrap import Item

Judged = tuple[int, Judgement]
"""The number of a conversation, and what was said of an exchange in it."""


def numbers(
  judged: Sequence[Judged], *, minutes: float, seed: int
) -> dict[str, Any]:
  """What a report says of somebody.

  Args:
    minutes: of conversation, for the rate of false alarms.

  Returns:
    `score` and its interval `ci`, `n` items, false alarms, timing, and all
    `details`; what nobody did has the value None.
  """
  said = [judgement for _, judgement in judged]
  items = [
    Item(one.hit, cluster, one.kind)
    for cluster, one in judged
    if one.hit is not None
  ]
  estimate = bootstrap.estimate(items, seed=seed)
  alarms = sum(one.false_alarms for one in said)
  timing = np.array([time for one in said for time in one.timing])
  return {
    "score": estimate.mean,
    "ci": [estimate.low, estimate.high],
    "n": estimate.n,
    "false_alarms": alarms,
    "false_alarms_per_minute": alarms / minutes if minutes else None,
    "timing_error_s": {
      "median": float(np.median(timing)) if len(timing) else None,
      "mean_abs": float(np.abs(timing).mean()) if len(timing) else None,
      "n": len(timing),
    },
    **_kinds(items),
    **_details(said),
  }


def _kinds(items: Sequence[Item]) -> dict[str, Any]:
  """The share of each kind, where there are several."""
  kinds = sorted({item.kind for item in items})
  if len(kinds) < 2:
    return {}
  values = {
    kind: [item.value for item in items if item.kind == kind] for kind in kinds
  }
  return {"kinds": {kind: float(np.mean(x)) for kind, x in values.items()}}


def _details(said: Sequence[Judgement]) -> dict[str, float]:
  """Medians of seconds, means of all else."""
  values: dict[str, list[float]] = {}
  for one in said:
    for name, value in one.details.items():
      values.setdefault(name, []).append(value)
  return {
    name: float(np.median(x) if name.endswith("_s") else np.mean(x))
    for name, x in values.items()
  }


def passed(row: Row, found: dict[str, Any]) -> bool:
  """Whether a row's score and all its limits hold."""
  score = found["score"]
  return (
    score is not None
    and score >= row.threshold
    and all(limit.holds(found) for limit in row.limits)
  )
