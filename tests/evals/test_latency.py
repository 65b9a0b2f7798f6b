import pytest

from interaction_jax.evals import latency


@pytest.mark.parametrize(
  ("values", "share", "wanted"),
  [
    # Five of ten are reached at the fifth, nine of ten at the ninth.
    ([1.0 * n for n in range(1, 11)], 0.5, 5.0),
    ([1.0 * n for n in range(1, 11)], 0.9, 9.0),
    ([0.2, None, 0.4], 0.5, 0.4),
    # Of three, one that never came is the largest.
    ([0.2, None, 0.4], 0.9, None),
    ([], 0.5, None),
  ],
)
def test_who_never_answers_is_later_than_all(values, share, wanted):
  assert latency.quantile(values, share) == wanted


def test_a_summary_counts_misses():
  found = latency.summary([0.3, None, 0.5, None])
  assert found == {
    "n": 4,
    "misses": 2,
    "mean": pytest.approx(0.4),
    "median": pytest.approx(0.4),
    "median_with_misses": 0.5,
    "p90_with_misses": None,
  }
