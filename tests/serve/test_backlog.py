import dataclasses

import numpy as np
import pytest

from interaction_jax.data.record import Record, TextIn
from interaction_jax.serve import backlog
from interaction_jax.serve.session import Session
from interaction_jax.turns import clock


def conversation(seed, num_turns, *, told=False):
  """Noise that is heard, pictures, text, and perhaps instructions."""
  rng = np.random.default_rng(seed)
  # The last turn is not full.
  num = num_turns * clock.SAMPLES - 700
  heard = rng.normal(0, 0.1, num).astype(np.float32)
  lost = ((5000, 6000),)
  for first, last in lost:
    heard[first:last] = 0
  times = np.arange(900, num, 1600)
  texts = [TextIn(3000, "user", "say red cat and"), TextIn(3100, "user", "dog")]
  if told:
    texts.insert(0, TextIn(0, "instruction", "be quiet until anna is here"))
  return Record(
    heard=heard,
    voice=np.zeros(num, np.float32),
    frames=rng.integers(0, 256, (len(times), 9, 7, 3), np.uint8),
    frame_times=times,
    text_in=tuple(texts),
    lost=lost,
    lost_frames=(100, 2100),
  )


def pushed(model, record, seed, sampling):
  """The same conversation, through a session."""
  told = [t.text for t in record.text_in if t.speaker == "instruction"]
  session = Session(
    model,
    seed=seed,
    sampling=sampling,
    instructions=told[0] if told else None,
  )
  rate = clock.SAMPLE_RATE
  session.push(
    frames=[
      (at / rate, picture)
      for at, picture in zip(record.frame_times, record.frames, strict=True)
    ]
    + [(at / rate, None) for at in record.lost_frames],
    text=[(t.at / rate, t.text) for t in record.text_in if t.speaker == "user"],
  )
  heard = np.zeros(record.num_turns * clock.SAMPLES, np.float32)
  heard[: len(record.heard)] = record.heard
  turns, at = [], 0
  for first, last in (*record.lost, (len(heard), len(heard))):
    turns += session.push(heard[at:first], at=at / rate).turns
    at = last
  return turns


def test_a_batch_does_what_sessions_do(model, lively):
  records = [
    conversation(1, 27, told=True),
    conversation(2, 3),
  ]
  made = list(
    backlog.run(model, records, seeds=[7, 8], sampling=lively, batch=2)
  )
  wrote = 0
  for seed, record, one in zip((7, 8), records, made, strict=True):
    turns = pushed(model, record, seed, lively)
    assert one.text == tuple(turn.text for turn in turns)
    np.testing.assert_array_equal(one.speaks, [turn.speaks for turn in turns])
    # Sums of a batch of two are rounded otherwise than those of one.
    np.testing.assert_allclose(
      one.gate, [turn.gate for turn in turns], atol=1e-4
    )
    voice = np.concatenate([turn.voice for turn in turns])
    silence = np.zeros(clock.SAMPLES, np.float32)
    audible = np.concatenate([silence, voice])[: len(record.heard)]
    # The vocoder adds up phases, and with them what was rounded; sound that is
    # a sample late differs by 1.
    np.testing.assert_allclose(one.voice, audible, atol=5e-3)
    wrote += sum(map(len, one.text))
    assert one.speaks.any() and one.turn_ms > 0
  assert wrote > 10


def test_neighbours_change_nothing(model, lively):
  records = [conversation(seed, 3 + seed) for seed in range(3)]
  alone = backlog.run(
    model, [records[0], records[1]], seeds=[3, 4], sampling=lively, batch=2
  )
  others = backlog.run(
    model, [records[0], records[2]], seeds=[3, 5], sampling=lively, batch=2
  )
  first, same = next(alone), next(others)
  assert first.text == same.text
  assert first.voice.tobytes() == same.voice.tobytes()


def test_the_last_batch_may_be_small(model, lively):
  records = [conversation(seed, 2) for seed in range(3)]
  told = []
  made = list(
    backlog.run(
      model,
      records,
      seeds=[0, 1, 2],
      sampling=lively,
      batch=2,
      progress=lambda *numbers: told.append(numbers),
    )
  )
  assert len(made) == 3 and told == [(2, 3), (3, 3)]
  assert list(backlog.run(model, [], seeds=[])) == []


def test_mistakes_are_told(model):
  record = conversation(1, 2)
  with pytest.raises(ValueError, match="batch=0 must be 1 or more"):
    next(backlog.run(model, [record], seeds=[0], batch=0))
  with pytest.raises(ValueError, match="1 records and 2 seeds"):
    next(backlog.run(model, [record], seeds=[0, 1]))
  long = TextIn(0, "instruction", "red cat " * 40)
  record = dataclasses.replace(record, text_in=(long,))
  with pytest.raises(ValueError, match=r"but memory.pinned=30"):
    next(backlog.run(model, [record], seeds=[0]))
