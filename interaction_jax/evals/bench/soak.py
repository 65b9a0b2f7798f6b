"""An hour of conversation with one session: it must not become slow or fat.

A user who speaks in bursts, types now and then and shows something once a
minute talks to a `Session`. In the end the old session and a new one take
turns: what the machine itself did meanwhile is then the same for both.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.evals.bench import machine, timing
from interaction_jax.evals.bench.timing import Times
from interaction_jax.model.config import SamplingConfig
from interaction_jax.serve.models import Model
from interaction_jax.serve.session import Session
from interaction_jax.turns import clock

MINUTE: Final = 60_000 // clock.TURN_MS
"""Turns of a minute, 300."""

LIVELY: Final = SamplingConfig(temperature=1.0)
"""Weights that learned nothing then write all sorts of things."""

_SOUNDS: Final = 64
_SHOWING: Final = 30
"""Turns at the beginning of every minute in which there are pictures."""


class User:
  """Somebody who speaks, types and shows things at random.

  Attributes:
    typed: texts so far.
  """

  def __init__(self, model: Model, *, seed: int):
    self._rng = np.random.default_rng(seed)
    video = model.cfg.video
    shape = (2, video.rows * video.patch, video.columns * video.patch, 3)
    self._pictures = self._rng.integers(0, 256, shape, np.uint8)
    # A stock, since drawing sounds takes longer than hearing them.
    shape = (_SOUNDS, clock.SAMPLES)
    loud = 10.0 ** self._rng.uniform(-2, -0.5, (_SOUNDS, 1))
    self._sounds = self._rng.normal(0, loud, shape).astype(np.float32)
    self._speaks, self._left, self._turn = False, 0, 0
    self.typed = 0

  def next(self) -> dict[str, Any]:
    """What a session is to be pushed in the next turn."""
    rng = self._rng
    if self._left == 0:
      self._speaks = not self._speaks
      # Bursts of 0.4 to 4 s, and silences as long.
      self._left = int(rng.integers(2, 21))
    self._left -= 1
    audio = self._sounds[rng.integers(_SOUNDS)]
    if not self._speaks:
      audio = 1e-4 * audio
    text, frames = None, ()
    if rng.random() < 0.02:
      text = " ".join(rng.choice(world.WORDS, rng.integers(1, 9)))
      self.typed += 1
    if self._turn % MINUTE < _SHOWING:
      frames = tuple(self._pictures)
    self._turn += 1
    return {"audio": np.clip(audio, -1, 1), "frames": frames, "text": text}


@dataclasses.dataclass
class Tally:
  """What a session did, summed up.

  Attributes:
    speaking: turns with a voice.
    written, read: tokens.
    seen: pairs of frames.
    finite: whether all of its voice and its gates were.
  """

  speaking: int = 0
  written: int = 0
  read: int = 0
  seen: int = 0
  finite: bool = True


def run(
  model: Model,
  *,
  num_turns: int,
  seed: int = 0,
  progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
  """Talks for `num_turns` turns; returns what `bench soak` reports.

  Args:
    progress: is told how many turns are done, and how many there are.

  Raises:
    ValueError: there is not even one turn.
  """
  if num_turns < 1:
    raise ValueError(f"turns={num_turns} must be 1 or more; 18000 are an hour.")
  began = time.perf_counter()
  with machine.compilations() as at_start:
    session = Session(model, seed=seed, sampling=LIVELY)
  user, tally = User(model, seed=seed), Tally()
  state_bytes = [_state_bytes(session)]
  minutes, resident = [], []
  with machine.compilations() as in_talk:
    for first in range(0, num_turns, MINUTE):
      num = min(MINUTE, num_turns - first)
      took = [_turn(session, user, tally) for _ in range(num)]
      minutes.append(np.asarray([took]))
      resident.append(machine.resident_bytes())
      if progress is not None:
        progress(first + num, num_turns)
    state_bytes.append(_state_bytes(session))
    num = min(MINUTE, -(-num_turns // 10))
    paired = _beside_a_new_one(session, user, num, seed)
  about: dict[str, Any] = {"dtype": model.cfg.dtype, "batch": 1}
  old, new = paired
  rows = [
    timing.row(
      f"turn, minute {len(minutes)}",
      Times(minutes[-1]),
      **about,
      peer="minute 1",
      peer_times=Times(minutes[0]),
    ),
    timing.row(
      f"turn, after {len(minutes)} minutes",
      old,
      **about,
      peer="a new session",
      peer_times=new,
    ),
  ]
  return {
    "rows": rows,
    "model": model.name,
    "turns": num_turns,
    "programs": len(at_start),
    "compiled_in_talk": len(in_talk),
    "state_bytes": state_bytes,
    "resident_mib": [round(held / 2**20, 1) for held in resident],
    "growth_mib": round((resident[-1] - resident[0]) / 2**20, 1),
    "minutes_ms": [round(float(np.median(ms)), 4) for ms in minutes],
    "typed": user.typed,
    **dataclasses.asdict(tally),
    "wall_s": round(time.perf_counter() - began, 1),
  }


def _turn(session: Session, user: User, tally: Tally) -> float:
  """Runs a turn; returns what the whole `push` took, in ms."""
  pushed = user.next()
  began = time.perf_counter()
  answer = session.push(**pushed)
  took = 1000 * (time.perf_counter() - began)
  (turn,) = answer.turns
  tally.speaking += turn.speaks
  tally.written += len(turn.text)
  tally.read += turn.num_read
  tally.seen += turn.saw
  finite = np.isfinite(turn.voice).all() and np.isfinite(turn.gate)
  tally.finite = tally.finite and bool(finite)
  return took


def _beside_a_new_one(
  old: Session, user: User, num_turns: int, seed: int
) -> tuple[Times, Times]:
  """Both sessions are pushed the same, and each goes first half of the time."""
  new = Session(old.model, seed=seed + 1, sampling=old.sampling)
  took: dict[Session, list[list[float]]] = {old: [], new: []}
  for index in range(num_turns):
    pushed = user.next()
    order = (old, new) if index % 2 else (new, old)
    for session in order:
      began = time.perf_counter()
      session.push(**pushed)
      took[session].append([1000 * (time.perf_counter() - began)])
  return Times(np.asarray(took[old])), Times(np.asarray(took[new]))


def _state_bytes(session: Session) -> int:
  return sum(leaf.nbytes for leaf in session.snapshot().state)


def summary(report: Mapping[str, Any]) -> str:
  """The report as a person reads it."""
  first, last = report["state_bytes"]
  memory = report["resident_mib"]
  return "\n".join(
    (
      timing.table(report["rows"]),
      f"{report['turns']} turns in {report['wall_s']:.0f} s, "
      f"{report['speaking']} with a voice, {report['written']} tokens written",
      f"{report['programs']} programs compiled before, "
      f"{report['compiled_in_talk']} in the conversation",
      f"{memory[0]:.0f} MiB after minute 1, {memory[-1]:.0f} MiB in the end; "
      f"a state of {first} bytes, then of {last}",
    )
  )
