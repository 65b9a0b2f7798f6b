import pytest

from interaction_jax.evals.fd_bench import overlap


@pytest.mark.parametrize(
  ("user", "system", "stops", "responses"),
  [
    ((), ((1.0, 2.0),), [], []),
    (((0.0, 1.0),), (), [], []),
    # It begins 1.5 - 1.0 = 0.5 s behind the user; nothing overlaps.
    (((0.0, 1.0),), ((1.5, 3.0),), [], [0.5]),
    # Spoken into at 2.0, it stops at 2.6 s, and begins 4.0 - 3.0 = 1.0 s
    # behind the user again.
    (
      ((0.0, 1.0), (2.0, 3.0)),
      ((1.5, 2.6), (4.0, 5.0)),
      [0.6],
      [0.5, 1.0],
    ),
    # It goes on: all of the user's second is an overlap.
    (((0.0, 1.0), (2.0, 3.0)), ((1.5, 6.0),), [1.0], [0.5]),
    # 0.6 s are one stretch of the user, 0.7 s are two; 0.5 s one of the
    # system, so that 0.0 to 6.0 s overlap (0.5, 3.0) and (3.7, 4.0).
    (
      ((0.5, 1.4), (2.0, 3.0), (3.7, 4.0)),
      ((0.0, 2.5), (3.0, 6.0)),
      [2.5, 0.3],
      [],
    ),
    # Two ends of the user before one beginning: the later one, 5.0 - 4.0 s.
    (((0.0, 1.0), (3.0, 4.0)), ((5.0, 6.0),), [], [1.0]),
    # Three overlaps; the first two end at 2.0 s and 3.0 s, the last at 6.0 s.
    (
      ((1.0, 2.0), (2.8, 3.0), (5.0, 6.0)),
      ((0.0, 7.0),),
      [1.0, 0.2, 1.0],
      [],
    ),
  ],
)
def test_all_of_a_recording(user, system, stops, responses):
  assert overlap.stops(user, system) == pytest.approx(stops)
  assert overlap.responses(user, system) == pytest.approx(responses)


def test_stretches_of_one_side_that_meet_are_one():
  # Both end with the system, at 3.0 s; put together it is 3.0 - 1.0.
  nested = ((0.0, 4.0), (2.0, 5.0))
  assert overlap.stops(nested, ((1.0, 3.0),)) == [2.0]


@pytest.mark.parametrize(
  ("system", "stop", "response"),
  [
    # Spoken into from 2.0 to 3.0 s.
    ((), None, None),
    # 2.4 - 2.0; and nothing more.
    (((1.0, 2.4),), 0.4, None),
    # Silent then: 1.9 s is over, and 0.5 s is the most it may pause.
    (((1.0, 1.9), (2.6, 4.0)), None, None),
    # It pauses for 0.4 s: 4.0 - 2.0.
    (((1.0, 1.9), (2.3, 4.0)), 2.0, None),
    # It begins 3.5 - 3.0 s later.
    (((1.0, 2.5), (3.5, 4.0)), 0.5, 0.5),
    # 2.9 s is early by less than 0.2 s, which is at once; 2.7 s is not.
    (((1.0, 2.2), (2.9, 4.0)), 0.2, 0.0),
    (((1.0, 2.1), (2.7, 4.0)), 0.1, None),
  ],
)
def test_one_overlap(system, stop, response):
  assert overlap.stop(system, 2.0) == (
    stop if stop is None else pytest.approx(stop)
  )
  assert overlap.response(system, 3.0) == (
    response if response is None else pytest.approx(response)
  )
