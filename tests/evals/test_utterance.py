import numpy as np
import pytest

from interaction_jax.evals import utterance
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Reply
from interaction_jax.evals.utterance import Utterance
from interaction_jax.serve.events import Event


def test_little_silence_does_not_end_an_utterance():
  words = [
    Word("a", 1.0, 1.2),
    Word("b", 1.75, 2.0),
    Word("c", 2.625, 3.0),
    Word("d", 3.5, 3.75),
  ]
  assert utterance.split(words) == [
    Utterance("a b", 1.0, 2.0),
    Utterance("c d", 2.625, 3.75),
  ]
  assert len(utterance.split(words, gap=0.5)) == 4
  assert utterance.split([]) == []


def test_one_who_does_not_stop_begins_anew():
  words = [Word("a", 0.5 * n, 0.5 * n + 0.5) for n in range(7)]
  assert utterance.split(words, longest=1.5) == [
    Utterance("a a a", 0.0, 1.5),
    Utterance("a a a", 1.5, 3.0),
    Utterance("a", 3.0, 3.5),
  ]


def test_words_may_come_in_any_order():
  words = [Word("b", 1.3, 1.5), Word("a", 1.0, 1.2)]
  assert utterance.split(words) == [Utterance("a b", 1.0, 1.5)]


@pytest.mark.parametrize(
  ("text", "plain", "content"),
  [
    ("It's a RED ball.", ["it's", "a", "red", "ball"], ["it's", "red", "ball"]),
    ("There is the 3rd!", ["there", "is", "the", "3rd"], ["3rd"]),
    ("don’t", ["don't"], ["don't"]),
    ("—", [], []),
    ("To be", ["to", "be"], []),
  ],
)
def test_texts_become_words(text, plain, content):
  assert utterance.plain(text) == plain
  assert utterance.content(text) == content


@pytest.mark.parametrize(
  ("wanted", "made", "share"),
  [
    ("a red ball", "I see the red ball", 1.0),
    ("a red ball", "a blue ball", 0.5),
    ("a red ball", "a", 0.0),
    ("to be", "be", 0.5),
    ("", "anything", 1.0),
  ],
)
def test_what_of_a_text_another_one_has(wanted, made, share):
  assert utterance.share(wanted, made) == share


@pytest.mark.parametrize(
  ("kinds", "text"),
  [
    ({"show": "a\nb", "say": " here"}, "a\nb"),
    ({"say": " here it is"}, "here it is"),
    ({"show": " ", "say": " here"}, "here"),
    ({"call": "{}"}, "heard words"),
    ({}, "heard words"),
  ],
)
def test_what_is_written_goes_before_what_is_heard(kinds, text):
  words = (Word("heard", 0.0, 0.5), Word("words", 0.5, 1.0))
  events = tuple(Event(0.2, 0, k, {"text": v}) for k, v in kinds.items())
  reply = Reply(2.0, words, (), events, lambda: np.zeros(0, np.float32))
  assert utterance.written(reply) == text
