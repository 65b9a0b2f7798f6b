import dataclasses
import itertools
import math

import jax
import numpy as np
import pytest

from interaction_jax.data import episodes
from interaction_jax.data.episodes import Form
from interaction_jax.data.synthetic import perform, score, world
from interaction_jax.ops import spectral
from interaction_jax.turns import vocabulary
from interaction_jax.turns.schema import Episode

FORM = Form(num_turns=60)


def _batch(bank, *, index=0, batch_size=3, seed=0, split="train", form=FORM):
  return episodes.batch(
    bank,
    seed=seed,
    index=index,
    batch_size=batch_size,
    split=split,
    form=form,
  )


@pytest.fixture(scope="module")
def made(bank):
  return _batch(bank, batch_size=12)


def _rows(made):
  """Each row's arrays and its labels."""
  for row, labels in enumerate(made.labels):
    yield {name: x[row] for name, x in made.arrays.items()}, labels


def _tokens(row, name):
  return [
    row[name][turn, : row[f"num_{name}"][turn]].tolist() for turn in range(60)
  ]


def test_shapes_and_types(made):
  shapes = {name: (x.shape, x.dtype.name) for name, x in made.arrays.items()}
  assert shapes == {
    "start": ((12,), "int32"),
    "num_turns": ((12,), "int32"),
    "heard": ((12, 60, 3200), "float32"),
    "voice": ((12, 60, 3200), "float32"),
    "speaks": ((12, 60), "bool"),
    "mel": ((12, 60, 20, 80), "float32"),
    "text_in": ((12, 60, 8), "int32"),
    "num_text_in": ((12, 60), "int32"),
    "text_out": ((12, 60, 6), "int32"),
    "num_text_out": ((12, 60), "int32"),
    "lost": ((12, 60, 2), "float32"),
    "pinned": ((12, 0), "int32"),
    "num_pinned": ((12,), "int32"),
  }


def test_it_is_an_episode(made):
  episode = made.episode()
  assert isinstance(episode, Episode)
  assert episode.frames is None and episode.frames_of is None
  np.testing.assert_array_equal(episode.heard, made.arrays["heard"])
  assert len(jax.tree.leaves(episode)) == len(made.arrays)


def test_the_same_numbers_make_the_same_batch(bank):
  first, again = _batch(bank, index=5), _batch(bank, index=5)
  assert first.labels == again.labels
  for name, x in first.arrays.items():
    np.testing.assert_array_equal(x, again.arrays[name])


@pytest.mark.parametrize(
  "change", [{"index": 6}, {"seed": 1}, {"split": "held_out"}], ids=str
)
def test_other_numbers_make_another(bank, change):
  first, other = _batch(bank, index=5), _batch(bank, **{"index": 5, **change})
  assert (first.arrays["heard"] != other.arrays["heard"]).any()


def test_rows_may_be_made_apart(bank):
  whole = _batch(bank, batch_size=3)
  part = episodes.batch(
    bank, seed=0, index=0, batch_size=3, form=FORM, only=(2, 0)
  )
  for name, rows in part.arrays.items():
    assert rows.tobytes() == whole.arrays[name][[2, 0]].tobytes()
  assert part.labels == (whole.labels[2], whole.labels[0])


def test_a_row_does_not_depend_on_the_batch(bank):
  small, large = _batch(bank, batch_size=1), _batch(bank, batch_size=2)
  for name, x in small.arrays.items():
    np.testing.assert_array_equal(x[0], large.arrays[name][0])


def test_turns_speak_one_turn_ahead_of_the_voice(made):
  spoken = quiet = 0
  for row, labels in _rows(made):
    # All but a word's fade where it is broken off.
    audible = np.abs(row["voice"][:, 80:]).max(axis=-1) > 0
    assert not row["speaks"][-1] and not audible[0]
    assert (audible[1:] <= row["speaks"][:-1]).all()
    still = np.flatnonzero(row["speaks"][:-1] & ~audible[1:]) + 1
    # A word whose end has died away by its last turn: never two in a row.
    assert (np.diff(still) > 1).all()
    quiet += len(still)
    for label in labels:
      for turn in label["word_turns"]:
        assert row["speaks"][turn - 1]
        # The word begins with its turn: within 10 ms there is sound.
        assert np.abs(row["voice"][turn, :160]).max() > 0
      if label["answer"]:
        assert not row["speaks"][label["onset_turn"] - 2]
        assert not row["speaks"][label["silent_turn"] - 1]
    spoken += row["speaks"].sum()
  # Of all rows together: one that speaks a word or two has few turns to count.
  assert spoken > 50 and quiet <= 0.05 * spoken


def test_mel_is_that_of_the_voice_one_turn_later(made):
  floor = episodes.silence(FORM)
  for row, _ in _rows(made):
    _, mel = spectral.push(
      spectral.silence(hop=160, window=640),
      row["voice"].reshape(-1),
      hop=160,
      window=640,
      num_mels=80,
      sample_rate=16_000,
    )
    mel = np.append(mel.reshape(60, 20, 80)[1:], [mel[:20]], axis=0)
    speaks = row["speaks"]
    np.testing.assert_array_equal(row["mel"][speaks], mel[speaks])
    assert (row["mel"][~speaks] == floor).all()


def test_silence_is_lower_than_any_speech(made):
  floor = episodes.silence(FORM)
  assert floor.shape == (80,)
  assert made.arrays["mel"].min() >= floor.min()
  assert made.arrays["mel"][made.arrays["speaks"]].max() > floor.max() + 4


def test_a_vocoder_that_is_late_is_allowed_for(bank):
  late = _batch(bank, form=dataclasses.replace(FORM, delay=200)).arrays
  usual = _batch(bank).arrays
  np.testing.assert_array_equal(late["mel"], usual["mel"])
  np.testing.assert_array_equal(late["speaks"], usual["speaks"])
  np.testing.assert_array_equal(
    late["voice"].reshape(3, -1)[:, 200:],
    usual["voice"].reshape(3, -1)[:, :-200],
  )
  assert usual["speaks"].any()


def test_each_word_is_written_when_its_sound_is_made(made):
  vocab = world.vocabulary()
  for row, labels in _rows(made):
    written = score.spoken(_tokens(row, "text_out"))
    expected = {
      turn - 1: word
      for label in labels
      for turn, word in zip(label["word_turns"], label["answer"], strict=True)
    }
    for turn, tokens in enumerate(written):
      words = vocab.decode(tokens)
      assert words == (f" {expected[turn]}" if turn in expected else "")


def test_what_the_user_says_is_written_on_the_screen(made):
  vocab, checked = world.vocabulary(), 0
  for row, labels in _rows(made):
    shown = score.spoken(_tokens(row, "text_out"), vocabulary.Control.SHOW)
    for label in labels:
      if label["typed"] or len(label["user"]) != 1:
        continue
      start, end = label["user"][0]
      # A word is written by the first turn that hears 100 ms behind it.
      last = math.ceil((end + 0.1) / 0.2) - 1
      assert vocab.decode(shown[last]).split()[-1] == label["asked"][-1]
      turns = shown[int(start / 0.2) : last + 1]
      text = vocab.decode([token for turn in turns for token in turn])
      assert text.split() == label["asked"]
      checked += 1
  assert checked > 0


def test_a_channel_is_named_when_it_changes(made):
  vocab = world.vocabulary()
  for row, _ in _rows(made):
    tokens = [t for turn in _tokens(row, "text_out") for t in turn]
    named = [vocab.control_of(t) for t in tokens]
    channels = [one for one in named if one is not None]
    assert named[0] is not None
    assert all(a != b for a, b in itertools.pairwise(channels))


def test_what_is_typed_is_read_as_the_users(bank):
  vocab, typed = world.vocabulary(), 0
  for seed in range(3):
    record = perform.record(
      bank,
      np.random.default_rng(seed),
      num_turns=60,
      split="train",
      shares={"typed": 50.0},
    )
    row = episodes.arrays(record, vocabulary=vocab, form=FORM)
    read = _tokens(row, "text_in")
    texts = [text for text in record.text_in if text.speaker == "user"]
    for text in texts:
      tokens = read[text.at // 3200]
      assert vocab.control_of(tokens[0]) == vocabulary.Control.USER
      assert vocab.decode(tokens) == text.text
    users = [vocab.id_of(vocabulary.Control.USER) in turn for turn in read]
    assert sum(users) == len(texts)
    typed += len(texts)
  assert typed > 5


def test_start_is_drawn_from_its_range(bank):
  form = Form(num_turns=20, max_start=3)
  starts = _batch(bank, batch_size=30, form=form).arrays["start"]
  assert set(starts.tolist()) == {0, 1, 2, 3}


def test_processes_make_the_same_batches(bank):
  form = Form(num_turns=20)
  made = episodes.stream(
    bank.path, seed=4, batch_size=2, form=form, first=7, ahead=2
  )
  for index in (7, 8, 9):
    here = _batch(bank, seed=4, index=index, batch_size=2, form=form)
    there = next(made)
    assert there.labels == here.labels
    for name, x in here.arrays.items():
      np.testing.assert_array_equal(x, there.arrays[name])
  made.close()


# Records of any origin.

SMALL = Form(
  num_turns=9,
  text_in=5,
  text_out=4,
  pinned=12,
  audio=3,
  rows=6,
  columns=5,
  patches=2,
  every=2,
)


def _row(record, *, start=0, **change):
  return episodes.arrays(
    record,
    vocabulary=world.vocabulary(),
    form=dataclasses.replace(SMALL, **change),
    start=start,
  )


def test_a_record_becomes_a_row_with_padding(conversation):
  row = _row(conversation)
  assert row["num_turns"] == 7
  heard = row["heard"].reshape(-1)
  np.testing.assert_array_equal(heard[:20000], conversation.heard)
  assert not heard[20000:].any()
  # What is audible in the first turn was made by none.
  assert not row["voice"][0].any()
  np.testing.assert_array_equal(
    row["voice"].reshape(-1)[3200:20000], conversation.voice[3200:]
  )
  assert row["speaks"].tolist() == [True] * 6 + [False] * 3
  assert row["frames_of"].tolist() == [0, -1, 1, -1, -1, -1, 2, -1, -1]
  np.testing.assert_array_equal(row["frames"][1, 1], conversation.frames[1])
  pinned = row["pinned"][: row["num_pinned"]]
  vocab = world.vocabulary()
  assert vocab.control_of(int(pinned[0])) == vocabulary.Control.INSTRUCTION
  assert vocab.decode(pinned.tolist()) == "be brief"
  np.testing.assert_allclose(
    row["lost"][:3], [[0, 0.5], [1, 0], [300 / 3200, 0]], atol=1e-7
  )
  # In turn 4 the only picture is lost.
  assert row["lost"][4].tolist() == [0, 1] and not row["lost"][5:].any()


@pytest.mark.parametrize("positions", [34, 40, 47, 55, 63, 200])
def test_a_row_ends_where_its_positions_are_used_up(conversation, positions):
  whole, row = _row(conversation), _row(conversation, positions=positions)
  num = int(row["num_turns"])
  assert episodes.taken(row, SMALL) <= positions
  if num < 7:
    more = {**whole, "num_turns": whole["num_turns"] - (6 - num)}
    for name in ("text_in", "text_out"):
      count = f"num_{name}"
      more[count] = np.where(np.arange(9) <= num, whole[count], 0)
    more["frames_of"] = np.where(np.arange(9) <= num, whole["frames_of"], -1)
    assert episodes.taken(more, SMALL) > positions
  for name in ("heard", "voice", "text_out", "speaks", "mel", "lost"):
    np.testing.assert_array_equal(row[name][:num], whole[name][:num])
  assert not row["heard"][num:].any() and not row["num_text_out"][num:].any()
  assert (row["frames_of"][num:] == -1).all()
  assert (row["mel"][num:] == episodes.silence(SMALL)).all()


def test_a_row_counts_its_positions_as_the_model_does(conversation):
  row = _row(conversation)
  # Ticks, what is heard, its own voice, text, three pairs, instructions.
  text = int(row["num_text_in"].sum() + row["num_text_out"].sum())
  wanted = 7 + 7 * 3 + 6 * 3 + text + 3 * 2 + int(row["num_pinned"])
  assert episodes.taken(row, SMALL) == wanted


def test_longer_records_are_cut(conversation):
  row = _row(conversation, num_turns=4)
  assert row["num_turns"] == 4 and row["heard"].shape == (4, 3200)
  # The last turn still makes what is audible behind it.
  assert row["speaks"].all()


def test_instructions_that_do_not_fit_are_refused(conversation):
  with pytest.raises(ValueError, match=r"instructions have \d+ tokens, but"):
    _row(conversation, pinned=2)
