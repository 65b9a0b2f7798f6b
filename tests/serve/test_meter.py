import pytest

from interaction_jax.serve.meter import Meter


def test_latency_and_deadlines():
  meter = Meter(200.0)
  assert meter.latency().num == 0 and meter.latency().p99 == 0
  for latency in range(1, 101):
    meter.turn(latency * 2.5)
  found = meter.latency()
  assert (found.num, found.missed, found.recently_missed) == (100, 0.2, 0.2)
  assert found.p50 == pytest.approx(126.25)
  assert found.p50 < found.p95 < found.p99 < 250


def test_what_was_long_ago_is_not_recent():
  meter = Meter(200.0)
  for number in range(25_000):
    meter.turn(500.0 if number < 1000 else 50.0)
  found = meter.latency()
  assert (found.recently_missed, found.missed) == (0, 0.04)
  # The first thousand are no longer among those that are kept.
  assert found.p99 == 50.0 and found.num == 25_000


def test_a_report_has_everything():
  meter = Meter(200.0)
  meter.count("opened")
  meter.count("opened", 2)
  meter.tick(0.25, 3)
  meter.turn(10.0)
  report = meter.report()
  assert (report["opened"], report["ticks"], report["tick_s"]) == (3, 1, 0.25)
  lines = meter.text().splitlines()
  assert "interaction_jax_latency_p50 10.0" in lines
  assert len(lines) == len(report)


def test_what_rounds_take_is_kept_by_how_many_had_a_turn():
  meter = Meter(200.0)
  for took in range(3000):
    meter.round(float(took), 2)
  meter.round(0.5, 1)
  costs = meter.costs()
  assert list(costs) == [1, 2] and costs[1] == [0.5]
  # The latest ones.
  assert costs[2] == [float(took) for took in range(1000, 3000)]
