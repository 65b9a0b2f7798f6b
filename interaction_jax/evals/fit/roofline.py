"""Time, estimated from what a program does and what a chip can do.

Two estimates of the same work, since nothing has been run:

    overlapped   the longest of: operations at the peak rate, bytes at the rate
                 of the memory, bytes over the links. All else is hidden by it.
    serial       one instruction after the other, each as long as the compiler
                 expects; where it expects nothing, the longer of its operations
                 and its bytes. No collective is hidden by anything.

Both take kernels and links at their best, launches and hosts at nothing, and
rounds of an exchange (`ops/exchange.py`) to be one.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

from interaction_jax.evals.fit.chip import Chip
from interaction_jax.evals.fit.hlo import Work
from interaction_jax.evals.fit.topology import Topology


@dataclasses.dataclass(frozen=True)
class Sum:
  """Work added up; any of these may be added, subtracted and multiplied.

  Attributes:
    count: instructions.
    flops: of products.
    moved: bytes through the memory.
    sent: bytes over links, by each device.
    links_s: time of what is sent.
    alone_s: time of all else, one after the other.
  """

  count: float = 0.0
  flops: float = 0.0
  moved: float = 0.0
  sent: float = 0.0
  links_s: float = 0.0
  alone_s: float = 0.0

  def plus(self, other: "Sum", times: float = 1.0) -> "Sum":
    """Adds so many times the other."""
    mine, theirs = vars(self), vars(other)
    return Sum(**{name: mine[name] + times * theirs[name] for name in mine})

  def times(self, chip: Chip) -> "Times":
    """How long it takes."""
    return Times(
      compute=self.flops / chip.flops_per_s,
      memory=self.moved / chip.bytes_per_s,
      links=self.links_s,
      serial=self.alone_s + self.links_s,
    )


@dataclasses.dataclass(frozen=True)
class Times:
  """Seconds, estimated.

  Attributes:
    compute, memory, links: each by itself.
    serial: all instructions one after the other.
  """

  compute: float
  memory: float
  links: float
  serial: float

  @property
  def overlapped(self) -> float:
    """As long as the longest."""
    return max(self.compute, self.memory, self.links)

  @property
  def bound(self) -> str:
    """Which one that is."""
    each = {
      "compute": self.compute,
      "memory": self.memory,
      "links": self.links,
    }
    return max(each, key=lambda name: each[name])

  def in_ms(self) -> dict[str, Any]:
    """All of them in ms, rounded, for a report."""
    each = {
      "overlapped": self.overlapped,
      "serial": self.serial,
      "compute": self.compute,
      "memory": self.memory,
      "links": self.links,
    }
    return {name: round(1000 * s, 2) for name, s in each.items()} | {
      "bound": self.bound
    }


def add_up(works: Iterable[Work], topology: Topology) -> Sum:
  """The sum of some work."""
  total = Sum()
  for work in works:
    links = seconds_on_links(work, topology)
    total = total.plus(
      Sum(
        count=1.0,
        flops=work.flops,
        moved=float(work.moved),
        sent=work.sent,
        links_s=links,
        alone_s=0.0 if work.sent else seconds_alone(work, topology.chip),
      ),
      float(work.times),
    )
  return total


def seconds_alone(work: Work, chip: Chip) -> float:
  """How long an instruction takes that nothing runs beside."""
  if work.cycles is not None and chip.clock_hz:
    return work.cycles / chip.clock_hz
  return max(work.flops / chip.flops_per_s, work.moved / chip.bytes_per_s)


def seconds_on_links(work: Work, topology: Topology) -> float:
  """How long a collective takes.

  Rings use both directions of one axis of the torus: sent / 2 links. What goes
  from everybody to everybody uses all axes that the group spans and passes a
  quarter of each of them on its way: sent * hops / links. Of the network
  between slices (`send`) no rate is assumed.
  """
  chip = topology.chip
  if not work.sent or not chip.link_bytes_per_s or work.op == "send":
    return 0.0
  if work.op not in ("all-to-all", "ragged-all-to-all"):
    return work.sent / (2 * chip.link_bytes_per_s)
  sides = spanned(work.group, topology)
  hops = sum(side / 4 for side in sides)
  links = 2 * len(sides)
  return work.sent * max(hops, 1.0) / (links * chip.link_bytes_per_s)


def spanned(group: int, topology: Topology) -> tuple[float, ...]:
  """Sides of the part of the torus that a group of devices fills.

  Devices of one chip have one set of links. Long sides are taken first, so
  that the group is as far apart as it can be.
  """
  left = max(group / topology.chip.devices_per_chip, 1.0)
  sides: list[float] = []
  for side in sorted(topology.shape, reverse=True):
    if left <= 1:
      break
    sides.append(min(float(side), left))
    left /= side
  # More than a slice holds goes over the network, of which nothing is known.
  return tuple(side for side in sides if side > 1) or (1.0,)
