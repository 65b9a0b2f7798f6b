"""The numbers of a report, from the scores of a system and of the baselines."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from interaction_jax.evals import bootstrap, latency
from interaction_jax.evals.bootstrap import Estimate, Item
from interaction_jax.evals.harness import baseline
from interaction_jax.evals.harness.suite import Row, Score

_SLACK: Final = 1e-9


def numbers(row: Row, scores: Sequence[Score], *, seed: int) -> dict[str, Any]:
  """The score of a row with its interval, and how many items it is made of.

  `n` items have a value; `misses` have none.
  """
  mine = [one for one in scores if one.row == row.name]
  there = [one for one in mine if one.value is not None]
  found = _estimate(row, there, seed)
  numbers: dict[str, Any] = {
    "score": found.mean,
    "ci": [found.low, found.high],
    "n": len(there),
    "misses": len(mine) - len(there),
  }
  if row.unit == "s":
    numbers["latency"] = latency.summary([one.value for one in mine])
  kinds = sorted({one.kind for one in there})
  if len(kinds) > 1:
    numbers["kinds"] = {
      kind: _estimate(row, [x for x in there if x.kind == kind], seed).mean
      for kind in kinds
    }
  return numbers


def _estimate(row: Row, there: Sequence[Score], seed: int) -> Estimate:
  if row.statistic is not None:
    groups: dict[str, list[Score]] = {}
    for one in there:
      groups.setdefault(one.item, []).append(one)
    return bootstrap.resampled(groups, row.statistic, seed=seed)
  clusters = {name: n for n, name in enumerate(sorted({x.item for x in there}))}
  items = [
    Item(one.value, clusters[one.item], one.kind)
    for one in there
    if one.value is not None
  ]
  return bootstrap.estimate(items, seed=seed)


def ranking(row: Row, scores: Mapping[str, float | None]) -> list[str]:
  """The baselines of a row, the best first; equal ones in their usual order.

  Those without a score are last.
  """
  sign = -1 if row.better == "less" else 1

  def worth(name: str) -> float:
    value = scores[name]
    return float("-inf") if value is None else sign * value

  names = [name for name in baseline.NAMES if name in scores]
  return sorted(names, key=lambda name: -worth(name))


def holds(row: Row, scores: Mapping[str, float | None]) -> bool | None:
  """Whether the oracle is as good as the best baseline; None: not ranked."""
  if not row.ranked or row.better is None:
    return None
  best = ranking(row, scores)[0]
  top, oracle = scores[best], scores["oracle"]
  if top is None:
    return None
  return oracle is not None and abs(oracle - top) <= _SLACK


def against(
  rows: Sequence[Row],
  ours: Sequence[Score],
  theirs: Sequence[Score],
  *,
  seed: int,
) -> dict[str, Any]:
  """Both systems item by item, and whether a difference is one."""
  found: dict[str, Any] = {}
  for row in rows:
    gap = bootstrap.paired(_values(row, ours), _values(row, theirs), seed=seed)
    if gap is not None:
      found[row.name] = {
        "difference": gap.mean,
        "ci": [gap.low, gap.high],
        "p": gap.p,
        "n": gap.n,
        "real": gap.real,
        "says": gap.says(),
      }
  return found


def _values(row: Row, scores: Sequence[Score]) -> dict[str, float]:
  """A value an item: the mean of those it has, of several seeds for one."""
  values: dict[str, list[float]] = {}
  for one in scores:
    if one.row == row.name and one.value is not None:
      values.setdefault(one.item, []).append(one.value)
  return {name: sum(x) / len(x) for name, x in values.items()}


def table(report: Mapping[str, Any]) -> str:
  """The rows of a report in columns: shares in per cent, seconds as such."""
  names = baseline.NAMES
  lines = [
    f"{'':<28}{'score':>7}  {'95 %':<15}{'n':>5}{'miss':>5}"
    + "".join(f"{name:>9}" for name in names)
  ]
  for name, row in report["rows"].items():
    low, high = (_shown(value, row["unit"]) for value in row["ci"])
    arrow = {"more": "+", "less": "-", None: " "}[row["better"]]
    lines.append(
      f"{name + ' ' + arrow:<28}{_shown(row['score'], row['unit']):>7}  "
      f"{low + ' to ' + high:<15}{row['n']:>5}{row['misses']:>5}"
      + "".join(f"{_shown(row[who], row['unit']):>9}" for who in names)
    )
  for name, gap in report.get("against", {}).get("rows", {}).items():
    lines.append(f"{name}: {gap['says']}")
  judge = report.get("judge")
  if judge is not None and judge["kind"] == "rules":
    lines.append(f"judge: {judge['label']}.")
  if report["left_out"]:
    lines.append(
      f"{len(report['left_out'])} items are left out: their data is missing or "
      "damaged."
    )
  lines.append(f"{report['items']} items; {report['wall_s']:.0f} s.")
  return "\n".join(lines)


def _shown(value: float | None, unit: str) -> str:
  if value is None:
    return "none"
  return f"{100 * value:.1f}" if unit == "share" else f"{value:.2f}"
