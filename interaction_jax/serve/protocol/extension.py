"""What nobody is told who did not ask: turns, channels, background work.

`protocol/live.py` says what each holds; Realtime has the same.
"""

import time
from collections.abc import Collection, Iterator
from typing import Any, Final

from interaction_jax.serve.background.job import Report
from interaction_jax.serve.driver import Said
from interaction_jax.serve.protocol.event import event
from interaction_jax.turns import clock

NAMES: Final = ("background", "channels", "microturn")

_WRITTEN: Final = ("say", "show", "call", "delegate")
_READ: Final = ("user_text", "background", "call_result")


def span(turn: int) -> dict[str, int]:
  """When what a turn makes is audible, in ms of the session."""
  start = round(1000 * clock.audible(turn))
  return {"start_ms": start, "end_ms": start + clock.TURN_MS}


def events(
  said: Said, asked: Collection[str], *, deadline_ms: float
) -> Iterator[dict[str, Any]]:
  """What is told of a turn to who asked for it."""
  turn = said.turn
  for one in said.events if "channels" in asked else ():
    about = dict(one.payload)
    text = about.pop("text", "")
    if one.kind in _WRITTEN:
      yield event(
        "session.channel.delta",
        channel=one.kind,
        delta=text,
        **span(turn.index),
      )
    elif one.kind in _READ:
      yield event(
        "session.channel.read",
        channel=one.kind,
        text=text,
        about=about,
        t_ms=round(1000 * one.t),
      )
  if "microturn" in asked:
    yield event(
      "session.microturn",
      index=turn.index,
      t_ms=span(turn.index)["start_ms"],
      state="speak" if turn.speaks else "listen",
      gate=round(turn.gate, 4),
      saw=turn.saw,
      lost=list(turn.lost),
      compute_ms=round(turn.compute_ms, 3),
      latency_ms=round(1000 * (time.monotonic() - said.full_at), 3),
      deadline_ms=deadline_ms,
    )


def report(told: Report, t_ms: int) -> dict[str, Any]:
  """What is told of a job of the background model.

  Args:
    t_ms: when, in the session.
  """
  return event(
    "session.background.report",
    job=told.job,
    state=told.state,
    task=told.task,
    text=told.text,
    delivery=told.delivery.value,
    shown=told.shown,
    t_ms=t_ms,
  )
