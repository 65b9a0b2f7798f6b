"""An engine under live load: users who talk in real time, each when he likes.

    users    each with a phase of his own, 40 ms of sound a chunk
    counted  from a turn being full to its sound leaving, p50 to p99
    planned  what `serve/plan.py` said of it before, beside it
    sought   if asked for, the largest number that holds, from there on

Nothing here is faster than real time, so ten minutes take ten minutes.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from interaction_jax.data import media
from interaction_jax.evals.bench import machine
from interaction_jax.evals.bench.soak import User
from interaction_jax.model.config import SamplingConfig
from interaction_jax.serve import models, plan
from interaction_jax.serve.conversation import Ready
from interaction_jax.serve.engine import Engine, LiveSession
from interaction_jax.serve.models import Model
from interaction_jax.serve.plan import Costs
from interaction_jax.serve.slots import Slots
from interaction_jax.turns import clock

_CHUNK: Final = 640
"""Samples that a user sends at once: 40 ms."""

_TIMED: Final = 60
"""Ticks by which the cost of one is known."""

_ON_TIME: Final = 0.999
"""The share of turns that are on time where a number holds."""

_LEAVING_S: Final = 60.0
"""For who was cut off in the middle of leaving."""

_MOST: Final = 256
"""Sessions beyond which nothing is sought."""

Progress = Callable[[int, int], None]


def run(
  model: Model,
  *,
  sessions: Sequence[int],
  num_turns: int,
  sampling: SamplingConfig = models.GREEDY,
  churn: int = 100,
  most: bool = False,
  progress: Progress | None = None,
) -> dict[str, Any]:
  """Lets so many users talk, for each number in turn; what `bench` reports.

  Args:
    sessions: how many at once, as many as the engine has slots.
    num_turns: of each user.
    churn: sessions that then come and go, a fifth of them without a word.
    most: seek the largest number that holds, each for a fifth of the turns.
    progress: is told how many turns are over, and how many there are.

  Raises:
    ValueError: there is no turn, or there are no sessions.
  """
  if num_turns < 1:
    raise ValueError(f"turns={num_turns} must be 1 or more; 3000 are 10 min.")
  costs: Costs | None = None

  def live(num: int, num_turns: int, churn: int) -> dict[str, Any]:
    nonlocal costs
    costs = cost(model, num, sampling, costs)
    planned = plan.forecast(num, costs)
    row, seen = asyncio.run(
      _live(model, num, num_turns, sampling, churn, progress)
    )
    if not costs.together:
      costs = costs.after(seen)
    return {
      **row,
      "planned_ms": round(planned.p50_ms, 3),
      "planned_p95_ms": round(planned.p95_ms, 3),
      "planned_missed": planned.missed,
      "tick_ms": round(planned.tick_ms, 3),
    }

  report: dict[str, Any] = {
    "model": model.name,
    "turns": num_turns,
    "rows": [live(num, num_turns, churn) for num in sessions],
  }
  assert costs is not None, "no session is no benchmark"
  while costs.together and most and (num := max(costs.seconds)) < _MOST:
    if plan.most(costs) < num:
      break
    costs = cost(model, 2 * num, sampling, costs)
  planned = plan.most(costs, limit=_MOST)
  if most:
    trials = []

    def holds(num: int) -> bool:
      trials.append(live(num, max(1, num_turns // 5), 1))
      return trials[-1]["missed"] <= 1 - _ON_TIME

    report["held_sessions"] = seek(planned, holds)
    report["trials"] = trials
  return report | {"planned_sessions": planned}


def seek(first: int, holds: Callable[[int], bool]) -> int:
  """The largest number that holds, to an eighth; 0: not even one does.

  Args:
    first: that is tried.
    holds: tries a number; whoever holds, all smaller ones do.
  """
  low, high, num = 0, None, max(1, first)
  while high is None or high - low > max(1, low // 8):
    if holds(num):
      low = num
    else:
      high = num
    step = max(1, num // 4)
    if high is None:
      num += step
    else:
      num = (low + high) // 2 if low else max(1, num - step)
    if num > _MOST or (low, high) == (0, 1):
      break
  return low


def cost(
  model: Model,
  num: int,
  sampling: SamplingConfig = models.GREEDY,
  known: Costs | None = None,
) -> Costs:
  """What ticks of an engine for so many sessions take, all of them live.

  Each sees a pair of pictures as often as its model may.

  Args:
    known: what others take; it is kept.
  """
  slots = Slots(model, num, sampling=sampling)
  rows = [num] if slots.together else range(1, slots.at_once + 1)
  seconds = {} if known is None else dict(known.seconds)
  for some in rows:
    if some not in seconds:
      seconds[some] = _took(slots, some, model)
  return Costs(seconds, together=slots.together)


def _took(slots: Slots, num: int, model: Model) -> list[float]:
  """Seconds of ticks in which so many rows have a turn."""
  users = [User(model, seed=row) for row in range(num)]
  took = []
  for turn in range(_TIMED):
    ready = {
      row: _ready(user, row + turn, model) for row, user in enumerate(users)
    }
    began = time.perf_counter()
    slots.tick(ready)
    took.append(time.perf_counter() - began)
  return took[5:]


def _ready(user: User, turn: int, model: Model) -> Ready:
  pushed = user.next()
  pair = None
  if len(pushed["frames"]) and turn % model.cfg.video.every == 0:
    video = model.cfg.video
    rows, columns = video.rows * video.patch, video.columns * video.patch
    pair = np.stack(
      [media.fit(one, rows=rows, columns=columns) for one in pushed["frames"]]
    )
  sound = np.asarray(pushed["audio"], np.float32)
  return Ready(turn, sound, (), pair, (0.0, 0.0), ())


async def _live(
  model: Model,
  num: int,
  num_turns: int,
  sampling: SamplingConfig,
  churn: int,
  progress: Progress | None,
) -> tuple[dict[str, Any], dict[int, list[float]]]:
  """The row of a report, and what ticks took."""
  async with Engine(model, sessions=num, sampling=sampling) as engine:
    before = machine.resident_bytes()
    # All are let in before any turn can be late: nobody is turned away.
    opened = [await engine.open(seed=seed) for seed in range(num)]
    first = await asyncio.gather(
      *(_user(one, model, num_turns, progress) for one in opened)
    )
    report, after = engine.report(), machine.resident_bytes()
    seen = engine.meter.costs()
    leaked = await _churn(engine, churn)
    # Who was cut off in the middle of leaving is out soon after. This one and
    # the engine's own are meant to be there.
    until = time.monotonic() + _LEAVING_S
    while engine.num_sessions or len(asyncio.all_tasks()) > 2:
      if time.monotonic() > until:
        break
      await asyncio.sleep(0.02)
    tasks = len(asyncio.all_tasks())
  row = {
    "what": f"{num} live sessions",
    "dtype": model.cfg.dtype,
    "batch": num,
    "context": None,
    "ours_ms": round(report["latency_p50"], 3),
    "peer": None,
    "peer_ms": None,
    "ratio": None,
    "n": report["turns"],
    "spread": 0.0,
    "p95_ms": round(report["latency_p95"], 3),
    "p99_ms": round(report["latency_p99"], 3),
    "missed": report["latency_missed"],
    "ticks": report["ticks"],
    "busy": round(report["tick_s"] / (num_turns * clock.TURN_MS / 1000), 4),
    "first_audio_ms": round(1000 * max(first), 1),
    "growth_mib": round((after - before) / 2**20, 1),
    "churned": churn,
    "churn_growth_mib": round(leaked / 2**20, 1),
    "tasks_left": tasks - 2,
    "slots_left": engine.num - len(engine._free),
  }
  return row, seen


async def _user(
  session: LiveSession, model: Model, num_turns: int, progress: Progress | None
) -> float:
  """Talks; returns the seconds from coming to the first voice, silent or not.

  The 200 ms of sound that a first turn needs are part of it.
  """
  seed = session.seed
  user, rng = User(model, seed=seed), np.random.default_rng(seed)
  await asyncio.sleep(float(rng.uniform(0, clock.TURN_MS / 1000)))
  began = time.monotonic()
  async with session:
    fetching = asyncio.create_task(_fetch(session, num_turns, began))
    start = time.monotonic()
    for turn in range(num_turns):
      pushed = user.next()
      frames, text = pushed["frames"], pushed["text"]
      for at in range(0, clock.SAMPLES, _CHUNK):
        heard = turn * clock.SAMPLES + at + _CHUNK
        # A chunk can leave when its last sample was heard, not before.
        wait = start + heard / clock.SAMPLE_RATE - time.monotonic()
        if wait > 0:
          await asyncio.sleep(wait)
        sound = pushed["audio"][at : at + _CHUNK]
        await session.push(sound, frames, text)
        frames, text = (), None
      if progress is not None and not seed:
        progress(turn + 1, num_turns)
    return await fetching


async def _fetch(session: LiveSession, num_turns: int, began: float) -> float:
  """Fetches all turns; returns how long the first took to come."""
  await anext(session)
  took = time.monotonic() - began
  for _ in range(num_turns - 1):
    await anext(session)
  return took


async def _churn(engine: Engine, num: int) -> int:
  """Sessions that come and go; returns the bytes that the process grew by."""
  sound = np.zeros(clock.SAMPLES, np.float32)

  async def one() -> None:
    async with await engine.open() as session:
      await session.push(sound)
      await anext(session)

  before = 0
  for index in range(num):
    task = asyncio.create_task(one())
    if index % 5 == 0:
      # Gone in the middle of it.
      await asyncio.sleep(0.005)
      task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    if index == min(20, num // 2):
      before = machine.resident_bytes()
  return machine.resident_bytes() - before


def summary(report: Mapping[str, Any]) -> str:
  """The report as a person reads it."""
  lines = [
    f"{row['what']}: {row['ours_ms']:.0f} ms (median), {row['p95_ms']:.0f} ms "
    f"(p95), {row['p99_ms']:.0f} ms (p99) from the end of a turn to its sound; "
    f"{100 * row['missed']:.3f} % of {row['n']} turns missed; planned were "
    f"{row['planned_ms']:.0f} and {row['planned_p95_ms']:.0f} ms; a tick takes "
    f"{row['tick_ms']:.0f} ms, busy {100 * row['busy']:.0f} %; first sound "
    f"after {row['first_audio_ms']:.0f} ms; {row['churned']} more came and "
    f"went: {row['churn_growth_mib']:+.1f} MiB, {row['tasks_left']} tasks and "
    f"{row['slots_left']} slots left over"
    for row in report["rows"]
  ]
  planned = report["planned_sessions"]
  lines.append(
    f"this machine holds {planned} sessions at 99.9 % on time, as planned"
  )
  if "held_sessions" in report:
    tried = ", ".join(str(row["batch"]) for row in report["trials"])
    lines.append(f"it held {report['held_sessions']}; tried were {tried}")
  return "\n".join(lines)
