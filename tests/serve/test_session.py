import dataclasses

import jax
import numpy as np
import pytest

from interaction_jax.data.synthetic import world
from interaction_jax.serve.session import Session
from interaction_jax.serve.snapshot import Snapshot
from interaction_jax.turns import clock

NUM_TURNS = 7


@pytest.fixture
def audio():
  rng = np.random.default_rng(0)
  return rng.normal(0, 0.1, NUM_TURNS * clock.SAMPLES).astype(np.float32)


@pytest.fixture
def start(model, lively):
  """Begins sessions that differ in their seeds only."""
  return lambda seed=1, **other: Session(
    model, seed=seed, sampling=lively, **other
  )


def picture(shade):
  return np.full((30, 40, 3), shade, np.uint8)


def bits(answers):
  """Everything that turns made, to be compared bit by bit."""
  return [
    (turn.index, turn.text, turn.gate, turn.voice.tobytes(), turn.mel.tobytes())
    for answer in answers
    for turn in answer.turns
  ]


@pytest.mark.parametrize(
  "sizes",
  [[3200], [1, 3199, 3201], [480], [7 * 3200], [10_000, 0, 5]],
  ids=["turns", "uneven", "small", "whole", "mixed"],
)
def test_any_cut_gives_the_same_bits(start, audio, sizes):
  one, other = start(), start()
  whole = one.push(audio, text="say cat")
  answers, at, step = [other.push(text="say cat")], 0, 0
  while at < len(audio):
    size = sizes[step % len(sizes)]
    answers.append(other.push(audio[at : at + size]))
    at, step = at + size, step + 1
  assert bits(answers) == bits([whole]) and len(whole.turns) == NUM_TURNS
  events = tuple(event for answer in answers for event in answer.events)
  assert events == whole.events
  assert len({turn.text for turn in whole.turns}) > 1


def test_a_turn_runs_when_it_is_full(start, audio):
  talk = start()
  assert talk.push(audio[:3199]).audio.shape == (0,)
  assert talk.time == 3199 / 16_000 and talk.turn == 0
  assert talk.push(audio[3199:6500]).audio.shape == (2 * clock.SAMPLES,)
  assert talk.turn == 2 and talk.time == pytest.approx(6500 / 16_000)


def test_seeds_decide(start, audio):
  assert bits([start(1).push(audio)]) == bits([start(1).push(audio)])
  assert bits([start(1).push(audio)]) != bits([start(2).push(audio)])


def test_nothing_is_traced_once_a_session_began(start, audio):
  first = start(instructions="be good")
  first.push(audio[:3200], [picture(9)], "hello")
  jax.config.update("jax_no_tracing", True)
  try:
    second = start(seed=5, instructions="be short")
    answer = second.push(audio, [(0.0, picture(3))], "hello")
    copy = second.fork()
    assert copy.push(audio[:3200]).turns[0].index == NUM_TURNS
  finally:
    jax.config.update("jax_no_tracing", False)
  assert answer.turns[0].saw and answer.turns[0].num_read > 0
  assert second._programs is first._programs


def test_a_snapshot_restores_every_bit(start, model, audio):
  talk = start(instructions="be good")
  talk.push(audio[:5000], [(0.0, picture(9)), (0.9, picture(4))])
  talk.push(text=[(0.3, "count to three"), (1.0, "stop")])
  snapshot = talk.snapshot()
  kept = [leaf.tobytes() for leaf in snapshot.state]
  content = snapshot.to_bytes()
  after = talk.push(audio)
  # What the session went on to do reached neither the copy nor its file.
  assert [leaf.tobytes() for leaf in snapshot.state] == kept
  back = Session.resume(model, Snapshot.from_bytes(content))
  again = back.push(audio)
  assert bits([again]) == bits([after]) and again.events == after.events
  ends = (
    [leaf.tobytes() for leaf in one.snapshot().state] for one in (talk, back)
  )
  first, second = ends
  assert first == second != kept
  assert sum(turn.saw for turn in after.turns) == 1


def test_forks_go_their_own_ways(start, audio):
  talk, alone = start(), start()
  for one in (talk, alone):
    one.push(audio[:8000])
  fork = talk.fork()
  other = fork.push(audio[::-1].copy(), text="stop")
  expected = bits([alone.push(audio)])
  assert bits([talk.push(audio)]) == expected != bits([other])


def test_a_snapshot_of_another_model_is_refused(start, model):
  other = dataclasses.replace(model, digest="0" * 64)
  with pytest.raises(ValueError, match=r"of the model .* is 000000000000"):
    Session.resume(other, start().snapshot())


def test_a_snapshot_of_a_model_that_is_quantised_otherwise_is_refused(
  start, model
):
  other = dataclasses.replace(model, quantise={"experts": "int8"})
  with pytest.raises(ValueError, match=r"of a model with quantise=\{\}, but"):
    Session.resume(other, start().snapshot())


def test_text_beyond_the_budget_waits(start, cfg, audio):
  text = "say red and then say blue"
  answer = start().push(audio, text=text)
  read = [turn.num_read for turn in answer.turns]
  # One more for the marker of who speaks.
  assert sum(read) == 1 + len(world.vocabulary().encode(text))
  budget = cfg.turn.text_in
  assert read[0] == budget and read == sorted(read, reverse=True)
  assert len(start().push(audio).turns) == NUM_TURNS


def test_text_is_read_in_its_turn(start, audio):
  texts = [(0.65, "later"), (0.2, "soon")]
  answer = start().push(audio, text=texts)
  told = [event for event in answer.events if event.kind == "user_text"]
  assert [(e.t, e.turn, e.payload["text"]) for e in told] == [
    (0.2, 1, "soon"),
    (0.65, 3, "later"),
  ]
  assert [turn.num_read > 0 for turn in answer.turns[:4]] == [
    False, True, False, True,
  ]  # fmt: skip


def test_what_is_read_before_changes_what_follows(start, audio):
  plain = bits([start().push(audio)])
  assert bits([start(instructions="be good").push(audio)]) != plain
  assert bits([start().push(audio, text="be good")]) != plain


def test_instructions_that_do_not_fit_are_refused(start, cfg):
  with pytest.raises(
    ValueError, match=rf"memory\.pinned={cfg.memory.pinned}; shorter"
  ):
    start(instructions="say " * cfg.memory.pinned)


def test_long_instructions_are_pinned_in_parts(start, audio):
  text = "say " * 20
  talk = start(instructions=text)
  tokens = 1 + len(world.vocabulary().encode(text))
  assert tokens > talk._programs.text_room
  assert talk._state.memory.counts.tolist() == [[tokens, 0, 0]]
  assert len(talk.push(audio[:3200]).turns) == 1


def test_video_is_seen_every_few_turns(start, cfg, audio):
  talk = start()
  frames = [(0.1 * i, picture(10 * i)) for i in range(14)]
  answer = talk.push(audio, frames)
  every = cfg.video.every
  assert [turn.saw for turn in answer.turns] == [
    turn % every == 0 for turn in range(NUM_TURNS)
  ]
  assert bits([answer]) != bits([start().push(audio)])
  # Each turn of video takes what came by then; nothing piles up.
  assert len(talk._conversation._frames) == 0


def test_pictures_without_a_time_are_of_now(start, audio):
  talk = start()
  talk.push(audio[:1600], [picture(1), picture(2)])
  assert [at for at, _ in talk._conversation._frames] == [0.0, 0.1]
  talk.push(frames=[picture(3)])
  assert [at for at, _ in talk._conversation._frames] == [0.0, 0.1, 0.1]


def test_a_network_may_double_and_reorder(start, audio):
  rng = np.random.default_rng(4)
  talk, answers = start(), []
  for turn in range(NUM_TURNS):
    # The last chunk of a turn is the one with which it is run.
    early = [*range(0, 2880, 480)] * 2
    rng.shuffle(early)
    for first in [*early, 2880]:
      at = turn * clock.SAMPLES + first
      chunk = audio[at : at + min(480, clock.SAMPLES - first)]
      answers.append(talk.push(chunk, at=at / clock.SAMPLE_RATE))
  assert bits(answers) == bits([start().push(audio)])


def test_what_is_lost_is_silence_and_told(start, audio):
  talk, silenced = start(), audio.copy()
  silenced[3200 + 800 : 3200 + 1600] = 0
  silenced[3 * 3200 : 5 * 3200] = 0
  answers = [
    talk.push(audio[: 3200 + 800]),
    talk.push(audio[3200 + 1600 : 3 * 3200], at=0.3),
    talk.push(at=1.0),
    # It was heard before 0.8 s, and is too late.
    talk.push(audio[3 * 3200 : 4 * 3200], at=0.6),
    talk.push(audio[5 * 3200 :]),
  ]
  turns = [turn for answer in answers for turn in answer.turns]
  assert [len(answer.turns) for answer in answers] == [1, 2, 2, 0, 2]
  assert [turn.lost for turn in turns] == [
    (0, 0), (0.25, 0), (0, 0), (1, 0), (1, 0), (0, 0), (0, 0),
  ]  # fmt: skip
  plain = start().push(silenced)
  assert all(turn.lost == (0, 0) for turn in plain.turns)
  one, other = bits(answers), bits([plain])
  # What was lost came in turn 1; then these weights make something of it.
  assert one[0] == other[0]
  assert all(a != b for a, b in zip(one[1:], other[1:], strict=True))


def test_a_picture_may_be_lost(start, cfg, audio):
  every = cfg.video.every
  talk = start()
  answer = talk.push(
    audio[: (2 * every + 1) * clock.SAMPLES],
    [
      (0.0, picture(9)),
      (0.1, None),
      (0.2 * every, None),
      (0.2 * every + 0.1, None),
      (0.4 * every, picture(3)),
      (0.4 * every + 0.1, picture(4)),
    ],
  )
  told = [(turn.saw, turn.lost) for turn in answer.turns[::every]]
  assert told == [(True, (0, 0.5)), (False, (0, 1)), (True, (0, 0))]


def test_what_is_lost_is_in_a_snapshot(start, model, audio):
  talk = start()
  talk.push(audio[:1000], [(0.1, None)])
  talk.push(audio[1600:2000], at=0.1)
  content = talk.snapshot().to_bytes()
  back = Session.resume(model, Snapshot.from_bytes(content))
  one, other = (each.push(audio[2000:3200]) for each in (talk, back))
  assert bits([one]) == bits([other])
  assert one.turns[0].lost == other.turns[0].lost == (600 / 3200, 1)


def test_sound_may_be_of_16_bits(start):
  loud = (np.sin(np.arange(6400) / 9) * 9000).astype(np.int16)
  as_floats = loud.astype(np.float32) / 2**15
  assert bits([start().push(loud)]) == bits([start().push(as_floats)])


@pytest.mark.parametrize(
  ("what", "message"),
  [
    ({"audio": np.zeros((2, 5))}, r"shape \(2, 5\); one channel"),
    ({"audio": np.array([0.0, np.nan])}, "NaN or infinity"),
    ({"audio": np.zeros(5, np.int32)}, "type int32; floats"),
    ({"text": [(-1.0, "hello")]}, r"time=-1\.0 s is before"),
    ({"text": "he\udc80llo"}, r"'\\udc80', which is no character"),
    ({"frames": [np.zeros((4, 4), np.uint8)]}, r"shape \(4, 4\)"),
    ({"frames": [(-0.1, picture(0))]}, r"time=-0\.1 s is before"),
    ({"frames": [np.zeros((4, 4, 3))]}, "type float64; rows"),
    ({"at": -0.5}, r"time=-0\.5 s is before"),
    ({"at": np.inf}, r"at=inf s is no time"),
  ],
  ids=[
    "channels",
    "nan",
    "type",
    "text",
    "surrogate",
    "flat",
    "early",
    "floats",
    "past",
    "endless",
  ],
)
def test_bad_input_changes_nothing(start, audio, what, message):
  talk = start()
  good = {"audio": audio, "text": "hello", "frames": [picture(7)]}
  with pytest.raises(ValueError, match=message):
    talk.push(**{**good, **what})
  assert talk.turn == 0 and talk.time == 0.0
  assert bits([talk.push(audio)]) == bits([start().push(audio)])


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_is_32_bits(start, seed):
  with pytest.raises(ValueError, match=f"seed={seed} must lie in 0 to"):
    start(seed=seed)
