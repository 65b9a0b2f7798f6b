from interaction_jax.evals.fd_bench.v1.suite import SUITE


def test_baselines_rank_as_they_should(v1_folder, beside):
  found = beside(SUITE, v1_folder)
  for name in ("pause_synthetic", "pause_candor", "backchannel"):
    for row in (name, f"{name}_corrected"):
      assert found[row]["oracle"] == found[row]["silent"] == 0, row
      assert found[row]["talking"] == 1, row
  for row in ("backchannel_jsd", "backchannel_jsd_corrected"):
    assert found[row]["oracle"] < found[row]["random"] < 1, row
    assert found[row]["silent"] == found[row]["talking"] == 1, row
  for name in ("turn_taking", "interruption"):
    # Whoever never stops has the floor, and is never late, as published.
    assert found[name]["oracle"] == found[name]["talking"] == 1
    assert found[f"{name}_latency"]["talking"] < 0.1
    assert found[f"{name}_corrected"]["oracle"] == 1
    assert found[f"{name}_corrected"]["talking"] == 0
    assert found[f"{name}_latency_corrected"]["talking"] is None
    assert 0.4 <= found[f"{name}_latency_corrected"]["oracle"] < 0.45
    assert found[name]["silent"] == found[f"{name}_corrected"]["silent"] == 0
  assert found["turn_taking_corrected"]["random"] < 1
  rating = found["interruption_rating_corrected"]
  assert rating["oracle"] == 5 > rating["random"]
  assert rating["silent"] == rating["talking"] == 0
  assert found["interruption_rating"]["silent"] is None


def test_every_task_has_rows_and_published_numbers():
  rows = {row.name: row for row in SUITE.rows}
  for name, row in rows.items():
    assert name.endswith("_corrected") != bool(row.published), name
    assert name.endswith("_corrected") or f"{name}_corrected" in rows
  latency = rows["turn_taking_latency"].published
  assert latency["TML-Interaction-Small"] == 0.40 and len(latency) == 11
