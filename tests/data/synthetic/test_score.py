import dataclasses

import numpy as np
import pytest

from interaction_jax.data.synthetic import perform, score, world
from interaction_jax.turns import vocabulary

LABELS = (
  {
    "scenario": "repeat",
    "start": 0.5,
    "answer": ["red", "cat"],
    "onset_turn": 7,
    "broken": [],
  },
  {
    "scenario": "quiet",
    "start": 2.4,
    "answer": [],
    "onset_turn": None,
    "broken": [],
  },
  {
    "scenario": "stop",
    "start": 4.0,
    "answer": ["one", "two"],
    "onset_turn": 25,
    "broken": [[2, ["three", "four"]]],
  },
)


def _tokens(words_at, num_turns=40):
  vocab = world.vocabulary()
  written = [[] for _ in range(num_turns)]
  written[0] = [vocab.id_of(vocabulary.Control.SAY)]
  for turn, words in words_at.items():
    written[turn] = vocab.encode(words)
  return written


@pytest.mark.parametrize(
  ("words_at", "right", "delays"),
  [
    ({6: " red", 8: " cat", 24: " one", 27: " two"}, [1, 1, 1], [0, None, 0]),
    ({8: " red", 9: " cat", 24: " one"}, [1, 1, 1], [2, None, 0]),
    ({5: " red", 24: " one two three"}, [0, 1, 1], [-1, None, 0]),
    ({6: " red", 8: " cat", 24: " one two four"}, [1, 1, 0], [0, None, 0]),
    ({6: " red", 24: " one two three four"}, [0, 1, 0], [0, None, 0]),
    ({6: " cat red", 24: " two"}, [0, 1, 0], [0, None, 0]),
    ({15: " hello"}, [0, 0, 0], [None, None, None]),
    ({}, [0, 1, 0], [None, None, None]),
  ],
  ids=[
    "perfect",
    "late",
    "early",
    "jumping",
    "deaf",
    "swapped",
    "unasked",
    "silent",
  ],
)
def test_verdicts(words_at, right, delays):
  verdicts = score.judge(_tokens(words_at), LABELS)
  assert [v.right for v in verdicts] == [bool(x) for x in right]
  assert [v.delay for v in verdicts] == delays


def test_what_is_shown_is_no_answer():
  vocab = world.vocabulary()
  written = _tokens({6: " red", 8: " cat"})
  show = vocab.id_of(vocabulary.Control.SHOW)
  say = vocab.id_of(vocabulary.Control.SAY)
  written[5] = [show, *vocab.encode(" say red cat"), say]
  assert score.judge(written, LABELS)[0].right
  written[5] = vocab.encode(" say red cat")
  assert not score.judge(written, LABELS)[0].right


def test_control_tokens_are_no_words():
  written = _tokens({6: " red", 8: " cat"})
  written[6].insert(0, world.vocabulary().id_of(vocabulary.Control.SAY))
  assert score.judge(written, LABELS)[0].right


def test_summary_counts():
  words = {8: " red", 9: " cat", 15: " hello", 23: " one", 27: " two"}
  numbers = score.summary(score.judge(_tokens(words), LABELS))
  assert numbers["all"] == {"n": 3, "right": pytest.approx(2 / 3), "delay": 1.5}
  assert numbers["repeat"] == {"n": 1, "right": 1, "delay": 2}
  assert numbers["quiet"] == {"n": 1, "right": 0}
  assert score.summary([]) == {}


BARGE = {
  **LABELS[2],
  "scenario": "barge",
  "answer": ["one", "two", "red", "cat"],
  "broken": [[2, ["three", "four"]]],
}


@pytest.mark.parametrize(
  ("words", "right"),
  [
    ("one two red cat", True),
    ("one red cat", True),
    ("one two three red cat", True),
    ("one two three four red cat", False),
    ("red cat", False),
    ("one two red", False),
    ("one two four red cat", False),
    ("one two", False),
    ("one two red cat dog", False),
  ],
)
def test_what_follows_a_break_has_to_be_exact(words, right):
  (verdict,) = score.judge(_tokens({24: f" {words}"}), [BARGE])
  assert verdict.right == right


def test_breaks_before_the_first_word_and_one_after_the_other():
  verdict = score.Verdict(
    "two", ("one", "red"), (), 0, ((0, ("two",)), (1, ("three",)))
  )
  for words in ("one red", "red", "two one red", "two one three red"):
    replaced = dataclasses.replace(verdict, written=tuple(words.split()))
    assert replaced.right, words
  for words in ("one", "two two one red", "one two red"):
    replaced = dataclasses.replace(verdict, written=tuple(words.split()))
    assert not replaced.right, words


def test_another_vocabulary_says_the_same():
  letters = vocabulary.train(["a b c"], size=300)
  written = [[] for _ in range(40)]
  written[6] = [
    letters.id_of(vocabulary.Control.SAY),
    *letters.encode(" red"),
  ]
  # A word may be spread over turns.
  first, *rest = letters.encode(" cat")
  written[7], written[8] = [first], rest
  assert rest
  verdicts = score.judge(written, LABELS, vocabulary=letters)
  assert verdicts[0].right and verdicts[0].delay == 0


def _truth(record):
  """What is written in each turn, as a model would that makes no mistake."""
  vocab = world.vocabulary()
  written = [[] for _ in range(record.num_turns)]
  for text in record.text_out:
    channel = vocab.id_of(vocabulary.Control[text.channel.upper()])
    written[text.at // 3200 - 1] += [channel, *vocab.encode(text.text)]
  return written


def test_the_truth_is_right(bank):
  """With captions, charts, calls and all."""
  kinds = set()
  for seed in range(90):
    rng = np.random.default_rng(seed)
    record = perform.record(bank, rng, num_turns=90, split="train")
    verdicts = score.judge(_truth(record), record.labels)
    assert all(v.right for v in verdicts)
    assert {v.delay for v in verdicts} <= {0, None}
    kinds.update(v.scenario for v in verdicts)
  assert kinds >= {"barge", "stop", "timer", "chart", "sums"}
