"""One conversation in this process: `Session(model).push(audio, ...)`.

    push(any number of samples) -> the turns that became full are run
    push(samples, at=seconds)   -> the same, over a network that loses some
    snapshot() -> Session.resume(model, snapshot), fork()

Two sessions of one model with the same seed and the same input make the same
bits, however the input was cut.
"""

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from interaction_jax.model.config import SamplingConfig
from interaction_jax.serve import conversation, models, programs
from interaction_jax.serve import snapshot as snapshots
from interaction_jax.serve.background.job import BackgroundModel
from interaction_jax.serve.background.office import Note, Office
from interaction_jax.serve.conversation import (
  Conversation,
  Made,
  Ready,
  Timed,
  Turn,
)
from interaction_jax.serve.events import Event
from interaction_jax.serve.models import Model
from interaction_jax.serve.snapshot import Snapshot
from interaction_jax.turns import clock
from interaction_jax.turns.vocabulary import Control


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
  """What a `push` brought.

  Attributes:
    audio: the model's voice at 16 kHz, 200 ms for each turn that was run. It
      is to be played from now on: it is audible while the next turns are
      heard.
    events: what happened, in order.
    turns: each turn that was run.
    notes: what the background model found, and a turn read.
  """

  audio: Float[np.ndarray, " I"]
  events: tuple[Event, ...]
  turns: tuple[Turn, ...]
  notes: tuple[Note, ...] = ()


class Session:
  """A conversation with a model.

  Attributes:
    model: that is talked to.
    seed: of all it draws.
    sampling: how it draws.
    background: the slower model that it delegates to, in a thread of its own;
      None: nobody answers.

  Raises:
    ValueError: the instructions do not fit into `memory.pinned`.
    FileNotFoundError: a model was named that does not exist.
  """

  def __init__(
    self,
    model: Model | str | Path,
    *,
    seed: int = 0,
    instructions: str | None = None,
    sampling: SamplingConfig = models.GREEDY,
    background: BackgroundModel | None = None,
  ):
    if not isinstance(model, Model):
      model = models.load(model, cache=models.cache())
    check_seed(seed)
    self.model, self.seed, self.sampling = model, seed, sampling
    self._conversation = Conversation(model.words, model.cfg)
    pinned = self._conversation.pinned(instructions)
    self._programs = model.programs(sampling)
    self._state = self._programs.open(model.params, seed, pinned)
    self.background = background
    self._office = None
    if background is not None:
      self._office = Office(background, instructions=instructions)

  def __enter__(self) -> "Session":
    return self

  def __exit__(self, *_: object) -> None:
    self.close()

  @property
  def turn(self) -> int:
    """Index of the next turn."""
    return self._conversation.turn

  @property
  def time(self) -> float:
    """Seconds heard so far."""
    return self._conversation.time

  def push(
    self,
    audio: np.ndarray | None = None,
    frames: Sequence[np.ndarray | Timed] = (),
    text: str | Iterable[Timed] | None = None,
    *,
    at: float | None = None,
  ) -> Answer:
    """Hears, sees and reads; runs every turn that became full.

    Turns are never put off: where sound was lost the model hears silence, and
    is told how much of the turn is missing.

    Args:
      audio: the next samples at 16 kHz, floats from -1 to 1 or int16. Sound of
        other rates is for `data/resample.py`.
      frames: pictures (rows, columns, RGB in uint8), each alone or as
        (seconds, picture). Those without a time are 100 ms apart, the first
        from now. (seconds, None) is a picture that was lost.
      text: what the user types now, or pairs (seconds, text).
      at: when the first of these samples was heard, in seconds of the session;
        None: behind the last that came. What is left out is lost until it
        comes; what is doubled, or comes after its turn, is dropped. Without
        samples: all before it has come, or never will.

    Raises:
      ValueError: samples, pictures or times are not what they should be.
        Nothing of this call has then been taken in.
    """
    cfg = self.model.cfg
    parcel = conversation.check(audio, frames, text, at=at, cfg=cfg)
    return self._take(parcel)

  def inform(
    self,
    text: str,
    about: Mapping[str, Any] | None = None,
    *,
    at: float | None = None,
  ) -> None:
    """Hands in what a background model found; it is read from now on.

    Args:
      about: what its event tells besides, such as the number of a job.
      at: from when on it is read instead, in seconds of the session.
    """
    self._take(
      conversation.check(
        text=text if at is None else [(at, text)],
        speaker=Control.BACKGROUND,
        about=about,
        cfg=self.model.cfg,
      )
    )

  def settle(self, seconds: float) -> None:
    """Waits for the background model, at most so long.

    Nothing waits for it otherwise. Who runs a recording faster than it was
    spoken gives it the time that it would have had.
    """
    if self._office is not None:
      self._office.settle(seconds)

  def cancel(self, job: int | None = None) -> None:
    """Ends what the background model is doing; None: the newest job."""
    if self._office is not None:
      self._office.cancel(job)

  def close(self) -> None:
    """Ends everything that the background model is doing."""
    if self._office is not None:
      self._office.close()
      self._office = None

  def snapshot(self) -> Snapshot:
    """All of the session but the model, as it is between two turns."""
    talk = self._conversation
    clerk = None if self._office is None else self._office.state()
    # After that nothing is found which is neither here nor there.
    self._learn()
    return Snapshot(
      fields=snapshots.head(self.model, self.seed, self.sampling)
      | talk.fields()
      | {"clerk": clerk},
      # np.array copies: a view would lie in memory that the next turn reuses.
      state=tuple(np.array(leaf) for leaf in jax.tree.leaves(self._state)),
      audio=talk.audio,
      frames=talk.frames,
    )

  @classmethod
  def resume(
    cls,
    model: Model | str | Path,
    snapshot: Snapshot,
    *,
    background: BackgroundModel | None = None,
  ) -> "Session":
    """Goes on where a snapshot was taken.

    On the same platform and versions, what follows has the same bits. What the
    background model was doing begins anew.

    Raises:
      ValueError: the snapshot is of a session of another model.
    """
    if not isinstance(model, Model):
      model = models.load(model, cache=models.cache())
    fields = snapshot.fields
    snapshots.check(snapshot, model)
    sampling = SamplingConfig(**fields["sampling"])
    session = cls(
      model, seed=fields["seed"], sampling=sampling, background=background
    )
    shape = jax.tree.structure(session._state)
    leaves = programs.place(list(snapshot.state), model.mesh)
    session._state = shape.unflatten(leaves)
    session._conversation.restore(fields, snapshot.audio, snapshot.frames)
    if session._office is not None and fields["clerk"] is not None:
      session._office.restore(fields["clerk"])
    return session

  def fork(self) -> "Session":
    """A second session with the same past; each goes its own way."""
    return Session.resume(
      self.model, self.snapshot(), background=self.background
    )

  def _take(self, parcel: conversation.Parcel) -> Answer:
    self._conversation.take(parcel)
    turns, events, notes = [], [], []
    while True:
      notes += self._learn()
      ready = self._conversation.next()
      if ready is None:
        break
      turn, told = self._run(ready)
      if self._office is not None:
        events += self._office.events()
        self._office.see(turn.index, told, speaks=turn.speaks)
      turns.append(turn)
      events += told
    voices = [np.zeros(0, np.float32), *(turn.voice for turn in turns)]
    return Answer(
      np.concatenate(voices), tuple(events), tuple(turns), tuple(notes)
    )

  def _learn(self) -> list[Note]:
    """Takes in what the background model found, for the next turn to read."""
    notes = [] if self._office is None else self._office.notes(self.turn)
    for note in notes:
      self._conversation.take(
        conversation.check(
          text=[(clock.seconds(note.turn), note.text)],
          speaker=Control.BACKGROUND,
          about=note.about,
          cfg=self.model.cfg,
        )
      )
    return notes

  def _run(self, ready: Ready) -> tuple[Turn, tuple[Event, ...]]:
    """One turn: sees, reads, hears, and tells what came of it."""
    began = time.perf_counter()
    params, compiled = self.model.params, self._programs
    if ready.pair is not None:
      media = compiled.seen({0: ready.pair})
      self._state = compiled.absorb(params, self._state, media)
    turn = compiled.heard({0: ready})
    self._state, output = compiled.step(params, self._state, turn)
    (made,) = Made.of(output)
    took = 1000 * (time.perf_counter() - began)
    return self._conversation.tell(ready, made, compute_ms=took)


def check_seed(seed: int) -> None:
  """Refuses what is no seed.

  Raises:
    ValueError: it has more than 32 bits, or is negative.
  """
  if not 0 <= seed < 2**32:
    raise ValueError(f"seed={seed} must lie in 0 to {2**32 - 1}.")
