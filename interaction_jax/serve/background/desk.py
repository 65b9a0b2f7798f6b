"""The jobs of one session: several at once, none of which it waits for.

Whatever a background model does (nothing, garbage, ten megabytes, an error), a
session hears of it in a few words, and of each job's end once.
"""

import asyncio
import contextlib
import dataclasses
import math
from collections.abc import AsyncGenerator, Callable
from typing import Final

from interaction_jax.serve.background.job import (
  OVER,
  BackgroundModel,
  Context,
  Delivery,
  Finding,
  Report,
  State,
)

_CUT: Final = " ... (cut)"

_GRACE_S: Final = 1.0
"""How long a model may take to be cancelled."""

_PASSES: Final = 32
"""Of the loop, in which what is due is done and seen; amply many."""


@dataclasses.dataclass(frozen=True)
class DeskConfig:
  """What jobs may do.

  Attributes:
    most: at once, those that sleep left out.
    most_asleep: that sleep until a time they named, as timers do, besides.
    timeout_s: from a job's beginning, or its last finding, to the next.
    late_s: how much longer it may go on, unheard of until it finds something.
    most_chars: of a finding; an interaction model reads some 40 in a second.
    most_task: characters of a task.
    most_findings: of one job.
  """

  most: int = 4
  most_asleep: int = 16
  timeout_s: float = 30.0
  late_s: float = 60.0
  most_chars: int = 600
  most_task: int = 2000
  most_findings: int = 200

  def __post_init__(self):
    for name in (
      "most",
      "most_asleep",
      "timeout_s",
      "most_chars",
      "most_task",
      "most_findings",
    ):
      value = getattr(self, name)
      if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"desk.{name}={value} must be more than 0.")
    if not (self.late_s >= 0 and math.isfinite(self.late_s)):
      raise ValueError(f"desk.late_s={self.late_s} must be 0 or more.")


_Findings = asyncio.Queue[Finding | None]
"""What a model finds; None: there is no more."""


@dataclasses.dataclass(eq=False)
class _Job:
  number: int
  context: Context
  task: "asyncio.Task[None] | None" = None
  state: State = "started"
  sleeps: bool = False


class Desk:
  """Starts jobs, watches them, and tells what became of them.

  Attributes:
    counts: how many reports of each state there were.
  """

  def __init__(
    self,
    model: BackgroundModel,
    report: Callable[[Report], None],
    *,
    cfg: DeskConfig = DeskConfig(),
  ):
    """Opens a desk.

    Args:
      report: is called with everything that happens, in the loop of asyncio.
    """
    self.counts: dict[State, int] = {}
    self._model, self._cfg = model, cfg
    self._tell = report
    self._jobs: dict[int, _Job] = {}
    self._tasks: set[asyncio.Task[None]] = set()
    self._number = 0
    self._changed = asyncio.Event()

  @property
  def running(self) -> dict[int, Context]:
    """The jobs that go on by their numbers, oldest first; late ones do not."""
    return {
      number: job.context
      for number, job in self._jobs.items()
      if job.state != "timed_out"
    }

  def start(self, context: Context, *, replaces: int | None = None) -> int:
    """Starts a job; returns its number.

    Args:
      replaces: the number of a job whose result nobody wants any more.
    """
    if replaces is not None:
      self._stop(replaces, "superseded")
    self._number += 1
    job = _Job(self._number, context)
    most = self._cfg.most_task
    if len(context.task) > most:
      # What is told of a job must not be longer than what was allowed of it.
      job.context = dataclasses.replace(context, task=context.task[:80])
      self._report(job, "failed", f"a task has {most} characters at most")
      return job.number
    asleep = sum(one.sleeps for one in self._jobs.values())
    if len(self._jobs) - asleep >= self._cfg.most:
      self._report(
        job, "failed", f"{self._cfg.most} other things are being done already"
      )
      return job.number
    if asleep >= self._cfg.most_asleep:
      self._report(
        job, "failed", f"{asleep} other things are being waited for already"
      )
      return job.number
    self._jobs[job.number] = job
    self._report(job, "started")
    job.task = asyncio.create_task(self._run(job))
    self._tasks.add(job.task)
    job.task.add_done_callback(self._tasks.discard)
    return job.number

  def cancel(self, number: int | None = None) -> None:
    """Ends a job; None: the newest. One that is over stays as it is."""
    if number is None:
      number = max(self.running, default=None)
    if number is not None:
      self._stop(number, "cancelled")

  async def settle(self) -> None:
    """Waits until every job is over, or sleeps until a time that is to come."""
    while self._jobs:
      # Whose time has come wakes passes of the loop later: the sleep, the tool,
      # what asked the tool, and the one who watches it run one after another.
      for _ in range(_PASSES):
        await asyncio.sleep(0)
      if all(job.sleeps for job in self._jobs.values()):
        return
      self._changed.clear()
      await self._changed.wait()

  async def close(self) -> None:
    """Cancels all jobs, and waits a moment until they are gone."""
    for number in list(self._jobs):
      self._stop(number, "cancelled")
    if self._tasks:
      await asyncio.wait(self._tasks, timeout=2 * _GRACE_S)

  def _stop(self, number: int, state: State) -> None:
    job = self._jobs.pop(number, None)
    if job is None:
      return
    self._report(job, state)
    if job.task is not None:
      job.task.cancel()

  async def _run(self, job: _Job) -> None:
    try:
      await self._work(job)
    except Exception as error:
      # Whatever a foreign model, its tools or the network raise is a failure
      # of this job and of nothing else.
      name = type(error).__name__
      # Ours say it in words; of others the name is half of what they tell.
      mine = isinstance(error, ValueError) and str(error)
      self._report(job, "failed", str(error) if mine else f"{name}: {error}")
    finally:
      self._jobs.pop(job.number, None)
      self._changed.set()

  async def _work(self, job: _Job) -> None:
    findings: _Findings = asyncio.Queue()
    # The model runs in one task from its beginning to its end, since what it
    # opens may have to be closed where it was opened.
    model = asyncio.create_task(self._pump(job.context, findings))
    try:
      found = await self._watch(job, findings)
      if found is not None:
        # Raises what the model raised.
        await model
        if found:
          self._report(job, "done")
        else:
          self._report(job, "failed", "nothing was found")
    finally:
      model.cancel()
      # One that will not be cancelled is not waited for.
      await asyncio.wait([model], timeout=_GRACE_S)
      if model.done() and not model.cancelled():
        # Nobody asks any more, but asyncio complains where nobody did.
        model.exception()

  async def _pump(self, context: Context, findings: _Findings) -> None:
    try:
      found = self._model.run(context)
      async with contextlib.AsyncExitStack() as stack:
        if isinstance(found, AsyncGenerator):
          await stack.enter_async_context(contextlib.aclosing(found))
        async for finding in found:
          findings.put_nowait(finding)
          # Even one that never waits leaves time for others.
          await asyncio.sleep(0)
    finally:
      findings.put_nowait(None)

  async def _watch(self, job: _Job, findings: _Findings) -> int | None:
    """Tells of findings until the model has no more; returns how many.

    None: all is told, since there was a result, or time is over.
    """
    wait_s, found = self._cfg.timeout_s, 0
    while True:
      try:
        finding = await self._next(job, findings, wait_s)
      except TimeoutError:
        return None
      if finding is None:
        return found
      more = finding.more or finding.wait_s is not None
      self._find(job, "partial" if more else "done", finding)
      if not more:
        return None
      found += 1
      if found == self._cfg.most_findings:
        raise ValueError(f"{found} things were found, and no end")
      wait_s = finding.wait_s or self._cfg.timeout_s
      job.sleeps = finding.wait_s is not None
      self._changed.set()

  async def _next(
    self, job: _Job, findings: _Findings, wait_s: float
  ) -> Finding | None:
    """The next finding; None: there are no more.

    Raises:
      TimeoutError: its time is over, and it is not even late.
    """
    with contextlib.suppress(TimeoutError):
      async with asyncio.timeout(wait_s):
        return await findings.get()
    # Where the loop stood still, both are due at once: what was found in time,
    # and the end of it.
    for _ in range(_PASSES):
      if not findings.empty():
        return findings.get_nowait()
      await asyncio.sleep(0)
    if job.state != "timed_out":
      self._report(job, "timed_out", f"no answer in {wait_s:g} s")
    # It sleeps now, as far as anybody who waits is concerned.
    job.sleeps = True
    self._changed.set()
    async with asyncio.timeout(self._cfg.late_s):
      return await findings.get()

  def _find(self, job: _Job, state: State, finding: Finding) -> None:
    if job.state == "timed_out":
      state = "late"
    if job.number in self._jobs:
      self._report(job, state, finding.text, finding)

  def _report(
    self,
    job: _Job,
    state: State,
    text: str = "",
    finding: Finding | None = None,
  ) -> None:
    # The end of a job is told once, whatever comes after it.
    late = job.state == "timed_out" and state in ("failed", "done")
    if job.state in OVER or late:
      return
    # Before anything is counted: it is not text what some call text.
    text = self._clean(text)
    if state not in ("partial", "late"):
      job.state = state
    self.counts[state] = self.counts.get(state, 0) + 1
    self._tell(
      Report(
        job=job.number,
        state=state,
        task=job.context.task,
        origin=job.context.origin,
        text=text,
        delivery=Delivery.WHEN_IDLE if finding is None else finding.delivery,
        shown=None if finding is None else finding.shown,
      )
    )

  def _clean(self, text: str) -> str:
    """A line that can be read: no controls, no more than a few words."""
    most = self._cfg.most_chars
    # Cut before it is looked at: it may be of any length.
    line = "".join(
      each if each.isprintable() else " " for each in text[: 4 * most]
    )
    line = " ".join(line.split())
    if len(line) <= most and len(text) <= 4 * most:
      return line
    return line[: max(most - len(_CUT), 0)] + _CUT
