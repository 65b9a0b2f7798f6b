"""What a background model is given, and what comes back.

delegated    "weather in paris", with the whole conversation so far
findings     "looking it up" ... "22 degrees and rain"
reports      started, partial, done                    or
             started, failed | timed out (, late) | cancelled | superseded
"""

import dataclasses
import enum
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, Protocol, runtime_checkable

Origin = Literal["delegate", "call"]
"""Where a task was written: handed over in words, or a call of a tool."""

Who = Literal["user", "assistant", "screen", "call", "delegate", "background"]

State = Literal[
  "started",
  "partial",
  "done",
  "failed",
  "timed_out",
  "late",
  "cancelled",
  "superseded",
]
"""What became of a job. `late` is what was found after its time was over."""

OVER: frozenset[State] = frozenset(
  {"done", "failed", "cancelled", "superseded"}
)
"""After these nothing more is heard of a job."""


class Delivery(enum.Enum):
  """When the conversation hears of a finding."""

  SILENT = "silent"
  """Never: it is shown, and known to later jobs."""
  WHEN_IDLE = "when_idle"
  """Once the assistant is not speaking."""
  INTERRUPT = "interrupt"
  """At once."""


@dataclasses.dataclass(frozen=True)
class Line:
  """Something that was said, typed, shown or found, at a time in seconds."""

  t: float
  who: Who
  text: str


@dataclasses.dataclass(frozen=True)
class Context:
  """Everything that a background model is given.

  Attributes:
    task: what was delegated, in the words of the interaction model.
    lines: the whole conversation so far, in order.
    instructions: of the session.
    t: when it was delegated, in seconds of the session.
    ago_s: how long ago that was. More than 0 where a session is resumed: its
      jobs begin anew then.
  """

  task: str
  lines: tuple[Line, ...] = ()
  instructions: str | None = None
  t: float = 0.0
  origin: Origin = "delegate"
  ago_s: float = 0.0


@dataclasses.dataclass(frozen=True)
class Finding:
  """Something that a background model found.

  Attributes:
    text: for the interaction model to read.
    delivery: when.
    shown: for the screen, such as a chart; None: nothing.
    more: whether there is more to come; if not, this is the result, and the
      job is over.
    wait_s: until the next one comes, at most; None: as long as usual. Who says
      so sleeps until then, as a timer does.
  """

  text: str
  delivery: Delivery = Delivery.WHEN_IDLE
  shown: Mapping[str, Any] | None = None
  more: bool = False
  wait_s: float | None = None


@dataclasses.dataclass(frozen=True)
class Report:
  """What happened to a job.

  Attributes:
    job: its number in the session.
    text: what was found, or why not.
  """

  job: int
  state: State
  task: str
  origin: Origin = "delegate"
  text: str = ""
  delivery: Delivery = Delivery.WHEN_IDLE
  shown: Mapping[str, Any] | None = None

  @property
  def readable(self) -> str:
    """What the interaction model reads of it; nothing of most."""
    if self.state in ("partial", "done", "late"):
      return self.text
    if self.state in ("failed", "timed_out"):
      return f"no answer to {self.task}: {self.text}"
    return ""


@runtime_checkable
class BackgroundModel(Protocol):
  """A slower model: it may take its time, fail, and be cancelled."""

  def run(self, context: Context) -> AsyncIterator[Finding]:
    """Works on a task; what it yields is heard of while it goes on.

    It may be cancelled wherever it waits.
    """
    ...
