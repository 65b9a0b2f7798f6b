import dataclasses

import numpy as np
import pytest

from interaction_jax.data import episodes, mixture, records
from interaction_jax.data.form import Form
from interaction_jax.data.record import Record, TextIn, TextOut
from interaction_jax.data.source import Source
from interaction_jax.data.synthetic import world

TURN = 3200
FORM = Form(
  num_turns=14,
  positions=80,
  max_start=100,
  text_in=5,
  text_out=4,
  pinned=12,
  audio=3,
  rows=4,
  columns=6,
  patches=2,
  every=2,
)


def _talk(
  num_turns, *, level=0.5, source="", instruction=False, pictures=False
):
  """Speech in every third and fourth of five turns; its level says whose."""
  num = num_turns * TURN
  speech = [
    (turn * TURN, (turn + 2) * TURN) for turn in range(2, num_turns - 1, 5)
  ]
  texts = [TextOut(first, "say", " two") for first, _ in speech]
  frames = np.full((num_turns, 8, 12, 3), 7, np.uint8)
  return Record(
    heard=np.full(num, level, np.float32),
    voice=np.full(num, level, np.float32),
    speech=tuple(speech),
    text_in=(TextIn(0, "instruction", "be brief"),) * instruction,
    text_out=tuple(texts),
    frames=frames[: num_turns * pictures],
    frame_times=np.arange(num_turns * pictures) * TURN,
    labels=({"scenario": source},),
    source=source,
  )


@pytest.fixture
def folder(tmp_path):
  """A long conversation, three short ones, one with instructions."""
  made = [
    _talk(90, level=0.5, source="long", pictures=True),
    _talk(4, level=0.25, source="a", pictures=True),
    _talk(5, level=0.125, source="b"),
    _talk(30, level=0.0625, source="told", instruction=True),
    _talk(6, level=0.03125, source="c"),
  ]
  records.write(tmp_path / "talks", made, made={})
  return str(tmp_path / "talks")


def _rows(*sources, seed=3, **change):
  return mixture.rows(
    sources,
    vocabulary=world.vocabulary(),
    form=dataclasses.replace(FORM, **change),
    seed=seed,
  )


def _levels(row):
  """The loudness of each turn, which says from which record it is."""
  return row.arrays["heard"][: row.arrays["num_turns"], 0].tolist()


def test_a_row_is_a_function_of_its_number(folder):
  rows, again = _rows(Source(folder)), _rows(Source(folder))
  for number in (0, 5, 1000):
    one, two = rows[number], again[number]
    for name, x in one.arrays.items():
      np.testing.assert_array_equal(x, two.arrays[name])
  other = _rows(Source(folder), seed=4)
  starts = [
    [int(made[number].arrays["start"]) for number in range(8)]
    for made in (rows, other)
  ]
  assert starts[0] != starts[1]


def test_long_conversations_fill_their_rows(folder):
  rows, used, seen = _rows(Source(folder)), [], 0
  for number in range(40):
    row = rows[number]
    if set(_levels(row)) == {0.5}:
      used.append(episodes.taken(row.arrays, FORM))
      seen += int((row.arrays["frames_of"] >= 0).sum())
  # One turn more, of 13 positions at most, would not have fitted.
  assert len(used) > 15
  assert min(used) > 80 - 13 and max(used) <= 80
  assert np.mean(used) > 0.9 * 80
  assert seen > 20


def test_rows_begin_where_the_assistant_is_silent(folder):
  rows = _rows(Source(folder))
  for number in range(20):
    arrays = rows[number].arrays
    # Turn 2 of every five is the first in which it sounds.
    assert not arrays["voice"][0].any()
    assert not arrays["speaks"][0]


def test_a_row_begins_with_the_right_turn_of_its_session(folder):
  rows = _rows(Source(folder), max_start=0)
  starts = [rows[number].arrays for number in range(40)]
  firsts = {
    int(arrays["start"]) for arrays in starts if arrays["heard"][0, 0] == 0.5
  }
  assert len(firsts) > 5 and max(firsts) < 90 and min(firsts) >= 0
  # Of a record, the turns of even number are seen, whatever a row begins with.
  for arrays in starts:
    if arrays["heard"][0, 0] == 0.5:
      seen = np.flatnonzero(arrays["frames_of"] >= 0) + arrays["start"]
      assert len(seen) and not (seen % 2).any()


def test_short_conversations_follow_one_another(folder):
  rows = _rows(Source(folder))
  joined = [
    _levels(rows[number])
    for number in range(40)
    if 0.125 in _levels(rows[number])
  ]
  assert joined
  for levels in joined:
    assert set(levels) <= {0.25, 0.125, 0.03125}
    assert len(set(levels)) > 1
    assert levels == sorted(levels, reverse=True)


def test_instructions_stand_before_every_part(folder):
  rows = _rows(Source(folder))
  told = [
    rows[number].arrays
    for number in range(40)
    if _levels(rows[number])[0] == 0.0625
  ]
  assert len(told) > 5
  for arrays in told:
    assert arrays["num_pinned"] > 0
    assert set(arrays["heard"][: arrays["num_turns"], 0]) == {0.0625}


def test_every_part_comes_once_in_a_pass(folder):
  # A row is taken to hold 9 turns: 90 are 10 parts, 30 are 3, and 15 are 2.
  rows = _rows(Source(folder))
  for begin in (0, 15):
    long = sum(
      _levels(rows[number])[0] == 0.5 for number in range(begin, begin + 15)
    )
    assert long == 10


def test_what_is_recorded_and_what_is_made_are_mixed(folder, bank):
  # Pictures of the size that the synthetic camera has.
  form = {"num_turns": 40, "positions": 300}
  rows = _rows(Source(folder, 3.0), Source(str(bank.path)), **form)
  made = [rows[number] for number in range(16)]
  recorded = [row for row in made if _levels(row)[0] in (0.5, 0.25, 0.0625)]
  assert len(recorded) == 12
  shapes = {name: x.shape for name, x in made[0].arrays.items()}
  for row in made:
    assert {name: x.shape for name, x in row.arrays.items()} == shapes


def test_a_record_that_does_not_fit_is_named(folder):
  rows = _rows(Source(folder), pinned=2)
  with pytest.raises(ValueError, match="talks, record 3: instructions have"):
    for number in range(17):
      rows[number]


def test_sources_must_exist(tmp_path):
  with pytest.raises(ValueError, match=r"sources=\(\) is empty"):
    _rows()
  with pytest.raises(FileNotFoundError, match="not a bank"):
    _rows(Source(str(tmp_path)))
  with pytest.raises(
    FileNotFoundError, match="neither a folder of records nor"
  ):
    mixture.identity(Source(str(tmp_path)))
