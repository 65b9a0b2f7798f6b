import pytest

from interaction_jax.evals.cued import match
from interaction_jax.evals.cued.match import Event, Outcome
from interaction_jax.evals.utterance import Utterance


def event(at, *accept, overlap=False):
  accept = accept or ("cat",)
  return Event(at, (at - 0.5, at + 1.0), accept, accept[0], overlap)


def said(*pairs):
  return [Utterance(text, at, at + 0.3) for at, text in pairs]


@pytest.mark.parametrize(
  ("events", "utterances", "offsets", "alarms"),
  [
    ([event(4.0)], [(4.2, "cat")], (0.2,), 0),
    ([event(4.0)], [(5.2, "cat")], (None,), 1),
    ([event(4.0)], [(3.4, "cat")], (None,), 1),
    ([event(4.0)], [(4.2, "dog")], (None,), 1),
    ([event(4.0)], [], (None,), 0),
    # One is enough; the nearer one counts.
    ([event(4.0)], [(4.8, "cat"), (4.1, "a cat")], (0.1,), 1),
    # Two events, two utterances, though both could take the first.
    ([event(4.0), event(4.6)], [(4.2, "cat"), (5.4, "cat")], (0.2, 0.8), 0),
    # Greedily the second event would take what only serves the first.
    ([event(4.6), event(4.0)], [(4.2, "cat"), (5.4, "cat")], (0.8, 0.2), 0),
    ([event(4.0), event(9.0, "dog")], [(9.1, "dog")], (None, 0.1), 0),
  ],
)
def test_events_take_utterances(events, utterances, offsets, alarms):
  made = match.match(events, said(*utterances))
  assert made.false_alarms == alarms
  assert made.offsets == pytest.approx(offsets)


@pytest.mark.parametrize(
  ("accept", "text", "means"),
  [
    (("breathe in",), "now breathe in please", True),
    (("breathe in",), "in", False),
    (("breathe in", "inhale"), "Inhale!", True),
    (("cat",), "cats", False),
    (("it's four",), "It’s four.", True),
  ],
)
def test_all_words_of_one_alternative_have_to_be_there(accept, text, means):
  assert event(1.0, *accept).means(text) == means


def test_some_have_to_come_while_the_user_speaks():
  one = event(4.0, overlap=True)
  user = [(1.0, 4.5)]
  assert match.match([one], said((4.4, "cat")), user=user).hits == 1
  assert match.match([one], said((4.6, "cat")), user=user).hits == 0


def test_some_time_is_free():
  utterances = said((1.0, "okay"), (2.6, "well"))
  made = match.match([event(9.0)], utterances, free=[(0.5, 2.5)])
  assert made == Outcome((None,), 1)


@pytest.mark.parametrize(
  ("offsets", "alarms", "extra", "correct"),
  [
    ((0.1, 0.2), 0, 0, True),
    ((0.1, None), 0, 9, False),
    ((0.1,), 1, 0, False),
    ((0.1,), 1, 1, True),
    ((), 0, 0, True),
  ],
)
def test_all_or_nothing(offsets, alarms, extra, correct):
  assert Outcome(offsets, alarms).correct(extra) == correct


def test_somebody_else_may_say_what_it_means():
  asked = []

  def means(event, one):
    asked.append(one.text)
    return one.text == "feline"

  utterances = said((4.2, "feline"), (7.0, "feline"))
  made = match.match([event(4.0)], utterances, means=means)
  assert made.hits == 1 and made.false_alarms == 1
  assert asked == ["feline"]
