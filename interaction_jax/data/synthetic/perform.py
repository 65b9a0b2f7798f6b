"""Plays a conversation: what was planned becomes sound, text and pictures."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from interaction_jax.data.form import Form
from interaction_jax.data.record import NO_FRAMES, Record, TextIn, TextOut
from interaction_jax.data.synthetic import compose, loss, scene, sound
from interaction_jax.data.synthetic.bank import Bank
from interaction_jax.data.synthetic.compose import Conversation
from interaction_jax.data.synthetic.stage import caption_turn
from interaction_jax.data.synthetic.voices import Split
from interaction_jax.turns import clock

PINNED: Final = 8
"""Tokens that instructions have at most, their markers included."""

_FADE = 80
"""Samples in which a word that is broken off fades, in the turn after it."""


def record(
  bank: Bank,
  rng: np.random.Generator,
  *,
  num_turns: int,
  split: Split,
  shares: Mapping[str, float] | None = None,
  video: float = 0.4,
  instructed: float = 0.0,
  lossy: float = 0.1,
  size: tuple[int, int] = (60, 80),
) -> Record:
  """Draws a conversation, and plays it.

  Args:
    shares: of scenarios by name, where they are not the usual ones.
    video: share of conversations with a camera.
    instructed: share of conversations with an instruction, for models that
      have room for one.
    lossy: share of conversations of which something never arrives.
    size: rows and columns of its pictures.

  Raises:
    ValueError: the bank has no voices of the split, or there is no scenario
      of such a name.
  """
  talk = compose.conversation(
    bank,
    rng,
    num_turns=num_turns,
    split=split,
    shares=shares,
    video=video,
    instructed=instructed,
  )
  played = play(bank, talk, rng, size=size)
  return _lose(played, talk, rng) if rng.random() < lossy else played


def record_for(
  form: Form, bank: Bank, rng: np.random.Generator, *, split: Split
) -> Record:
  """Draws a conversation for a row of training, and plays it.

  It has a camera now and then if the model sees, and instructions if the
  model has room for them: nothing is asked of it that it cannot know.
  Pictures have the model's size.
  """
  return record(
    bank,
    rng,
    num_turns=form.num_turns,
    split=split,
    video=0.4 if form.sees else 0.0,
    instructed=0.1 if form.pinned >= PINNED else 0.0,
    size=(form.rows or 1, form.columns or 1),
  )


def play(
  bank: Bank,
  talk: Conversation,
  rng: np.random.Generator,
  *,
  size: tuple[int, int] = (60, 80),
) -> Record:
  """The conversation as it would have been recorded."""
  said, sounding = _said(bank, talk)
  edges = np.flatnonzero(np.diff(np.r_[False, sounding, False]))
  heard = sound.heard(bank, talk.stages, talk.room, rng, said=said)
  frames, times = _pictures(talk, size)
  return Record(
    heard=heard.astype(np.float32),
    voice=said,
    speech=tuple(
      (int(first) * clock.SAMPLES, int(last) * clock.SAMPLES)
      for first, last in edges.reshape(-1, 2)
    ),
    frames=frames,
    frame_times=times,
    text_in=_read(talk),
    text_out=_written(talk),
    labels=talk.labels,
    source="synthetic",
  )


def _lose(
  played: Record, talk: Conversation, rng: np.random.Generator
) -> Record:
  """What arrives of it."""
  heard = played.heard.copy()
  lost = loss.of_sound(talk.stages, len(heard), rng)
  for first, last in lost:
    heard[first:last] = 0
  lost_frames: tuple[int, ...] = ()
  if len(played.frame_times):
    lost_frames = loss.of_pictures(talk.stages, played.frame_times, rng)
  came = ~np.isin(played.frame_times, lost_frames)
  return dataclasses.replace(
    played,
    heard=heard,
    lost=lost,
    frames=played.frames[came],
    frame_times=played.frame_times[came],
    lost_frames=lost_frames,
  )


def _said(bank: Bank, talk: Conversation) -> tuple[np.ndarray, np.ndarray]:
  """The assistant's sound, and the turns in which it is made."""
  said = np.zeros(talk.num_turns * clock.SAMPLES, np.float32)
  sounding = np.zeros(talk.num_turns, bool)
  for word in (word for stage in talk.stages for word in stage.spoken):
    samples = bank.samples(bank.word(word.word))
    at = word.turn * clock.SAMPLES
    room = (word.last - word.turn) * clock.SAMPLES
    if len(samples) > room:
      fade = np.linspace(1, 0, _FADE, dtype=np.float32)
      samples = samples[: room + _FADE].copy()
      samples[room:] *= fade[: len(samples) - room]
    there = slice(word.turn, word.last)
    assert not sounding[there].any(), f"two words in turn {word.turn}"
    # What fades may meet the beginning of the next word.
    said[at : at + len(samples)] += samples
    sounding[there] = True
  return said, sounding


def _pictures(
  talk: Conversation, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
  """What the camera saw, and when."""
  if talk.floor is None:
    return NO_FRAMES, np.zeros(0, np.int64)
  rows, columns = size
  things = [thing for stage in talk.stages for thing in stage.things]
  times = np.arange(0, talk.num_turns * clock.SAMPLES, scene.PERIOD)
  frames = [
    scene.picture(things, at, rows=rows, columns=columns, floor=talk.floor)
    for at in times.tolist()
  ]
  return np.stack(frames), times


def _read(talk: Conversation) -> tuple[TextIn, ...]:
  """Instructions, what was typed, and what the background model reported."""
  before = (
    [TextIn(0, "instruction", talk.instruction)] if talk.instruction else []
  )
  typed = [
    TextIn(turn * clock.SAMPLES, "user", text)
    for stage in talk.stages
    for turn, text in stage.typed
  ]
  told = [
    TextIn(note.turn * clock.SAMPLES, "background", note.text)
    for stage in talk.stages
    for note in stage.notes
    if note.channel is None
  ]
  return tuple(sorted([*before, *typed, *told], key=lambda text: text.at))


def _written(talk: Conversation) -> tuple[TextOut, ...]:
  """Captions of what the user says, on the screen, and what is said.

  A word that is said is written in the turn that makes the beginning of its
  sound. Captions come first within a turn, so that an answer has the whole
  question before it, as text.
  """
  captions = [
    TextOut(turn * clock.SAMPLES, "show", f" {word}")
    for turn, word in _captions(talk)
  ]
  speech = [
    TextOut(word.turn * clock.SAMPLES, "say", f" {word.word}")
    for stage in talk.stages
    for word in stage.spoken
  ]
  notes = [
    TextOut(note.turn * clock.SAMPLES, note.channel, note.text)
    for stage in talk.stages
    for note in stage.notes
    if note.channel is not None
  ]
  lines = [*captions, *speech, *notes]
  return tuple(sorted(lines, key=lambda text: text.at))


def _captions(talk: Conversation) -> Iterator[tuple[int, str]]:
  """Each word the user says, and the turn in which it is on the screen."""
  for stage in talk.stages:
    for said in stage.utterances:
      for place, word in enumerate(said.words if said.captioned else ()):
        turn = caption_turn(said.word_end(place))
        if turn <= talk.num_turns:
          yield turn, word
