import copy
import dataclasses

import numpy as np
import pytest

from interaction_jax.data import record as recording
from interaction_jax.data.record import TextIn, TextOut

TURN = 3200


def _with(thing, **fields):
  """A copy as another program might have made it, its types unchecked."""
  made = copy.copy(thing)
  for name, value in fields.items():
    object.__setattr__(made, name, value)
  return made


def test_a_record_that_is_one_has_no_problems(conversation):
  assert list(recording.problems(conversation)) == []
  recording.check(conversation)
  assert conversation.num_turns == 7
  assert conversation.seconds == pytest.approx(1.25)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (
      {"heard": np.zeros(0, np.float32), "voice": np.zeros(0, np.float32)},
      "heard is empty",
    ),
    ({"voice": np.zeros(5, np.float32)}, "voice has 5 samples and heard 20000"),
    ({"heard": np.full(20000, np.nan, np.float32)}, "heard holds NaN"),
    ({"frame_times": np.zeros(2, np.int64)}, "3 frames and 2 frame_times"),
    ({"frame_times": np.array([9, 5, 12])}, "5 comes after 9"),
    ({"frame_times": np.array([1, 5, 20000])}, "20000 lies outside 0 to 19999"),
    ({"speech": ((5, 9), (8, 12))}, "speech: 8 to 12 does not lie between 9"),
    ({"speech": ((7, 7),)}, "speech: 7 to 7"),
    ({"lost": ((19000, 20001),)}, "lost: 19000 to 20001"),
    (
      {"text_in": (_with(TextIn(4, "user", "x"), speaker="someone"),)},
      "speaker='someone' is none of",
    ),
    ({"text_in": (TextIn(4, "instruction", "x"),)}, "before turn 0, not at 4"),
    ({"text_out": (TextOut(4, "say", ""),)}, "the text at 4 is empty"),
    (
      {"text_out": (TextOut(9, "say", "x"), TextOut(4, "say", "x"))},
      "4 comes after 9",
    ),
    ({"background": ({"at": 3},)}, "no 'kind'"),
    ({"labels": ({"x": {1, 2}},)}, "cannot be written as JSON"),
  ],
  ids=str,
)
def test_what_is_wrong_is_said(conversation, change, message):
  with pytest.raises(ValueError, match=message):
    recording.check(_with(conversation, **change))


def test_a_part_is_as_if_it_had_begun_there(conversation):
  part = recording.cut(conversation, 2, 3)
  recording.check(part)
  assert part.num_turns == 3
  there = slice(2 * TURN, 5 * TURN)
  np.testing.assert_array_equal(part.heard, conversation.heard[there])
  # Nobody made what is audible in its first turn.
  assert not part.voice[:TURN].any()
  np.testing.assert_array_equal(
    part.voice[TURN:], conversation.voice[there][TURN:]
  )
  assert part.speech == ((TURN, TURN + 500), (TURN + 900, 3 * TURN))
  assert part.frame_times.tolist() == [600]
  np.testing.assert_array_equal(part.frames, conversation.frames[1:2])
  assert [(text.at, text.text) for text in part.text_in] == [
    (0, "be brief"),
    (100, "hello"),
  ]
  assert [text.text for text in part.text_out] == [" two"]
  assert part.background == ({"at": 700, "kind": "done", "job": "a"},)
  assert part.lost == ((0, 300),)
  assert part.lost_frames == (2 * TURN,)
  assert part.labels == ()


def test_the_beginning_keeps_its_voice_and_its_labels(conversation):
  part = recording.cut(conversation, 0, 3)
  np.testing.assert_array_equal(part.voice, conversation.voice[: 3 * TURN])
  assert part.labels == conversation.labels
  assert [text.text for text in part.text_out] == [" one"]


def test_a_part_ends_where_the_record_does(conversation):
  assert len(recording.cut(conversation, 5, 80).heard) == 20000 - 5 * TURN


def test_conversations_follow_one_another(conversation):
  # Instructions stand before the first turn, so later ones have none.
  untold = dataclasses.replace(conversation, text_in=())
  short = recording.cut(untold, 3, 2)
  whole = recording.join([conversation, short, untold])
  recording.check(whole)
  # Each begins with a full turn.
  begins = (0, 7 * TURN, 9 * TURN)
  assert whole.num_turns == 16 and len(whole.heard) == 16 * TURN
  for begin, one in zip(begins, (conversation, short, untold), strict=True):
    there = slice(begin, begin + len(one.heard))
    np.testing.assert_array_equal(whole.heard[there], one.heard)
    np.testing.assert_array_equal(whole.voice[there], one.voice)
  assert not whole.heard[20000 : 7 * TURN].any()
  assert whole.frame_times.tolist() == [
    *conversation.frame_times,
    *(conversation.frame_times + 9 * TURN),
  ]
  assert [text.at for text in whole.text_out][-3:] == [
    text.at + 9 * TURN for text in conversation.text_out
  ]
  assert whole.background[-1]["at"] == 9 * TURN + 2 * TURN + 700
  assert whole.lost_frames == (
    800,
    4 * TURN,
    8 * TURN,
    9 * TURN + 800,
    13 * TURN,
  )
  assert whole.labels == conversation.labels
