import pytest

from interaction_jax.serve.protocol.limit import Bucket, LimitConfig


def test_a_bucket_fills_up():
  now = [0.0]
  bucket = Bucket(3, 2.0, lambda: now[0])
  assert bucket.try_take(3) and not bucket.try_take()
  now[0] += 0.5
  assert bucket.try_take() and bucket.take(2) == 1.0
  now[0] += 60
  assert bucket.take(3) == 0.0 and bucket.take() == 0.5


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_limits_are_numbers(value):
  with pytest.raises(ValueError, match=r"limit.session_s=.* more than 0"):
    LimitConfig(session_s=value)
