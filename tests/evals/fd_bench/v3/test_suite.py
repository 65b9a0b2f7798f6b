from interaction_jax.evals.fd_bench.v3.suite import SUITE


def test_baselines_rank_as_they_should(v3_folder, beside):
  found = beside(SUITE, v3_folder)
  for row in (
    "pass_at_1", "pass_at_1_corrected", "tool_f1", "arguments",
    "arguments_exact", "response_quality",
  ):  # fmt: skip
    assert found[row]["oracle"] == 1 > found[row]["random"], row
    assert found[row]["silent"] == found[row]["talking"] == 0, row
  # Whoever never stops takes every turn as published, and none as corrected.
  assert found["turn_take"]["talking"] == found["turn_take"]["oracle"] == 1
  assert found["turn_take_corrected"]["oracle"] == 1
  assert found["turn_take_corrected"]["talking"] == 0
  assert found["interruption"]["oracle"] == 0
  assert found["interruption"]["talking"] == 1
  assert found["interruption"]["silent"] is None
  # 0.4 s to the first call; the reply waits for the answers.
  assert 0.39 < found["call_latency"]["oracle"] < 0.45
  assert found["response_latency"]["oracle"] < 1.1


def test_others_are_named():
  rows = {row.name: row for row in SUITE.rows}
  published = rows["pass_at_1"].published
  assert published["TML-Interaction-Small, background agent on"] == 0.68
  assert published["GPT-realtime-1.5, FDB v3"] == 0.6
  assert len(published) == len(rows["response_quality"].published) == 10
