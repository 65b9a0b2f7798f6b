import asyncio
import contextlib
import json

import pytest

from interaction_jax.serve.background.clerk import Clerk, about
from interaction_jax.serve.background.desk import DeskConfig
from interaction_jax.serve.background.job import Delivery, Finding, Line
from interaction_jax.serve.events import Event
from interaction_jax.turns import clock


class Talk:
  """A session as a clerk sees it: each line is one turn."""

  def __init__(self, model, **options):
    self.turn, self.read, self.events, self.reports = 0, [], [], []
    self.clerk = Clerk(
      model,
      lambda text, told: self.read.append((self.turn, text, told)),
      on_report=self.reports.append,
      **options,
    )

  def __call__(self, *told, speaks=False):
    """A turn in which kinds of text are written."""
    events = [
      Event(clock.audible(self.turn), self.turn, kind, {"text": text})
      for kind, text in told
    ]
    self.events += self.clerk.see(self.turn, events, speaks=speaks)
    self.turn += 1

  async def found(self):
    """Waits until the jobs are done."""
    async with asyncio.timeout(10):
      await self.clerk.desk.settle()

  @property
  def texts(self):
    return [text for _, text, _ in self.read]

  @property
  def states(self):
    return [(one.job, one.state) for one in self.reports]


@pytest.fixture
def talk(fast):
  """Runs a coroutine function with a session."""

  def talk(play, model, **options):
    async def main():
      one = Talk(model, **options)
      async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(one.clerk.desk.close)
        await play(one)
      return one

    return fast(main())

  return talk


def test_a_task_ends_with_the_turn_that_adds_nothing(talk, play):
  model = play(["rain"])

  async def go(one):
    one(("delegate", " weather in"))
    one(("delegate", " pa"), ("delegate", "ris"))
    assert not one.reports
    one(("say", "okay"))
    await one.found()

  one = talk(go, model)
  assert [context.task for context in model.given] == ["weather in paris"]
  assert one.texts == ["rain"] and model.given[0].t == clock.audible(2)


def test_a_job_gets_the_whole_conversation(talk, play):
  model = play(["rain"])

  async def go(one):
    one(("user_text", "my city"), ("user_text", "is paris"))
    one(("show", " caption"), ("say", " oka"))
    one(("say", "y"))
    one(("user_text", "weather?"), ("delegate", "weather"))
    one()
    await one.found()
    one(("background", "from outside"), ("delegate", "again"))
    one()
    await one.found()

  one = talk(go, model, instructions="be brief")
  assert model.given[0].instructions == "be brief"
  assert model.given[0].lines == (
    Line(clock.audible(0), "user", "my cityis paris"),
    Line(clock.audible(1), "screen", " caption"),
    Line(clock.audible(1), "assistant", " okay"),
    Line(clock.audible(3), "user", "weather?"),
    Line(clock.audible(3), "delegate", "weather"),
  )
  assert [(line.who, line.text) for line in one.clerk.lines[5:]] == [
    ("background", "rain"),
    ("background", "from outside"),
    ("delegate", "again"),
    ("background", "rain"),
  ]


def test_each_task_is_a_line_of_its_own(talk, play):
  model = play(["rain"])

  async def go(one):
    for _ in range(2):
      one(("delegate", "weather"))
      one(("delegate", " in paris"))
      one()
      await one.found()

  talk(go, model)
  texts = [line.text for line in model.given[1].lines if line.who == "delegate"]
  assert texts == ["weather in paris"] * 2


@pytest.mark.parametrize(
  ("delivery", "turns"),
  [(Delivery.SILENT, []), (Delivery.WHEN_IDLE, [4]), (Delivery.INTERRUPT, [2])],
)
def test_when_it_is_told(talk, play, delivery, turns):
  async def go(one):
    one(("delegate", "a"))
    one(speaks=True)
    await one.found()
    one(speaks=True)
    one(speaks=True)
    one(speaks=False)
    one()

  one = talk(go, play([Finding("found", delivery)]))
  assert [turn for turn, *_ in one.read] == turns
  # What is never read is an event all the same.
  silent = [e.payload["text"] for e in one.events if e.payload["text"]]
  assert silent == (["found"] if delivery is Delivery.SILENT else [])
  assert "found" in [line.text for line in one.clerk.lines]


def test_who_speaks_for_ever_is_told_nevertheless(talk, play):
  async def go(one):
    one(("delegate", "a"))
    one(speaks=True)
    await one.found()
    for _ in range(60):
      one(speaks=True)

  assert talk(go, play(["found"])).read[0][0] == 51


@pytest.mark.parametrize("kind", ["delegate", "call"])
def test_events_tell_what_is_not_handed_in(talk, play, kind):
  async def go(one):
    one((kind, "a"))
    one()
    await one.found()
    one()

  one = talk(go, play(["found"]))
  told = {"job": 1, "task": "a", "origin": kind, "delivery": "when_idle"}
  assert one.events == [
    Event(
      clock.audible(1),
      1,
      "call_result" if kind == "call" else "background",
      {"text": "", "state": "started", **told},
    )
  ]
  assert one.read == [(2, "found", {"state": "done", **told})]


@pytest.mark.parametrize(
  ("steps", "state"),
  [([OSError("down")], "failed"), ([0.05, "x"], "timed_out")],
)
def test_that_there_is_no_answer_is_told(talk, play, steps, state):
  async def go(one):
    one(("delegate", "weather"))
    one()
    await one.found()
    one()

  one = talk(go, play(steps), cfg=DeskConfig(timeout_s=0.01, late_s=0.01))
  assert one.states[1] == (1, state)
  assert one.texts[0].startswith("no answer to weather: ")


@pytest.mark.parametrize(
  ("order", "states"),
  [
    ("cancel", [(2, "cancelled")]),
    ("Cancel 1", [(1, "cancelled")]),
    ("cancel all", [(1, "cancelled"), (2, "cancelled")]),
    ("cancel the party", []),
    ("cancel the", []),
    ("cancel the A timer", []),
    ("instead c", [(2, "superseded"), (3, "started")]),
    ("a", [(1, "superseded"), (3, "started")]),
    ("c", [(3, "started")]),
  ],
)
def test_minds_are_changed(talk, play, order, states):
  async def go(one):
    one(("delegate", "a"))
    one()
    one(("delegate", "b"))
    one()
    one(("delegate", order))
    one()
    assert one.states[2:] == states

  talk(go, play([30]))


@pytest.mark.parametrize(
  ("order", "ended"),
  [("cancel the timer", 3), ("cancel paris", 2), ("cancel timers", None)],
)
def test_a_job_is_named_by_its_words(talk, play, order, ended):
  async def go(one):
    for task in ("timer for tea", "weather in paris", '{"tool":"timer"}'):
      one(("delegate", task))
      one()
    one(("delegate", order))
    one()
    assert one.states[3:] == ([] if ended is None else [(ended, "cancelled")])

  talk(go, play([30]))


def test_both_kinds_of_tasks_go_on_at_once(talk, play):
  model = play({"a": ["of a"], '{"tool":"b"}': ["of b"]})

  async def go(one):
    one(("delegate", "a"), ("call", '{"tool"'))
    one(("call", ':"b"}'))
    one()
    await one.found()

  assert talk(go, model).texts == ["of a", "of b"]


def test_an_empty_task_is_none(talk, play):
  async def go(one):
    one(("delegate", "  "))
    one()

  assert talk(go, play([])).reports == []


def test_a_clerk_goes_on_where_it_was(talk, play, until):
  first = play({"slow": [30], "fast": ["quick"]})
  second = play({"slow": ["at last"], '{"a"}': ["called"]})

  async def go(one):
    for task in ("slow", "fast"):
      one(("delegate", task))
      one(speaks=True)
    await until(lambda: (2, "done") in one.states)
    one(("call", '{"a"'), speaks=True)
    kept = json.loads(json.dumps(one.clerk.state()))
    other = Talk(second)
    other.clerk.restore(kept)
    other.turn = one.turn
    assert other.clerk.lines == one.clerk.lines
    # What had been found, and not been told.
    other(("call", "}"), speaks=False)
    assert other.texts == ["quick"]
    other()
    await other.found()
    assert other.texts == ["quick", "at last", "called"]
    assert [c.ago_s for c in second.given] == [pytest.approx(0.6), 0.0]
    assert second.given[0].t == first.given[0].t

  talk(go, first)


def test_what_an_event_tells_of_a_report_is_json(talk, play):
  async def go(one):
    one(("delegate", "a"))
    one()
    await one.found()

  one = talk(go, play([Finding("x", shown={"chart": "bar", "data": {"a": 1}})]))
  told = about(one.reports[-1])
  assert json.loads(json.dumps(told)) == told
  assert told["shown"] == {"chart": "bar", "data": {"a": 1}}
