"""How sure a number is: intervals from drawing the items again.

Items of one conversation depend on each other, so whole conversations are
drawn, with replacement, and the number is computed anew each time.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import numpy as np
from jaxtyping import Float

_LEVEL: Final = 0.95

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Item:
  """One judged thing.

  Attributes:
    value: usually 0 or 1.
    cluster: what it depends on: the number of its conversation.
    kind: where kinds count alike, however many there are of each.
  """

  value: float
  cluster: int
  kind: str = ""


@dataclasses.dataclass(frozen=True)
class Estimate:
  """A mean with its interval of 95 %; all None where there is no item."""

  mean: float | None
  low: float | None
  high: float | None
  n: int


def estimate(
  items: Sequence[Item], *, seed: int = 0, draws: int = 2000
) -> Estimate:
  """The mean of items, over kinds alike, with its interval.

  Where all values agree the interval of the bootstrap has no width, however
  few they are. Then it is that of Wilson (1927) for as many clusters, which
  says what is known: of ten hits in ten, 72 % to 100 %.

  Reference: Efron 1979, the percentile bootstrap, over clusters.
  """
  if not items:
    return Estimate(None, None, None, 0)
  sums, counts = _by_cluster(items)
  mean = float(_means(sums.sum(0), counts.sum(0)))
  values = {item.value for item in items}
  if len(values) == 1 and values <= {0.0, 1.0}:
    low, high = wilson(mean, len(sums))
    return Estimate(mean, low, high, len(items))
  rng = np.random.default_rng((seed, len(items)))
  chosen = rng.integers(0, len(sums), (draws, len(sums)))
  drawn = _means(sums[chosen].sum(1), counts[chosen].sum(1))
  tail = 100 * (1 - _LEVEL) / 2
  low, high = np.nanpercentile(drawn, [tail, 100 - tail])
  return Estimate(mean, float(low), float(high), len(items))


def resampled(
  clusters: Mapping[str, Sequence[T]],
  statistic: Callable[[Sequence[T]], float | None],
  *,
  seed: int = 0,
  draws: int = 500,
) -> Estimate:
  """Any number of items, with its interval, clusters drawn with replacement.

  Draws that have no such number are left out.
  """
  groups = [clusters[name] for name in sorted(clusters)]
  every = [one for group in groups for one in group]
  value = statistic(every) if every else None
  if value is None:
    return Estimate(None, None, None, len(every))
  rng = np.random.default_rng((seed, len(every)))
  drawn = []
  for chosen in rng.integers(0, len(groups), (draws, len(groups))):
    one = statistic([item for place in chosen for item in groups[place]])
    if one is not None:
      drawn.append(one)
  tail = 100 * (1 - _LEVEL) / 2
  low, high = np.percentile(drawn or [value], [tail, 100 - tail])
  return Estimate(float(value), float(low), float(high), len(every))


@dataclasses.dataclass(frozen=True)
class Difference:
  """By how much one system exceeds another, on the same items.

  Attributes:
    mean: ours less theirs.
    low, high: its interval of 95 %.
    p: how often signs drawn at random give a difference as large.
    n: items that both have.
  """

  mean: float
  low: float
  high: float
  p: float
  n: int

  @property
  def real(self) -> bool:
    """Whether it is a difference: unlikely by chance, zero outside."""
    return self.p < 1 - _LEVEL and not self.low <= 0 <= self.high

  def says(self) -> str:
    """The same in words."""
    if self.n < 6:
      # With five pairs no p below 0.0625 exists.
      return f"{self.n} common items are too few to tell any difference"
    if self.real:
      return f"a difference of {self.mean:+.3f} (p = {self.p:.3f})"
    return (
      f"not a difference: {self.mean:+.3f} lies within what {self.n} items "
      f"vary by (p = {self.p:.2f})"
    )


def paired(
  ours: Mapping[str, float],
  theirs: Mapping[str, float],
  *,
  seed: int = 0,
  draws: int = 5000,
) -> Difference | None:
  """The difference of two systems item by item; None: they share no item.

  The interval is that of the bootstrap over items, p that of the sign test of
  Fisher's randomisation, two-sided; of up to 12 items, over all signs.

  Reference: Fisher 1935, The Design of Experiments, section 21.
  """
  shared = sorted(ours.keys() & theirs.keys())
  if not shared:
    return None
  gaps = np.array([ours[name] - theirs[name] for name in shared])
  num = len(gaps)
  rng = np.random.default_rng((seed, num))
  means = gaps[rng.integers(0, num, (draws, num))].mean(axis=1)
  tail = 100 * (1 - _LEVEL) / 2
  low, high = np.percentile(means, [tail, 100 - tail])
  if num <= 12:
    signs = 1 - 2 * ((np.arange(2**num)[:, None] >> np.arange(num)) & 1)
    extra = 0
  else:
    signs = rng.choice([-1, 1], (draws, num))
    # The signs that came are one of those that could have.
    extra = 1
  # Slack for sums in another order.
  large = np.abs((signs * gaps).mean(axis=1)) >= abs(gaps.mean()) - 1e-12
  p = (int(large.sum()) + extra) / (len(signs) + extra)
  return Difference(float(gaps.mean()), float(low), float(high), p, num)


def wilson(share: float, n: int) -> tuple[float, float]:
  """The interval of 95 % around a share of n trials.

  Reference: Wilson 1927, doi:10.1080/01621459.1927.10502953.
  """
  z2 = 1.959964**2
  middle = (share + z2 / (2 * n)) / (1 + z2 / n)
  half = np.sqrt(z2 * (share * (1 - share) + z2 / (4 * n)) / n) / (1 + z2 / n)
  # Rounding must not leave the ends outside.
  return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _by_cluster(
  items: Sequence[Item],
) -> tuple[Float[np.ndarray, "I _"], Float[np.ndarray, "I _"]]:
  """Sums and counts of values, by cluster and kind."""
  clusters = {c: i for i, c in enumerate(sorted({x.cluster for x in items}))}
  kinds = {k: i for i, k in enumerate(sorted({x.kind for x in items}))}
  sums = np.zeros((len(clusters), len(kinds)))
  counts = np.zeros_like(sums)
  for item in items:
    place = clusters[item.cluster], kinds[item.kind]
    sums[place] += item.value
    counts[place] += 1
  return sums, counts


def _means(
  sums: Float[np.ndarray, "*J _"], counts: Float[np.ndarray, "*J _"]
) -> Float[np.ndarray, "*J"]:
  """The mean over kinds of their means; kinds that were not drawn are out."""
  there = counts > 0
  means = np.where(there, sums / np.maximum(counts, 1), 0)
  return np.asarray(means.sum(-1) / np.maximum(there.sum(-1), 1))
