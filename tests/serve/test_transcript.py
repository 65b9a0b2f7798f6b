import pytest

from interaction_jax.serve.events import Event
from interaction_jax.serve.transcript import Label, Transcript, Utterances


def test_an_utterance_ends_with_a_pause():
  channel = Utterances(1.0)
  assert channel.add(0.2, " he") == channel.add(0.4, "llo") == []
  assert channel.add(1.4, " cat") == channel.until(2.5) == []
  assert channel.until(2.7) == [Label(0.2, "hello cat")]
  assert channel.until(9.0) == channel.add(9.0, " dog") == []
  assert channel.end() == [Label(9.0, "dog")] and channel.end() == []


def test_what_is_typed_stands_alone():
  channel = Utterances(1.0)
  assert channel.add(0.0, "one", typed=True) == []
  assert channel.add(0.2, "two", typed=True) == [Label(0.0, "one")]
  assert channel.end() == [Label(0.2, "two")]


def test_an_utterance_is_not_for_ever():
  channel = Utterances(1.0)
  ended = [one for t in range(90) for one in channel.add(t / 5, " word")]
  assert len(ended) > 5 and all(len(one.text) < 50 for one in ended)
  words = [word for one in ended + channel.end() for word in one.text.split()]
  assert words == 90 * ["word"]


def test_what_prints_nothing_is_shown_and_what_is_long_is_cut():
  channel = Utterances()
  channel.add(0.0, "a\u0007b\n" + 99 * "c")
  (one,) = channel.end()
  assert one.text.startswith("a\ufffdb ccc") and one.text.endswith("...")
  assert len(one.text) == 60


@pytest.mark.parametrize("kind", ["say", "show"])
def test_lines_come_when_they_have_ended(kind):
  name = {"say": "voice", "show": "screen"}[kind]
  shown = Transcript()
  events = [
    Event(0.4, 1, kind, {"text": " one"}),
    Event(0.4, 1, "speak_start"),
    Event(0.4, 1, "call", {"text": "{}"}),
  ]
  assert shown.turn(0.4, events) == shown.turn(1.4, []) == []
  assert shown.turn(1.8, []) == [f"     0.4 s  {name:<8}one"]
  assert shown.turn(2.0, [Event(2.0, 9, kind, {"text": " two"})]) == []
  assert shown.end() == [f"     2.0 s  {name:<8}two"] and shown.end() == []
