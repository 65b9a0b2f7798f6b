import json

import pytest

from interaction_jax.data.synthetic import world
from interaction_jax.serve.events import Event, Narrator
from interaction_jax.turns.vocabulary import Control


@pytest.fixture(scope="module")
def words():
  return world.vocabulary()


def told(events):
  return [(event.kind, event.payload.get("text")) for event in events]


def test_channels_hold_until_the_next_is_named(words):
  narrator = Narrator(words)
  say, show, call = (
    words.id_of(one) for one in (Control.SAY, Control.SHOW, Control.CALL)
  )
  red, blue = words.encode(" red"), words.encode(" blue")
  first = narrator.tell(4, (*red, show, *blue), speaks=False)
  assert told(first) == [("say", " red"), ("show", " blue")]
  assert {(event.t, event.turn) for event in first} == {(1.0, 4)}
  assert told(narrator.tell(5, (*red, call), speaks=False)) == [
    ("show", " red")
  ]
  assert told(narrator.tell(6, (*blue, say, *red), speaks=False)) == [
    ("call", " blue"),
    ("say", " red"),
  ]


def test_a_character_is_told_when_it_is_whole(words):
  narrator, show = Narrator(words), words.id_of(Control.SHOW)
  first, *rest = words.encode("é")
  assert rest, "the tokenizer spells é in one token"
  assert told(narrator.tell(0, (first,), speaks=False)) == []
  # Another channel in between leaves it alone.
  between = (show, *words.encode("cat"), words.id_of(Control.SAY))
  assert told(narrator.tell(1, between, speaks=False)) == [("show", "cat")]
  assert told(narrator.tell(2, tuple(rest), speaks=False)) == [("say", "é")]


def test_speaking_begins_and_ends(words):
  narrator = Narrator(words)
  heard = [
    [event.kind for event in narrator.tell(turn, (), speaks=speaks)]
    for turn, speaks in enumerate((False, True, True, False, False, True))
  ]
  assert heard == [
    [], ["speak_start"], [], ["speak_stop"], [], ["speak_start"],
  ]  # fmt: skip


def test_a_narrator_goes_on_from_its_state(words):
  one, other = Narrator(words), Narrator(words)
  first, *rest = words.encode("é")
  show = words.id_of(Control.SHOW)
  one.tell(0, (show, first), speaks=True)
  other.restore(json.loads(json.dumps(one.state())))
  expected = one.tell(1, tuple(rest), speaks=False)
  assert told(expected) == [("speak_stop", None), ("show", "é")]
  assert other.tell(1, tuple(rest), speaks=False) == expected


def test_an_event_is_a_line_of_json():
  event = Event(1.2, 5, "show", {"text": "é\n"})
  line = event.to_json()
  assert "\n" not in line and "é" in line
  assert json.loads(line) == {
    "t": 1.2, "turn": 5, "kind": "show", "payload": {"text": "é\n"},
  }  # fmt: skip
