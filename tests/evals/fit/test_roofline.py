import math

import pytest

from interaction_jax.evals.fit import roofline, topology
from interaction_jax.evals.fit.chip import Chip
from interaction_jax.evals.fit.hlo import Work
from interaction_jax.evals.fit.roofline import Sum
from interaction_jax.evals.fit.topology import Topology

# 100 operations, 10 bytes and 1000 cycles a second, 2 bytes a link.
CHIP = Chip(
  "toy", "tpu", 1000, 100.0, 10.0, clock_hz=1000.0, link_bytes_per_s=2.0,
  num_axes=2,
)  # fmt: skip
WHERE = Topology(CHIP, (4, 8))


def test_an_instruction_takes_its_cycles_where_the_compiler_has_some():
  work = Work("fusion", "", flops=1e6, moved=10**6, cycles=500)
  assert roofline.seconds_alone(work, CHIP) == 0.5


def test_else_it_takes_the_longer_of_its_operations_and_its_bytes():
  # 300 / 100 = 3 s against 20 / 10 = 2 s.
  assert roofline.seconds_alone(Work("k", "", flops=300.0, moved=20), CHIP) == 3
  assert roofline.seconds_alone(Work("k", "", flops=300.0, moved=70), CHIP) == 7


def test_a_ring_uses_both_directions_of_one_axis():
  # 12 bytes over 2 x 2 bytes a second.
  work = Work("all-gather", "", sent=12.0, group=32)
  assert roofline.seconds_on_links(work, WHERE) == 3.0


def test_all_to_all_passes_a_quarter_of_every_axis_on_all_links():
  # Sides 8 and 4: (2 + 1) hops, four links of 2 bytes: 16 * 3 / 8.
  work = Work("all-to-all", "", sent=16.0, group=32)
  assert roofline.seconds_on_links(work, WHERE) == 6.0
  # Eight devices lie on one axis: 2 hops, two links: 16 * 2 / 4.
  near = Work("all-to-all", "", sent=16.0, group=8)
  assert roofline.seconds_on_links(near, WHERE) == 8.0
  # Two are neighbours; less than one hop is one: 16 * 1 / 4.
  near = Work("all-to-all", "", sent=16.0, group=2)
  assert roofline.seconds_on_links(near, WHERE) == 4.0


def test_nothing_is_known_of_the_network_between_slices():
  assert roofline.seconds_on_links(Work("send", "", sent=9.0), WHERE) == 0.0


@pytest.mark.parametrize(
  ("group", "sides"),
  [(1, (1.0,)), (8, (8.0,)), (16, (8.0, 2.0)), (32, (8.0, 4.0))],
)
def test_a_group_fills_long_sides_first(group, sides):
  assert roofline.spanned(group, WHERE) == sides


def test_two_devices_of_a_chip_span_one_chip():
  where = topology.parse("tpu7x:2x2x2")
  assert roofline.spanned(2, where) == (1.0,)
  assert math.prod(roofline.spanned(16, where)) == 8


def test_work_is_added_up_as_often_as_it_runs():
  works = [
    Work("fusion", "", flops=50.0, moved=20, cycles=1000, times=3),
    Work("all-gather", "", moved=6, sent=12.0, group=32, times=2),
  ]
  total = roofline.add_up(works, WHERE)
  assert total == Sum(
    count=5.0, flops=150.0, moved=72.0, sent=24.0, links_s=6.0, alone_s=3.0
  )
  times = total.times(CHIP)
  # 150 / 100, 72 / 10, 6 on links; one after the other 3 + 6.
  assert (times.compute, times.memory, times.links) == (1.5, 7.2, 6.0)
  assert (times.serial, times.overlapped, times.bound) == (9.0, 7.2, "memory")
  assert times.in_ms()["overlapped"] == 7200.0


def test_sums_can_be_taken_apart_again():
  one = Sum(count=1.0, moved=4.0, alone_s=2.0)
  two = Sum(count=3.0, moved=10.0, alone_s=3.0)
  more = two.plus(one, -1.0)
  assert more == Sum(count=2.0, moved=6.0, alone_s=1.0)
  assert one.plus(more, 5.0) == Sum(count=11.0, moved=34.0, alone_s=7.0)
