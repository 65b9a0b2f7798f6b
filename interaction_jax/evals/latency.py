"""How long answers take, when some never come.

A mean over the answers that came rewards a system for staying silent where it
would have been slow. So the ones that never came count: they took longer than
any other.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


def summary(values: Sequence[float | None]) -> dict[str, Any]:
  """Numbers of seconds; None is an answer that never came.

  Returns:
    `n` answers wanted and `misses` among them; `mean` and `median` of those
    that came, as papers report them; `median_with_misses` and
    `p90_with_misses` of all, None where they fall among those that never came.
  """
  came = sorted(value for value in values if value is not None)
  return {
    "n": len(values),
    "misses": len(values) - len(came),
    "mean": float(np.mean(came)) if came else None,
    "median": float(np.median(came)) if came else None,
    "median_with_misses": quantile(values, 0.5),
    "p90_with_misses": quantile(values, 0.9),
  }


def quantile(values: Sequence[float | None], share: float) -> float | None:
  """The least value that so large a share of all does not exceed.

  None: there is none, or it is an answer that never came.
  """
  if not values:
    return None
  ordered = sorted(value for value in values if value is not None)
  # The slack keeps 0.9 * 10 at 9.
  place = max(int(np.ceil(share * len(values) - 1e-9)) - 1, 0)
  return ordered[place] if place < len(ordered) else None
