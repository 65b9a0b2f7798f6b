import dataclasses

import pytest

from interaction_jax.serve.background.job import Delivery, Report
from interaction_jax.serve.events import Event
from interaction_jax.serve.protocol import extension


@pytest.fixture
def said(made):
  return made(4, speaks=True, user_text="hi", say="well")


def test_nobody_is_told_who_did_not_ask(said):
  assert list(extension.events(said, (), deadline_ms=200.0)) == []


def test_a_turn_is_told(said):
  (told,) = extension.events(said, ("microturn",), deadline_ms=200.0)
  assert 0 <= told.pop("latency_ms") < 1000 and told.pop("event_id")
  assert told == {
    "type": "session.microturn",
    "index": 4,
    "t_ms": 1000,
    "state": "speak",
    "gate": 0.25,
    "saw": False,
    "lost": [0.5, 0.0],
    "compute_ms": 1.5,
    "deadline_ms": 200.0,
  }


def test_channels_are_told(said):
  read, written = extension.events(said, ("channels",), deadline_ms=1.0)
  assert (read["channel"], read["text"], read["t_ms"]) == (
    "user_text", "hi", 1000,
  )  # fmt: skip
  assert (written["channel"], written["delta"]) == ("say", "well")
  assert (written["start_ms"], written["end_ms"]) == (1000, 1200)


def test_it_is_told_of_which_job_something_came(made):
  about = {"job": 2, "state": "done"}
  found = Event(0.7, 3, "background", {"text": "5", **about})
  said = dataclasses.replace(made(3), events=(found,))
  (told,) = extension.events(said, ("channels",), deadline_ms=1.0)
  assert (told["text"], told["about"], told["t_ms"]) == ("5", about, 700)


def test_reports_are_told_whole():
  report = Report(
    2,
    "done",
    "sum",
    text="5",
    delivery=Delivery.INTERRUPT,
    shown={"chart": 1},
  )
  told = extension.report(report, 700)
  assert told["state"] == "done" and told["delivery"] == "interrupt"
  assert told["shown"] == {"chart": 1} and told["t_ms"] == 700
