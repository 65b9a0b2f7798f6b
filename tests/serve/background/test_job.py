import pytest

from interaction_jax.serve.background.job import OVER, Report


@pytest.mark.parametrize(
  ("state", "read"),
  [
    ("started", ""),
    ("partial", "22 degrees"),
    ("done", "22 degrees"),
    ("late", "22 degrees"),
    ("failed", "no answer to weather: 22 degrees"),
    ("timed_out", "no answer to weather: 22 degrees"),
    ("cancelled", ""),
    ("superseded", ""),
  ],
)
def test_what_a_model_reads_of_a_report(state, read):
  assert Report(1, state, "weather", text="22 degrees").readable == read


def test_a_job_whose_time_is_over_may_still_be_heard_of():
  assert "timed_out" not in OVER and "done" in OVER
