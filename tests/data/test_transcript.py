import dataclasses

import numpy as np
import pytest

from interaction_jax.data import transcript
from interaction_jax.data.form import Form
from interaction_jax.data.record import Record, TextIn, TextOut
from interaction_jax.data.synthetic import world

TURN = 3200
VOCAB = world.vocabulary()


def _record(**texts):
  still = np.zeros(9 * TURN, np.float32)
  return Record(heard=still, voice=still, **texts)


def _turns(tokens):
  """The text of each turn, with controls by name."""
  turns = []
  for row, count in zip(tokens.table, tokens.count, strict=True):
    parts = []
    for token in row[:count].tolist():
      control = VOCAB.control_of(token)
      parts.append(VOCAB.decode([token]) if control is None else control.name)
    turns.append("".join(parts))
  return turns


def _read(budget, *texts):
  record = _record(text_in=texts)
  form = Form(text_in=budget)
  return transcript.read(record, 5, vocabulary=VOCAB, form=form)


def _written(budget, *texts, num_turns=5):
  record = _record(text_out=texts)
  form = Form(text_out=budget)
  return transcript.written(record, num_turns, vocabulary=VOCAB, form=form)


def test_text_is_read_in_the_turn_in_which_it_arrives():
  read = _read(
    6,
    TextIn(TURN - 1, "user", "two"),
    TextIn(TURN, "background", "three"),
    TextIn(9 * TURN, "user", "late"),
  )
  assert _turns(read) == ["USERtwo", "BACKGROUNDthree", "", "", ""]


def test_what_exceeds_a_turn_is_read_in_the_next():
  read = _read(3, TextIn(TURN, "user", "abcdefg"), TextIn(TURN, "user", "h"))
  assert read.count.tolist()[:3] == [0, 3, 3]
  assert "".join(_turns(read)) == "USERabcdefgUSERh"


def test_instructions_are_read_before_all():
  instruction = TextIn(0, "instruction", "be brief")
  record = _record(text_in=(instruction, TextIn(0, "user", "hi")))
  tokens = transcript.pinned(record, vocabulary=VOCAB)
  assert VOCAB.control_of(tokens[0]).name == "INSTRUCTION"
  assert VOCAB.decode(tokens) == "be brief"
  read = transcript.read(record, 2, vocabulary=VOCAB, form=Form())
  assert _turns(read)[0] == "USERhi"


def test_text_is_written_in_the_turn_before_it_takes_effect():
  written = _written(
    6,
    TextOut(0, "say", " one"),
    TextOut(TURN, "say", " two"),
    TextOut(3 * TURN + 7, "show", " three"),
  )
  # Nothing can be written before the first turn.
  assert _turns(written) == ["SAY one two", "", "SHOW three", "", ""]


def test_a_channel_is_named_again_when_it_changes():
  written = _written(
    9,
    TextOut(TURN, "show", " one"),
    TextOut(TURN, "say", " one"),
    TextOut(2 * TURN, "say", " two"),
    TextOut(3 * TURN, "show", " two"),
  )
  assert _turns(written)[:3] == ["SHOW oneSAY one", " two", "SHOW two"]


def test_long_pieces_take_what_words_leave():
  long = '{"name":"search"}'
  pieces = len(VOCAB.encode(long))
  written = _written(
    4,
    TextOut(TURN, "call", long),
    TextOut(2 * TURN, "say", " one"),
    num_turns=9,
  )
  turns = _turns(written)
  assert pieces > 6 and written.count.max() == 4
  assert turns[1].startswith("SAY one")
  spoken = "".join(turns).replace("SAY one", "").replace("CALL", "")
  assert spoken == long


@pytest.mark.parametrize("budget", [2, 3])
def test_a_word_is_torn_only_where_no_turn_has_room_for_it(budget):
  word = " zyx"
  assert len(VOCAB.encode(word)) == 4
  written = _written(budget, TextOut(TURN, "say", word), num_turns=6)
  assert "".join(_turns(written)) == "SAY zyx"


def test_what_still_waits_at_the_end_is_left_out():
  written = _written(3, TextOut(5 * TURN, "call", "abcdefghij"))
  assert written.count.tolist() == [0, 0, 0, 0, 3]


def test_a_record_without_text_has_none():
  record = dataclasses.replace(_record())
  assert transcript.pinned(record, vocabulary=VOCAB) == []
  assert not _written(4).count.any() and not _read(4).count.any()
