"""The jobs of one session: several at once, none of which it waits for.

Whatever a background model does (nothing, garbage, ten megabytes, an error), a
session hears of it in a few words, and of each job's end once.
"""

import asyncio
import contextlib
import dataclasses
import math
from collections.abc import AsyncIterator, Callable
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


@dataclasses.dataclass(frozen=True)
class DeskConfig:
  """What jobs may do.

  Attributes:
    most: at once.
    timeout_s: from a job's beginning, or its last finding, to the next.
    late_s: how much longer it may go on, unheard of until it finds something.
    most_chars: of a finding; an interaction model reads some 40 in a second.
  """

  most: int = 4
  timeout_s: float = 30.0
  late_s: float = 60.0
  most_chars: int = 600

  def __post_init__(self):
    for name in ("most", "timeout_s", "most_chars"):
      value = getattr(self, name)
      if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"desk.{name}={value} must be more than 0.")
    if not self.late_s >= 0:
      raise ValueError(f"desk.late_s={self.late_s} must be 0 or more.")


@dataclasses.dataclass
class _Job:
  number: int
  context: Context
  task: "asyncio.Task[None] | None" = None
  state: State = "started"


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
      report: is called with everything that happens.
    """
    self.counts: dict[State, int] = {}
    self._model, self._cfg = model, cfg
    self._tell = report
    self._jobs: dict[int, _Job] = {}
    self._number = 0

  @property
  def running(self) -> list[int]:
    """Numbers of the jobs that go on, oldest first."""
    return [
      one.number for one in self._jobs.values() if one.state != "timed_out"
    ]

  def start(self, context: Context, *, replaces: int | None = None) -> int:
    """Starts a job; returns its number.

    Args:
      replaces: the number of a job whose result nobody wants any more.
    """
    if replaces is not None:
      self._stop(replaces, "superseded")
    self._number += 1
    job = _Job(self._number, context)
    if len(self.running) >= self._cfg.most:
      self._report(
        job, "failed", f"{self._cfg.most} other things are being done already"
      )
      return job.number
    self._jobs[job.number] = job
    self._report(job, "started")
    job.task = asyncio.create_task(self._run(job))
    return job.number

  def cancel(self, number: int | None = None) -> None:
    """Ends a job; None: the newest. One that is over stays as it is."""
    if number is None and self.running:
      number = self.running[-1]
    if number is not None:
      self._stop(number, "cancelled")

  async def close(self) -> None:
    """Cancels all jobs and waits until they are gone."""
    jobs = list(self._jobs.values())
    for job in jobs:
      self._stop(job.number, "cancelled")
    tasks = [job.task for job in jobs if job.task is not None]
    await asyncio.gather(*tasks, return_exceptions=True)

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
      reason = f"{type(error).__name__}: {error}" if str(error) else ""
      self._report(job, "failed", reason or type(error).__name__)
    finally:
      self._jobs.pop(job.number, None)

  async def _work(self, job: _Job) -> None:
    cfg, held = self._cfg, None
    wait_s = cfg.timeout_s
    findings = aiter(self._model.run(job.context))
    try:
      while True:
        finding = await self._next(job, findings, wait_s)
        if finding is None:
          break
        # One is held back, since the last is the result.
        if held is not None:
          self._find(job, "partial", held)
        held = finding
        wait_s = finding.wait_s or cfg.timeout_s
        if finding.wait_s is not None:
          # It says that it goes on, so it need not be held back.
          self._find(job, "partial", finding)
          held = None
    finally:
      close = getattr(findings, "aclose", None)
      if close is not None:
        with contextlib.suppress(Exception):
          await close()
    if held is not None:
      self._find(job, "done", held)
    elif job.state != "timed_out":
      self._report(job, "failed", "nothing was found")

  async def _next(
    self, job: _Job, findings: AsyncIterator[Finding], wait_s: float
  ) -> Finding | None:
    """The next finding; None: there are no more, or its time is over."""
    coming = asyncio.ensure_future(anext(findings, None))
    try:
      for state, seconds in (("timed_out", wait_s), (None, self._cfg.late_s)):
        done, _ = await asyncio.wait([coming], timeout=seconds)
        if done:
          return coming.result()
        if state is not None and job.state != "timed_out":
          self._report(job, "timed_out", f"no answer in {wait_s:g} s")
      return None
    finally:
      coming.cancel()
      # One that will not be cancelled is not waited for.
      await asyncio.wait([coming], timeout=_GRACE_S)

  def _find(self, job: _Job, state: State, finding: Finding) -> None:
    if job.state == "timed_out":
      state = "late"
    if job.number in self._jobs:
      self._report(
        job,
        state,
        self._clean(finding.text),
        delivery=finding.delivery,
        shown=finding.shown,
      )

  def _report(
    self, job: _Job, state: State, text: str = "", **more: object
  ) -> None:
    # The end of a job is told once, whatever comes after it.
    over = job.state in OVER
    if over or (job.state == "timed_out" and state == "failed"):
      return
    if state not in ("partial", "late"):
      job.state = state
    self.counts[state] = self.counts.get(state, 0) + 1
    if state in ("failed", "timed_out"):
      text = self._clean(text)
    known = {"delivery": Delivery.WHEN_IDLE, "shown": None} | more
    report = Report(job.number, state, job.context.task, text, **known)  # pyright: ignore[reportArgumentType]
    self._tell(report)

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
