import pytest

from interaction_jax.evals.fd_bench.v2.suite import SUITE


def test_baselines_rank_as_they_should(v2_folder, beside):
  found = beside(SUITE, v2_folder)
  for name in ("turn_taking", "instruction", "task"):
    for pace in ("fast", "slow"):
      row = found[f"{name}_{pace}"]
      assert row["oracle"] == 5 > row["random"]
      assert row["silent"] == row["talking"] == 1
  assert found["answered"]["oracle"] == 1 > found["answered"]["random"]
  # Whoever never stops does not answer either.
  assert found["answered"]["silent"] == found["answered"]["talking"] == 0
  assert 0.2 <= found["answer_latency"]["oracle"] < 0.45
  # Nobody else is spoken into, and it does not stop for that.
  assert found["stop_latency"]["talking"] > 3
  assert "silent" not in found["stop_latency"]


def test_published_numbers_are_means_of_families():
  rows = {row.name: row for row in SUITE.rows}
  # (3.74 + 4.20 + 3.72 + 4.51) / 4
  fast = rows["turn_taking_fast"].published
  assert fast["GPT-Realtime"] == pytest.approx(4.0425)
  # (2.05 + 2.65 + 2.85 + 3.33) / 4
  slow = rows["instruction_slow"].published
  assert slow["Freeze-Omni"] == pytest.approx(2.72)
