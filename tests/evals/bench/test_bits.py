import numpy as np
import pytest

from interaction_jax.evals.bench import bits
from interaction_jax.turns import clock


@pytest.fixture(scope="module")
def report(model):
  sound = np.random.default_rng(0).normal(0, 0.1, 7 * clock.SAMPLES)
  return bits.run(
    model, sound.astype(np.float32), num_turns=8, dtypes=("float32",)
  )


def found(report, what):
  return {row["of"]: row for row in report["rows"] if row["what"] == what}


def test_a_session_has_the_same_bits_alone_and_in_company(report):
  rows = found(report, "alone and in company")
  assert set(rows) == {"logits", "mel", "memory"}
  for row in rows.values():
    assert row["n"] > 100 and row["equal"] == 1.0 and row["most"] == 0


def test_stream_and_episode_are_some_ulps_apart(report):
  rows = found(report, "stream and episode")
  assert set(rows) == {"logits", "gate", "hidden"}
  for row in rows.values():
    assert row["n"] >= 8 * 4
    assert row["median"] <= row["p99"] <= row["most"] < 200
  # They are two programs: were they one, nothing would have been compared.
  assert rows["hidden"]["equal"] < 1


def test_shapes_of_programs_are_compared(report):
  rows = found(report, "one row and four rows")
  assert all(row["most"] < 200 for row in rows.values())
  assert "one row and four rows, memory, float32" in bits.summary(report)


def test_distances_are_in_ulps_of_the_usual_size():
  one = np.full(100, 1.5, np.float32)
  other = one.copy()
  other[0] += 3 * 2.0**-23
  row = bits.apart(one, other, dtype="float32")
  assert row["equal"] == 0.99 and row["most"] == 3 and row["median"] == 0
  assert bits.apart(one, one + 2.0**-7, dtype="bfloat16")["median"] == 1
  nothing = np.zeros(3, np.float32)
  assert bits.apart(nothing, nothing, dtype="float32")["most"] == 0


def test_less_than_a_turn_of_sound_is_refused(model):
  with pytest.raises(ValueError, match="sound of 3199 samples is less than"):
    bits.run(model, np.zeros(3199, np.float32))
