import asyncio
import datetime
import zoneinfo

import pytest

from interaction_jax.serve.background.job import Context, Delivery
from interaction_jax.serve.background.tools import timer
from interaction_jax.serve.background.tools.timer import Clock, Timer

NOON = datetime.datetime(
  2026, 3, 5, 12, 4, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")
)


@pytest.fixture
def collect(fast):
  """All that a tool finds; its waiting takes no time."""

  def collect(tool, context, **arguments):
    async def main():
      return [one async for one in tool.call(context, **arguments)]

    return fast(main())

  return collect


@pytest.fixture(name="clock")
def _clock(collect):
  def clock(task):
    tool = Clock(lambda: NOON)
    arguments = tool.match(task)
    if arguments is None:
      return None
    return collect(tool, Context(task), **arguments)[0].text

  return clock


@pytest.mark.parametrize(
  ("task", "found"),
  [
    ("what time is it", "it is 12:04 on Thursday, 5 March 2026"),
    ("What is the date today?", "it is 12:04 on Thursday, 5 March 2026"),
    ("what day is it", "it is 12:04 on Thursday, 5 March 2026"),
    ("the time in Tokyo now",
     "it is 20:04 on Thursday, 5 March 2026 in Tokyo"),
    ("what time is it in new york?",
     "it is 06:04 on Thursday, 5 March 2026 in New York"),
    ("time in asia/kolkata",
     "it is 16:34 on Thursday, 5 March 2026 in Kolkata"),
    ("what's the time right now please",
     "it is 12:04 on Thursday, 5 March 2026"),
    ("the time of the train", None),
    ("what time is the train", None),
    ("what day is anna's birthday", None),
    ("what is 3 times 4", None),
    ("find the code of anna", None),
  ],
)  # fmt: skip
def test_the_clock(clock, task, found):
  assert clock(task) == found


def test_a_place_without_a_clock_is_told(clock):
  with pytest.raises(ValueError, match="the time in atlantis is not known"):
    clock("what time is it in atlantis")


def test_the_clock_is_that_of_the_machine():
  before = datetime.datetime.now().astimezone()
  assert before <= timer.now() <= datetime.datetime.now().astimezone()
  assert timer.now().tzinfo is not None


@pytest.mark.parametrize(
  ("task", "wanted"),
  [
    ("set a timer for two minutes", {"minutes": 2.0}),
    ("timer for 90 seconds", {"seconds": 90.0}),
    ("a timer for one minute thirty seconds",
     {"minutes": 1.0, "seconds": 30.0}),
    ("wake me in half an hour", {"hours": 0.5}),
    ("wake me in an hour and a half", {"hours": 1.5}),
    ("timer for two and a half minutes", {"minutes": 2.5}),
    ("remind me in ten minutes to call Anna.",
     {"minutes": 10.0, "text": "call anna"}),
    ("remind me to call anna in 10 minutes",
     {"minutes": 10.0, "text": "call anna"}),
    ("set a timer for 5 minutes for tea", {"minutes": 5.0, "text": "tea"}),
    ("remind me about the tea", None),
    ("how long is two minutes", None),
    ("timer for two miles", None),
  ],
)  # fmt: skip
def test_timers_in_words(task, wanted):
  assert Timer().match(task) == wanted


@pytest.mark.parametrize(
  ("given", "told"),
  [
    ({"minutes": 5}, "time is up: 5 minutes"),
    ({"seconds": 1}, "time is up: 1 second"),
    ({"hours": 1, "minutes": 30, "text": " tea "},
     "time is up: 1 hour 30 minutes, tea"),
    ({"seconds": 90.5}, "time is up: 1 minute 30.5 seconds"),
  ],
)  # fmt: skip
def test_a_timer_sleeps_and_interrupts(collect, given, told):
  first, last = collect(Timer(), Context("a"), **given)
  assert first.more and first.delivery is Delivery.SILENT
  whole = 3600 * given.get("hours", 0) + 60 * given.get("minutes", 0)
  whole += given.get("seconds", 0)
  # It is not taken for lost while it may still ring.
  assert first.wait_s is not None and whole < first.wait_s < whole + 10
  assert last.text == told and last.delivery is Delivery.INTERRUPT
  assert not last.more


def test_a_timer_sleeps_as_long_as_it_was_told(fast):
  async def main():
    loop = asyncio.get_running_loop()
    begin = loop.time()
    async for _ in Timer().call(Context("a"), minutes=2):
      pass
    return loop.time() - begin

  assert fast(main()) == pytest.approx(120)


def test_who_is_resumed_sleeps_for_the_rest_only(collect):
  first, _ = collect(Timer(), Context("a", ago_s=200.0), minutes=5)
  assert first.text == "timer goes on for 1 minute 40 seconds"
  assert first.wait_s == pytest.approx(105)
  (only,) = collect(Timer(), Context("a", ago_s=301.0), minutes=5)
  assert only.text == "time is up: 5 minutes"


@pytest.mark.parametrize(
  "given",
  [{}, {"seconds": -1}, {"hours": 25}, {"seconds": float("nan")},
   {"minutes": float("inf")}],
)  # fmt: skip
def test_what_is_no_time_is_refused(collect, given):
  with pytest.raises(ValueError, match="24 hours at most"):
    collect(Timer(), Context("a"), **given)
