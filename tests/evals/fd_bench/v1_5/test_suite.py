import pytest

from interaction_jax.evals.fd_bench.v1_5 import load
from interaction_jax.evals.fd_bench.v1_5.suite import SUITE


def test_baselines_rank_as_they_should(v1_5_folder, beside):
  found = beside(SUITE, v1_5_folder)
  assert found["average"]["oracle"] == found["average_corrected"]["oracle"] == 1
  # Whoever goes on and on does what is right in three of four.
  assert found["average"]["talking"] == pytest.approx(0.75)
  assert found["average"]["random"] < 1 and found["average"]["silent"] == 0
  # Who is silent is never spoken into.
  assert found["average_corrected"]["silent"] is None
  for task in load.SIZES:
    assert found[task]["oracle"] == 1 > found[task]["silent"]
  assert found["user_interruption"]["talking"] == 0
  assert found["unknown"]["silent"] == found["resume"]["talking"] == 1
  # 0.4 s after the user has ended.
  late = found["response_latency_corrected"]["oracle"]
  assert late == pytest.approx(0.4, abs=0.05)
  # Where nobody speaks nothing overlaps.
  assert set(found["stop_latency"]) == {"oracle", "random", "talking"}


def test_others_are_named():
  (average,) = [row for row in SUITE.rows if row.name == "average"]
  assert average.published["TML-Interaction-Small"] == 0.778
  assert len(average.published) == 7
