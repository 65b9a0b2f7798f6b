import asyncio
import gc
import json
import threading
import time

import pytest

from interaction_jax.serve.background.agent import Agent
from interaction_jax.serve.background.job import Delivery, Finding
from interaction_jax.serve.background.office import Office
from interaction_jax.serve.background.tools.numbers import Calculator
from interaction_jax.serve.background.tools.timer import Timer
from interaction_jax.serve.events import Event
from interaction_jax.serve.snapshot import Snapshot
from interaction_jax.turns import clock
from interaction_jax.turns.vocabulary import Control


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
  return {one for one in threading.enumerate() if one.name == "background"}


def test_a_job_is_done_meanwhile(hire, play):
  model = play([0.0, "22 degrees"])
  office = hire(model, instructions="be brief")
  write(office, 3, "weather")
  office.settle(300.0)
  (note,) = office.notes(7)
  assert (note.turn, note.text) == (7, "22 degrees")
  assert note.about["job"] == 1 and note.about["state"] == "done"
  assert [event.payload["state"] for event in office.events()] == ["started"]
  assert office.notes(8) == office.events() == []
  assert model.given[0].instructions == "be brief"
  assert model.given[0].t == clock.audible(4)


def test_a_timer_follows_the_session_and_not_the_wall(hire, play):
  office = hire(play([Finding("set", wait_s=61.0), 60, "time is up"]))
  write(office, 0, "timer")
  office.settle(300.0)
  assert [note.text for note in office.notes(2)] == ["set"]
  rang = None
  for turn in range(2, 310):
    office.see(turn, [], speaks=False)
    office.settle(300.0)
    if rang is None and office.notes(turn):
      rang = turn
  # It was set in turn 1, which is over at 0.4 s; 60 s later is turn 301.
  assert rang is not None and clock.audible(rang) == pytest.approx(60.4)


def test_nobody_waits_longer_than_allowed(hire, play):
  office = hire(play([60, "never"]))
  write(office, 0, "slow")
  began = time.monotonic()
  # It would be waited for for ever: the clock of the session stands still.
  office.settle(0.05)
  assert time.monotonic() - began > 0.04 and office.notes(2) == []


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
  office.settle(300.0)
  assert [note.text for note in office.notes(50)] == ["at last"]


def test_jobs_are_cancelled(hire, play, until):
  model = play([60, "never"])
  office = hire(model)
  write(office, 0, "a")
  asyncio.run(until(lambda: model.given))
  office.cancel()
  asyncio.run(until(lambda: model.cancelled))
  office.see(2, [], speaks=False)
  office.settle(300.0)
  states = [event.payload["state"] for event in office.events()]
  assert states == ["started", "cancelled"] and model.cancelled == 1


def test_an_office_goes_on_where_another_was(hire, play, until):
  first, second = play([60, "never"]), play(["found"])
  one, other = hire(first), hire(second)
  write(one, 10, "a")
  asyncio.run(until(lambda: first.given))
  other.restore(json.loads(json.dumps(one.state())))
  other.settle(300.0)
  assert [note.text for note in other.notes(12)] == ["found"]
  assert second.given[0].t == first.given[0].t
  assert other.state()["lines"][-1][1:] == ["background", "found"]


def test_closing_ends_the_thread_and_what_went_on_in_it(play, until):
  model = play([60])
  before = threads()
  office = Office(model)
  write(office, 0, "a")
  asyncio.run(until(lambda: model.given))
  (mine,) = threads() - before
  office.close()
  office.close()
  assert not mine.is_alive() and model.cancelled == 1


def test_an_office_that_is_forgotten_ends(play):
  before = threads()
  office = Office(play([]))
  (mine,) = threads() - before
  del office
  gc.collect()
  assert not mine.is_alive()


# --- over real sessions: their model delegates by itself ---

PARIS, ROME = " weather in paris", " weather in rome"
TIMER = " set a timer for two seconds"
SUM = ' {"tool":"calculator","expression":"17*23"}'


class Held:
  """A background model that answers a task when a test lets it."""

  def __init__(self, **findings):
    self.findings, self.given = findings, []
    self.may = {name: threading.Event() for name in findings}
    self.left = []

  async def run(self, context):
    self.given.append(context)
    name = context.task.rpartition(" ")[2]
    try:
      while not self.may[name].is_set():
        await asyncio.sleep(0)
        await asyncio.to_thread(self.may[name].wait, 0.002)
      yield self.findings[name]
    except asyncio.CancelledError:
      self.left.append(name)
      raise


@pytest.fixture
def found(until):
  """Waits, while no turn is run, until something is found."""

  def found(one):
    asyncio.run(until(lambda: one.session._office._found))

  return found


@pytest.fixture
def caught_up():
  """Waits until an office has done all that the last turn gave it to do."""

  def caught_up(one):
    async def passes():
      for _ in range(32):
        await asyncio.sleep(0)

    loop = one.session._office._loop
    asyncio.run_coroutine_threadsafe(passes(), loop).result(300)

  return caught_up


def test_a_session_goes_on_meanwhile_and_reads_what_was_found(desktop):
  model = Held(paris=Finding("22 degrees"))
  one, alone = desktop(model), desktop()
  keys = [Control.DELEGATE, PARIS, *[None] * 8]
  for each in (one, alone):
    each.type(*keys)
  # Nothing was found yet, and nothing differs.
  assert one.bits() == alone.bits() and one.notes == []
  model.may["paris"].set()
  one.session.settle(300.0)
  one.type(None, None, None)
  (note,) = one.notes
  assert (note.turn, note.text) == (10, "22 degrees")
  assert one.told() == [(1, "started", ""), (1, "done", "22 degrees")]
  (read,) = [e for e in one.events if e.payload.get("state") == "done"]
  assert (read.kind, read.turn) == ("background", 10)
  # Who is told the same in the same turn makes the same bits.
  alone.session.inform(note.text, note.about, at=clock.seconds(note.turn))
  alone.type(None, None, None)
  assert one.bits() == alone.bits()
  unheard = desktop().type(*keys, None, None, None)
  assert unheard.bits()[:10] == one.bits()[:10]
  assert unheard.bits()[10:] != one.bits()[10:]


def test_several_jobs_of_a_session_go_on_at_once(desktop, found):
  model = Held(paris=Finding("22 degrees"), rome=Finding("30 degrees"))
  one = desktop(model)
  one.type(Control.DELEGATE, PARIS, None, ROME, None, None)
  for city in ("rome", "paris"):
    model.may[city].set()
    found(one)
    one.type(None)
  one.type(None)
  assert [note.text for note in one.notes] == ["30 degrees", "22 degrees"]
  assert [told[:2] for told in one.told()] == [
    (1, "started"), (2, "started"), (2, "done"), (1, "done"),
  ]  # fmt: skip
  # The second knew of the first.
  assert ("delegate", PARIS) in [
    (line.who, line.text) for line in model.given[1].lines
  ]


@pytest.mark.parametrize("way", ["cancel", "instead", "again", "method"])
def test_the_user_changes_their_mind(desktop, way, until):
  model = Held(paris=Finding("22 degrees"), oslo=Finding("9 degrees"))
  one = desktop(model).type(Control.DELEGATE, PARIS, None, None)
  asyncio.run(until(lambda: len(model.given) == 1))
  if way == "method":
    one.session.cancel()
    one.type(None)
  else:
    keys = {"cancel": " cancel", "instead": " instead weather in oslo"}
    one.type(keys.get(way, PARIS), None)
  asyncio.run(until(lambda: model.left == ["paris"]))
  for may in model.may.values():
    may.set()
  one.session.settle(300.0)
  one.type(None, None)
  ended = "cancelled" if way in ("cancel", "method") else "superseded"
  after = {"instead": "9 degrees", "again": "22 degrees"}
  told = one.told()
  assert told[:2] == [(1, "started", ""), (1, ended, "")]
  if way in after:
    assert told[2:] == [(2, "started", ""), (2, "done", after[way])]
  else:
    assert told[2:] == [] and one.notes == []


def test_a_result_that_is_late_is_read_as_such(desktop, found, caught_up):
  model = Held(paris=Finding("22 degrees"))
  one = desktop(model).type(Control.DELEGATE, PARIS, None)
  turns = 0
  while not one.notes and turns < 160:
    one.type(None)
    caught_up(one)
    turns += 1
  one.type(None)
  # By the clock of the session, in which all of this took 30 seconds.
  assert one.told()[1] == (
    1,
    "timed_out",
    "no answer to weather in paris: no answer in 30 s",
  )
  assert 145 <= turns < 160
  model.may["paris"].set()
  found(one)
  one.type(None, None)
  assert one.told()[2:] == [(1, "late", "22 degrees")]


def test_a_timer_of_a_session_rings_in_its_turn_and_interrupts(desktop):
  one = desktop(Agent([Timer()]))
  one.type(Control.DELEGATE, TIMER, *["hum"] * 14, settle=300.0)
  assert all(turn.speaks for turn in one.turns[2:])
  (note,) = one.notes
  # It was set in turn 2, which is over at 0.6 s; 2 s later ends turn 12.
  assert (note.turn, note.text) == (13, "time is up: 2 seconds")
  assert note.about["delivery"] == "interrupt"


def test_a_timer_goes_on_in_a_session_that_is_resumed(desktop):
  one = desktop(Agent([Timer()])).type(
    Control.DELEGATE, TIMER, None, None, None, settle=300.0
  )
  kept = Snapshot.from_bytes(one.session.snapshot().to_bytes())
  one.type(*[None] * 12, settle=300.0)
  other = desktop(Agent([Timer()]), snapshot=kept)
  other.session.settle(300.0)
  other.type(*[None] * 12, settle=300.0)
  assert [note.turn for note in one.notes] == [13]
  assert [(note.turn, note.text) for note in other.notes] == [
    (13, "time is up: 2 seconds")
  ]
  assert other.bits() == one.bits()[5:]


def test_what_waits_for_the_assistant_is_read_when_it_is_silent(desktop):
  one = desktop(Agent([Calculator()]))
  one.type(Control.CALL, SUM, *["hum"] * 5, settle=300.0)
  assert one.notes == []
  one.type(None, None, None, settle=300.0)
  (note,) = one.notes
  assert (note.turn, note.text) == (8, "391")
  (read,) = [e for e in one.events if e.payload.get("state") == "done"]
  assert read.kind == "call_result" and read.payload["task"] == SUM.strip()
  assert read.payload["delivery"] == Delivery.WHEN_IDLE.value
