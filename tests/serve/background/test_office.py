import asyncio
import gc
import json
import threading
import time

import pytest

from interaction_jax.serve.background.job import Finding
from interaction_jax.serve.background.office import Office
from interaction_jax.serve.events import Event
from interaction_jax.turns import clock


def write(office, turn, text, kind="delegate"):
  """Two turns: a text, and its end."""
  event = Event(clock.audible(turn), turn, kind, {"text": text})
  office.see(turn, [event], speaks=False)
  office.see(turn + 1, [], speaks=False)


@pytest.fixture
def hire():
  """Begins offices, and ends them."""
  hired = []

  def hire(model, **options):
    hired.append(Office(model, **options))
    return hired[-1]

  yield hire
  for one in hired:
    one.close()


def threads():
  return [one for one in threading.enumerate() if one.name == "background"]


def test_a_job_is_done_meanwhile(hire, play):
  model = play([0.0, "22 degrees"])
  office = hire(model, instructions="be brief")
  write(office, 3, "weather")
  office.settle(10.0)
  (note,) = office.notes(7)
  assert (note.turn, note.text) == (7, "22 degrees")
  assert note.about["job"] == 1 and note.about["state"] == "done"
  assert [event.payload["state"] for event in office.events()] == ["started"]
  assert office.notes(8) == office.events() == []
  assert model.given[0].instructions == "be brief"
  assert model.given[0].t == clock.audible(4)


def test_a_timer_follows_the_session_and_not_the_wall(hire, play):
  office = hire(play([Finding("set", wait_s=61.0), 60, "time is up"]))
  began = time.monotonic()
  write(office, 0, "timer")
  office.settle(10.0)
  assert [note.text for note in office.notes(2)] == ["set"]
  rang = None
  for turn in range(2, 310):
    office.see(turn, [], speaks=False)
    office.settle(10.0)
    if rang is None and office.notes(turn):
      rang = turn
  # It was set in turn 1, which is over at 0.4 s; 60 s later is turn 301.
  assert rang is not None and clock.audible(rang) == pytest.approx(60.4)
  assert time.monotonic() - began < 10


def test_nobody_waits_longer_than_allowed(hire, play):
  office = hire(play([60, "never"]))
  write(office, 0, "slow")
  began = time.monotonic()
  office.settle(0.05)
  assert 0.04 < time.monotonic() - began < 5
  assert office.notes(2) == []


def test_a_model_that_blocks_its_loop_blocks_no_session(hire):
  go, over = threading.Event(), threading.Event()

  class Blocks:
    async def run(self, context):
      go.wait(60)
      over.set()
      yield Finding("at last")

  office = hire(Blocks())
  write(office, 0, "a")
  for turn in range(2, 50):
    office.see(turn, [], speaks=False)
    assert office.notes(turn) == []
  office.settle(0.01)
  # All of that was done while the model stood still.
  assert not over.is_set()
  go.set()
  office.settle(10.0)
  assert [note.text for note in office.notes(50)] == ["at last"]


def test_jobs_are_cancelled(hire, play):
  model = play([60, "never"])
  office = hire(model)
  write(office, 0, "a")
  office.settle(0.05)
  office.cancel()
  office.settle(10.0)
  office.see(2, [], speaks=False)
  office.settle(10.0)
  states = [event.payload["state"] for event in office.events()]
  assert states == ["started", "cancelled"] and model.cancelled == 1


def test_an_office_goes_on_where_another_was(hire, play):
  first, second = play([60, "never"]), play(["found"])
  one, other = hire(first), hire(second)
  write(one, 10, "a")
  one.settle(0.05)
  other.restore(json.loads(json.dumps(one.state())))
  other.settle(10.0)
  assert [note.text for note in other.notes(12)] == ["found"]
  assert second.given[0].t == first.given[0].t
  assert other.state()["lines"][-1][1:] == ["background", "found"]


def test_closing_ends_the_thread_and_what_went_on_in_it(play, until):
  model = play([60])
  before = len(threads())
  office = Office(model)
  write(office, 0, "a")
  asyncio.run(until(lambda: model.given))
  assert len(threads()) == before + 1
  office.close()
  office.close()
  assert len(threads()) == before and model.cancelled == 1


def test_an_office_that_is_forgotten_ends(play):
  before = len(threads())
  office = Office(play([]))
  assert len(threads()) == before + 1
  del office
  gc.collect()
  assert len(threads()) == before
