"""Between a conversation and its desk: what is delegated, and when it is told.

    events   delegate " weather in" | delegate " paris" | say "okay"
    desk     job 1: "weather in paris", with all that was said before
    reports  held back while the assistant speaks, then handed in as text

A text that was delegated ends with the first turn that adds nothing to it.
"cancel", "cancel 2", "cancel the timer" or "cancel all" delegated ends jobs
instead of starting one, "instead ..." starts one in place of the newest, and
what is delegated once more supersedes its like.
"""

import collections
import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from interaction_jax.serve.background.desk import Desk, DeskConfig
from interaction_jax.serve.background.job import (
  BackgroundModel,
  Context,
  Delivery,
  Line,
  Origin,
  Report,
  Who,
)
from interaction_jax.serve.events import Event, Kind
from interaction_jax.turns import clock

Inform = Callable[[str, Mapping[str, Any]], None]
"""Hands a text in, and what its event tells besides."""

_WHO: Final[Mapping[Kind, Who]] = {
  "user_text": "user",
  "say": "assistant",
  "show": "screen",
  "call": "call",
  "delegate": "delegate",
  "background": "background",
}

_TASKS: Final[tuple[Origin, ...]] = ("delegate", "call")

_POINTERS: Final = frozenset(("a", "an", "the", "my", "that", "this", "for"))
"""Words that say nothing of which job is meant."""

_LONGEST_WAIT: Final = 50
"""Turns that a report is held back at most: 10 s of speaking on and on."""

_KEPT: Final = 2000
"""Lines of a conversation that are remembered."""


class Clerk:
  """Watches a session, starts its jobs and hands their reports in.

  All of it happens in one loop of asyncio.

  Attributes:
    model: the background model.
    desk: that does the jobs.
  """

  def __init__(
    self,
    model: BackgroundModel,
    inform: Inform,
    *,
    instructions: str | None = None,
    on_report: Callable[[Report], None] = lambda report: None,
    cfg: DeskConfig = DeskConfig(),  # noqa: B008 - frozen
  ):
    """Begins to watch.

    Args:
      on_report: is told of everything at once, whether it is handed in or not.
    """
    self.model = model
    self.desk = Desk(model, self._hear, cfg=cfg)
    self._inform, self._on_report = inform, on_report
    self._instructions = instructions
    self._lines: collections.deque[Line] = collections.deque(maxlen=_KEPT)
    self._open: dict[Origin, str] = {}
    self._held: collections.deque[tuple[Report, int]] = collections.deque()
    self._untold: list[Event] = []
    self._turn, self._speaks = -1, False

  @property
  def lines(self) -> tuple[Line, ...]:
    """The conversation so far."""
    return tuple(self._lines)

  def see(
    self, turn: int, events: Iterable[Event], *, speaks: bool
  ) -> tuple[Event, ...]:
    """A turn is over; called for every one, in order.

    Returns:
      What happened to jobs since the last turn and is not handed in: that they
      began, or were cancelled, or found something to be shown only. All else
      is told when the interaction model reads it.
    """
    again = turn <= self._turn
    self._turn, self._speaks = max(turn, self._turn), speaks
    written: set[Kind] = set()
    # A session that is resumed may run turns again which were seen before.
    for event in () if again else events:
      # What a job found was noted when it was found.
      if event.kind in _WHO and "job" not in event.payload:
        text = event.payload["text"]
        self._note(event.t, _WHO[event.kind], text, event.kind in written)
        written.add(event.kind)
        if event.kind == "delegate" or event.kind == "call":
          self._open[event.kind] = self._open.get(event.kind, "") + text
    for origin in _TASKS:
      if origin in self._open and origin not in written and not again:
        self._begin(self._open.pop(origin).strip(), origin)
    self._hand_in()
    told, self._untold = tuple(self._untold), []
    return told

  def state(self) -> dict[str, Any]:
    """All that it remembers, as JSON holds it."""
    return {
      "turn": self._turn,
      "speaks": self._speaks,
      "instructions": self._instructions,
      "lines": [[one.t, one.who, one.text] for one in self._lines],
      "open": dict(self._open),
      "jobs": [[c.task, c.t, c.origin] for c in self.desk.running.values()],
      "held": [
        dataclasses.asdict(report) | {"delivery": report.delivery.value}
        for report, _ in self._held
      ],
    }

  def restore(self, state: Mapping[str, Any]) -> None:
    """Goes on from a `state`; what was being done begins anew."""
    self._turn, self._speaks = state["turn"], state["speaks"]
    self._instructions = state["instructions"]
    self._lines.extend(Line(*line) for line in state["lines"])
    self._open.update(state["open"])
    for fields in state["held"]:
      delivery = Delivery(fields["delivery"])
      report = Report(**{**fields, "delivery": delivery})
      self._held.append((report, self._turn))
    now = clock.audible(self._turn)
    for task, t, origin in state["jobs"]:
      context = self._context(task, origin)
      self.desk.start(dataclasses.replace(context, t=t, ago_s=now - t))

  def _begin(self, task: str, origin: Origin) -> None:
    """Does what was delegated."""
    first, _, rest = task.partition(" ")
    running = self.desk.running
    if first.lower() == "cancel":
      for number in _meant(rest.lower(), running):
        self.desk.cancel(number)
    elif first.lower() == "instead" and rest:
      self.desk.start(
        self._context(rest, origin), replaces=max(running, default=None)
      )
    elif task:
      like = [n for n, one in running.items() if one.task == task]
      self.desk.start(
        self._context(task, origin), replaces=like[0] if like else None
      )

  def _context(self, task: str, origin: Origin) -> Context:
    t = clock.audible(self._turn)
    return Context(task, self.lines, self._instructions, t, origin)

  def _note(self, t: float, who: Who, text: str, goes_on: bool) -> None:
    """Adds to the conversation; what one writes on and on is one line."""
    last = self._lines[-1] if self._lines else None
    # A task that is over does not go on in the next one.
    begins = who in _TASKS and who not in self._open
    whole = who in ("user", "background") or begins
    if last is not None and last.who == who and (goes_on or not whole):
      self._lines[-1] = dataclasses.replace(last, text=last.text + text)
    elif text.strip():
      self._lines.append(Line(t, who, text))

  def _hear(self, report: Report) -> None:
    self._on_report(report)
    text, t = report.readable, clock.audible(self._turn)
    if text:
      self._lines.append(Line(t, "background", text))
    if text and report.delivery is not Delivery.SILENT:
      self._held.append((report, self._turn))
      self._hand_in()
    else:
      kind = "call_result" if report.origin == "call" else "background"
      payload = {"text": report.text, **about(report)}
      self._untold.append(Event(t, self._turn, kind, payload))

  def _hand_in(self) -> None:
    for report, since in list(self._held):
      idle = not self._speaks or self._turn - since >= _LONGEST_WAIT
      if idle or report.delivery is Delivery.INTERRUPT:
        self._held.remove((report, since))
        self._inform(report.readable, about(report))


def _meant(which: str, running: Mapping[int, Context]) -> list[int]:
  """The jobs that are to be cancelled: all, that of a number, or the newest.

  Of those whose tasks share a word with `which`, where it names one.
  """
  if which == "all":
    return list(running)
  if which.isdecimal():
    return [int(which)]
  wanted = _words(which)
  like = [
    number
    for number, context in running.items()
    if not which or wanted & _words(context.task.lower())
  ]
  return like[-1:]


def _words(text: str) -> set[str]:
  return set(re.findall(r"\w+", text)) - _POINTERS


def about(report: Report) -> dict[str, Any]:
  """What the event of a report tells besides its text."""
  told = {
    "job": report.job,
    "state": report.state,
    "task": report.task,
    "origin": report.origin,
    "delivery": report.delivery.value,
  }
  return told if report.shown is None else {**told, "shown": report.shown}
