"""Between a conversation and its desk: what is delegated, and when it is told.

    events   delegate " weather in" | delegate " paris" | say "okay"
    desk     job 1: "weather in paris", with all that was said before
    reports  held back while the assistant speaks, then handed in as text

A text that was delegated ends with the first turn that adds nothing to it.
"cancel" (or "cancel all") delegated ends jobs instead of starting one.
"""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from interaction_jax.serve.background.desk import Desk, DeskConfig
from interaction_jax.serve.background.job import (
  BackgroundModel,
  Context,
  Delivery,
  Line,
  Report,
  Who,
)
from interaction_jax.serve.events import Event, Kind
from interaction_jax.turns import clock

_WHO: Final[Mapping[Kind, Who]] = {
  "user_text": "user",
  "say": "assistant",
  "show": "screen",
  "call": "call",
  "delegate": "delegate",
}

_LONGEST_WAIT: Final = 50
"""Turns that a report is held back at most: 10 s of speaking on and on."""

_KEPT: Final = 2000
"""Lines of a conversation that are remembered."""

_TOLD: Final = ("partial", "done", "late")


class Clerk:
  """Watches a session, starts its jobs and hands their reports in.

  Attributes:
    desk: that does the jobs.
  """

  def __init__(
    self,
    model: BackgroundModel,
    inform: Callable[[str], None],
    *,
    instructions: str | None = None,
    on_report: Callable[[Report], None] = lambda report: None,
    cfg: DeskConfig = DeskConfig(),  # noqa: B008 - frozen
  ):
    """Begins to watch.

    Args:
      inform: hands a text in, such as `Session.inform`.
      on_report: is told of everything, whether it is handed in or not.
    """
    self.desk = Desk(model, self._hear, cfg=cfg)
    self._inform, self._on_report = inform, on_report
    self._instructions = instructions
    self._lines: collections.deque[Line] = collections.deque(maxlen=_KEPT)
    self._open: dict[Kind, str] = {}
    self._held: collections.deque[tuple[Report, int]] = collections.deque()
    self._turn, self._speaks = 0, False

  @property
  def lines(self) -> tuple[Line, ...]:
    """The conversation so far."""
    return tuple(self._lines)

  def see(self, turn: int, events: Iterable[Event], *, speaks: bool) -> None:
    """A turn is over; called for every one, within the loop of asyncio."""
    self._turn, self._speaks = turn, speaks
    written: set[Kind] = set()
    for event in events:
      if event.kind in _WHO:
        text = event.payload["text"]
        self._note(event.t, _WHO[event.kind], text, event.kind in written)
        written.add(event.kind)
        if event.kind in ("delegate", "call"):
          self._open[event.kind] = self._open.get(event.kind, "") + text
    for kind in [one for one in self._open if one not in written]:
      self._start(self._open.pop(kind).strip())
    self._hand_in()

  def _start(self, task: str) -> None:
    words = task.lower().split()
    if words[:1] == ["cancel"]:
      jobs = self.desk.running if words[1:2] == ["all"] else [None]
      for number in jobs:
        self.desk.cancel(number)
    elif words:
      t = clock.audible(self._turn)
      self.desk.start(Context(task, self.lines, self._instructions, t))

  def _note(self, t: float, who: Who, text: str, goes_on: bool) -> None:
    """Adds to the conversation; what one writes on and on is one line."""
    last = self._lines[-1] if self._lines else None
    if last is not None and last.who == who and (goes_on or who != "user"):
      self._lines[-1] = dataclasses.replace(last, text=last.text + text)
    elif text.strip():
      self._lines.append(Line(t, who, text))

  def _hear(self, report: Report) -> None:
    self._on_report(report)
    text = _readable(report)
    if not text:
      return
    self._lines.append(Line(clock.audible(self._turn), "background", text))
    if report.delivery is not Delivery.SILENT:
      self._held.append((report, self._turn))
      self._hand_in()

  def _hand_in(self) -> None:
    for report, since in list(self._held):
      idle = not self._speaks or self._turn - since >= _LONGEST_WAIT
      if idle or report.delivery is Delivery.INTERRUPT:
        self._held.remove((report, since))
        self._inform(_readable(report))


def _readable(report: Report) -> str:
  """What the interaction model reads of a report; nothing of most."""
  if report.state in _TOLD:
    return report.text
  if report.state in ("failed", "timed_out"):
    return f"no answer to {report.task}: {report.text}"
  return ""
