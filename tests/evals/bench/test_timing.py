import numpy as np
import pytest

from interaction_jax.evals.bench import timing
from interaction_jax.evals.bench.timing import Task, Times


class Watch:
  """A clock that only moves when a task works."""

  def __init__(self):
    self.now, self.worked = 0.0, []

  def task(self, name, *seconds):
    """A task that takes these times, over and over."""
    calls = []

    def call(_):
      took = seconds[len(calls) % len(seconds)]
      calls.append(took)
      self.worked.append(name)
      self.now += took

    return Task(call)

  def __call__(self):
    return self.now


@pytest.fixture
def watch():
  return Watch()


def times(*rounds):
  return Times(np.asarray(rounds, np.float64))


def test_a_time_is_that_of_one_call(watch):
  tasks = {"one": watch.task("one", 0.02), "two": watch.task("two", 0.05)}
  found = timing.measure(tasks, rounds=4, watch=watch)
  # A clock that counts in floats is off by some 1e-13 s.
  np.testing.assert_allclose(found["one"].ms, np.full((4, 1), 20), rtol=1e-9)
  np.testing.assert_allclose(found["two"].ms, np.full((4, 1), 50), rtol=1e-9)


def test_each_task_is_the_first_in_turn(watch):
  tasks = {name: watch.task(name, 0.1) for name in "abc"}
  told = []
  timing.measure(
    tasks, rounds=3, watch=watch, progress=lambda *done: told.append(done)
  )
  assert told == [(done, 12) for done in range(1, 13)]
  # Three calls of each to warm up; then one uncounted and one counted.
  assert "".join(watch.worked) == "aaabbbccc" + "aabbcc" + "bbccaa" + "ccaabb"


@pytest.mark.parametrize(
  ("seconds", "calls"),
  [(1.0, 1), (0.004, 2), (0.001, 10), (1e-6, 50)],
  ids=["long", "shorter", "short", "very-short"],
)
def test_short_tasks_are_called_more_often(watch, seconds, calls):
  tasks = {"task": watch.task("task", seconds)}
  found = timing.measure(tasks, rounds=2, watch=watch)
  assert found["task"].ms.shape == (2, calls)


def test_preparing_is_not_timed(watch):
  made = []

  def prepare():
    watch.now += 5
    made.append(len(made))
    return made[-1]

  given = []

  def call(argument):
    watch.now += 0.02
    given.append(argument)

  found = timing.measure({"task": Task(call, prepare)}, rounds=3, watch=watch)
  # The clock is far ahead by now, where floats are 1e-14 s apart.
  np.testing.assert_allclose(found["task"].ms, np.full((3, 1), 20), rtol=1e-9)
  assert given == made and len(given) == 3 + 2 * 3


def test_no_rounds_are_refused(watch):
  with pytest.raises(ValueError, match="rounds=0 must be 1 or more"):
    timing.measure({"task": watch.task("task", 1.0)}, rounds=0, watch=watch)


def test_statistics():
  found = times(*([float(ms)] for ms in range(1, 102)))
  assert found.median == 51
  assert found.p99 == 100
  assert found.spread == pytest.approx(50 / 51)


def test_a_ratio_survives_a_machine_that_slows_down():
  ours = times([1.0, 1.0], [10.0, 10.0], [100.0, 100.0])
  peer = times([2.0, 2.0, 2.0], [20.0, 20.0, 900.0], [200.0, 200.0, 200.0])
  assert timing.ratio(ours, peer) == pytest.approx(0.5)
  assert timing.ratio(peer, ours) == pytest.approx(2.0)


def test_a_row_has_the_fields_that_programs_read():
  alone = timing.row("this", times([2.0]), dtype="float32", batch=3)
  assert alone == {
    "what": "this",
    "dtype": "float32",
    "batch": 3,
    "context": None,
    "ours_ms": 2.0,
    "peer": None,
    "peer_ms": None,
    "ratio": None,
    "n": 1,
    "spread": 0.0,
    "p99_ms": 2.0,
  }
  beside = timing.row(
    "this",
    times([2.0], [2.0]),
    dtype="bfloat16",
    batch=1,
    context=7,
    peer="that",
    peer_times=times([8.0], [8.0]),
    goal_ms=1.5,
  )
  assert (beside["peer"], beside["peer_ms"]) == ("that", 8.0)
  assert (beside["ratio"], beside["n"], beside["goal_ms"]) == (0.25, 2, 1.5)


def test_a_table_has_a_line_a_row_and_straight_columns():
  about = {"dtype": "float32", "batch": 1}
  rows = [
    timing.row("short", times([0.5]), **about),
    timing.row("a longer one", times([123.0]), context=1234, **about),
    timing.row(
      "x", times([1.0]), peer="that", peer_times=times([4.0]), **about
    ),
  ]
  head, *lines = timing.table(rows).splitlines()
  assert len(lines) == 3
  end = head.index("median") + len("median")
  assert [line[:end].split()[-1] for line in lines] == [
    "0.500", "123.000", "1.000"
  ]  # fmt: skip
  assert lines[2].split()[-3:] == ["that", "4.000", "0.250"]
