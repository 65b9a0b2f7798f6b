import dataclasses
import itertools

import numpy as np
import pytest

from interaction_jax.data import record as records
from interaction_jax.data.form import Form
from interaction_jax.data.synthetic import compose, perform, scene, world
from interaction_jax.data.synthetic.scenarios import SCENARIOS
from interaction_jax.data.synthetic.voices import Split

TURN = 3200
NONE = dict.fromkeys(SCENARIOS, 0.0)


def _record(bank, seed, num_turns=90, split: Split = "train", **kwargs):
  rng = np.random.default_rng(seed)
  return perform.record(bank, rng, num_turns=num_turns, split=split, **kwargs)


@pytest.fixture(scope="module")
def made(bank):
  """Conversations with all that there is."""
  return [
    _record(bank, seed, instructed=0.3, lossy=0.5, size=(15, 20))
    for seed in range(40)
  ]


def _loudness(x, at, length=TURN // 4):
  return float(np.sqrt(np.mean(np.square(x[max(at, 0) : at + length]))))


def test_they_are_records(made):
  for one in made:
    assert list(records.problems(one)) == []
    assert one.num_turns == 90 and one.source == "synthetic"


@pytest.mark.parametrize("sees", [False, True], ids=["blind", "seeing"])
@pytest.mark.parametrize("pinned", [0, 8], ids=["unpinned", "pinned"])
def test_a_model_is_asked_for_nothing_it_cannot_know(bank, sees, pinned):
  rows, columns = (6, 8) if sees else (0, 0)
  form = Form(
    num_turns=40, pinned=pinned, rows=rows, columns=columns, patches=int(sees)
  )
  made = [
    perform.record_for(form, bank, np.random.default_rng(seed), split="train")
    for seed in range(40)
  ]
  assert {one.num_turns for one in made} == {40}
  seen = {one.frames.shape[1:3] for one in made if len(one.frames)}
  assert seen == ({(6, 8)} if sees else set())
  told = [t for one in made for t in one.text_in if t.speaker == "instruction"]
  assert bool(told) == bool(pinned)


def test_seeds_decide_every_byte(bank):
  first, again = (_record(bank, 7, lossy=1.0, video=1.0) for _ in range(2))
  for field in dataclasses.fields(first):
    a, b = getattr(first, field.name), getattr(again, field.name)
    if isinstance(a, np.ndarray):
      assert a.tobytes() == b.tobytes() and a.dtype == b.dtype
    else:
      assert a == b
  assert (_record(bank, 8).heard != first.heard).any()


def test_the_assistant_sounds_where_it_speaks_and_nowhere_else(made):
  for one in made:
    spoken = np.zeros(90 * TURN, bool)
    for first, last in one.speech:
      assert first % TURN == last % TURN == 0
      assert one.voice[first : first + 160].any()
      # What is broken off fades in 5 ms.
      spoken[first : last + 80] = True
    assert not one.voice[~spoken].any()


def test_each_word_is_written_where_its_sound_begins(made, bank):
  words = 0
  for one in made:
    said = [text for text in one.text_out if text.channel == "say"]
    answers = [
      (turn, word)
      for label in one.labels
      for turn, word in zip(label["word_turns"], label["answer"], strict=True)
    ]
    assert [(t.at // TURN, t.text.strip()) for t in said] == answers
    for text in said:
      clip = bank.samples(bank.word(text.text.strip()))
      # The first 100 ms are the clip itself; a word before may fade into it.
      begin = slice(text.at + 80, text.at + 1600)
      np.testing.assert_array_equal(one.voice[begin], clip[80:1600])
      words += 1
  assert words > 100


def test_captions_follow_the_words_by_100_to_300_ms(bank):
  checked = 0
  for seed in range(15):
    rng = np.random.default_rng(seed)
    talk = compose.conversation(bank, rng, num_turns=90, split="train")
    shown = [
      (text.at, text.text.strip())
      for text in perform.play(bank, talk, rng).text_out
      if text.channel == "show" and "{" not in text.text
    ]
    heard = [
      (said.word_end(place), word)
      for stage in talk.stages
      for said in stage.utterances
      if said.captioned
      for place, word in enumerate(said.words)
    ]
    assert [word for _, word in shown] == [word for _, word in heard]
    for (at, _), (end, _) in zip(shown, heard, strict=True):
      assert 1600 <= at - end < 1600 + TURN
      checked += 1
  assert checked > 100


def test_the_user_is_heard_where_the_label_says(bank):
  quiet, loud = [], []
  for seed in range(15):
    one = _record(bank, seed, lossy=0.0, shares={**NONE, "sums": 1.0})
    for label in one.labels:
      ((first, _),) = label["user"]
      at = round(first * 16_000)
      quiet.append(_loudness(one.heard, at - 800, 800))
      loud.append(_loudness(one.heard, at, TURN))
  # In the loudest noise, 5 dB below speech, the step is small.
  steps = 20 * np.log10(np.array(loud) / np.array(quiet))
  assert steps.min() > 0 and np.median(steps) > 12


def test_captions_come_before_speech_in_a_turn(made):
  together = 0
  for one in made:
    turns = itertools.groupby(one.text_out, lambda text: text.at)
    for channels in ([text.channel for text in group] for _, group in turns):
      if {"say", "show"} <= set(channels):
        assert channels[0] == "show"
        together += 1
  assert together > 0


def test_the_camera_takes_ten_pictures_a_second(bank):
  one = _record(bank, 3, video=1.0, lossy=0.0, size=(12, 16))
  assert one.frames.shape == (180, 12, 16, 3)
  assert np.diff(one.frame_times).tolist() == [scene.PERIOD] * 179
  assert one.frame_times[0] == 0
  assert _record(bank, 3, video=0.0).frames.shape[0] == 0


def test_what_is_read_is_what_was_typed_and_told(made):
  speakers = set()
  for one in made:
    typed = [t for t in one.text_in if t.speaker == "user"]
    turns = [turn for label in one.labels for turn in label["read_turns"]]
    assert [text.at // TURN for text in typed] == turns
    told = [t.text for t in one.text_in if t.speaker == "background"]
    notes = [note for label in one.labels for note in label["notes"]]
    assert told == [text for _, channel, text in notes if channel is None]
    written = [
      (text.at // TURN, text.channel, text.text)
      for text in one.text_out
      if text.channel in {"call", "delegate"}
    ]
    wanted = [tuple(note) for note in notes if note[1] in {"call", "delegate"}]
    assert written == wanted
    speakers.update(text.speaker for text in one.text_in)
  assert speakers == {"user", "background", "instruction"}


def test_an_instruction_comes_first(made):
  for one in made:
    for place, text in enumerate(one.text_in):
      assert (text.speaker == "instruction") <= (place == text.at == 0)


def test_what_is_lost_is_silent_and_marked(made):
  sound = pictures = 0
  for one in made:
    for first, last in one.lost:
      assert not one.heard[first:last].any()
      sound += 1
    assert not set(one.lost_frames) & set(one.frame_times.tolist())
    if len(one.frame_times):
      assert len(one.frames) + len(one.lost_frames) == 180
    pictures += len(one.lost_frames)
  assert sound > 20 and pictures > 5
  assert sum(bool(one.lost) for one in made) < 30


def test_a_conversation_may_last_minutes(bank):
  one = _record(
    bank, 2, 900, video=1.0, size=(6, 8), shares={**NONE, "guard": 1.0}
  )
  assert list(records.problems(one)) == []
  longest = max(label["end"] - label["start"] for label in one.labels)
  assert longest > 60
  events = [at for label in one.labels for at in label["events"]]
  assert len(events) > 5 and set(world.SHAPES) & set(one.labels[0]["asked"])
