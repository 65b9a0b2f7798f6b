"""How long two voices overlap, and how long one waits for the other.

    user     ~~~~~~~~~            ~~~~~~
    system             ~~~~~~~~~~~~~~         ~~~~~~
                    |..|          |..|  |.....|
                   response       stop  response

As published, all overlaps and all gaps of a recording count; what is corrected
looks at one overlap alone.

Reference: Lin et al. 2025, Full-Duplex-Bench v1.5, arXiv:2507.23159.
"""

from collections.abc import Sequence
from typing import Final

from interaction_jax.evals.fd_bench import floor
from interaction_jax.evals.harness import detector
from interaction_jax.evals.onsets import Span

_USER_GAP_S: Final = 0.6
_SYSTEM_GAP_S: Final = 0.5


def stops(user: Sequence[Span], system: Sequence[Span]) -> list[float]:
  """Seconds of every overlap; of those with one end the shortest."""
  user, system = _merged(user, system)
  found: dict[float, float] = {}
  for one in user:
    for other in system:
      start, end = max(one[0], other[0]), min(one[1], other[1])
      if start < end:
        found[end] = min(end - start, found.get(end, end - start))
  return [found[end] for end in sorted(found)]


def responses(user: Sequence[Span], system: Sequence[Span]) -> list[float]:
  """Seconds from each end of the user to when the system begins next.

  Of ends with one beginning behind them the latest counts.
  """
  user, system = _merged(user, system)
  found: dict[float, float] = {}
  for _, end in user:
    begins = [start for start, _ in system if start >= end]
    if begins:
      found[begins[0]] = max(end, found.get(begins[0], end))
  return [begin - found[begin] for begin in sorted(found)]


def speaking(system: Sequence[Span], at: float) -> Span | None:
  """The stretch in which the system speaks at a time, short gaps included."""
  _, system = _merged((), system)
  return next((one for one in system if one[0] <= at < one[1]), None)


def stop(system: Sequence[Span], start: float) -> float | None:
  """Seconds until it stops from when it is spoken into; None: it is silent."""
  span = speaking(system, start)
  return None if span is None else span[1] - start


def response(system: Sequence[Span], end: float) -> float | None:
  """Seconds until it begins again once the other one has ended; None: never.

  It may begin a little earlier, which is at once.
  """
  _, system = _merged((), system)
  begins = [start for start, _ in system if start >= end - floor.EARLY_S]
  return floor.lateness(begins[0] if begins else None, end)


def _merged(
  user: Sequence[Span], system: Sequence[Span]
) -> tuple[list[Span], list[Span]]:
  return (
    detector.merge(user, gap=_USER_GAP_S),
    detector.merge(system, gap=_SYSTEM_GAP_S),
  )
