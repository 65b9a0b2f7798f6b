import pytest

from interaction_jax.turns import clock


def test_a_turn_in_samples():
  assert clock.SAMPLES == 3200
  assert clock.SAMPLES * 1000 == clock.SAMPLE_RATE * clock.TURN_MS


@pytest.mark.parametrize(
  ("samples", "turns"),
  [(0, 0), (1, 1), (3199, 1), (3200, 1), (3201, 2), (32_000, 10)],
)
def test_turns_cover_a_recording(samples, turns):
  assert clock.num_turns(samples) == turns


def test_what_a_turn_makes_is_heard_in_the_next():
  assert clock.seconds(0) == 0.0
  assert clock.audible(0) == 0.2
  for turn in (0, 3, 144_000):
    assert clock.audible(turn) == clock.seconds(turn + 1)
  assert clock.seconds(144_000) == 8 * 3600


@pytest.mark.parametrize("turn", [0, 1, 3, 7, 1_001, 144_000, 2**20 + 3])
def test_every_turn_begins_in_itself(turn):
  """Also where floats miss the boundary, such as 3 x 0.2 s."""
  assert clock.turn_at(clock.seconds(turn)) == turn
  assert clock.turn_at(turn * 0.2) == turn
  assert clock.turn_at(clock.seconds(turn) + 0.1999) == turn
  if turn:
    # One sample earlier is the turn before.
    assert clock.turn_at(clock.seconds(turn) - 1 / 16_000) == turn - 1


def test_nothing_falls_before_the_beginning():
  with pytest.raises(ValueError, match=r"time=-0\.1 s is before .* 0 s"):
    clock.turn_at(-0.1)
