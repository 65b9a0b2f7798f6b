"""Scores by hand. The user speaks from 0 to 1 s, and into it from 3 to 4 s."""

import numpy as np
import pytest

from interaction_jax.evals.fd_bench.v1_5 import load, score
from interaction_jax.evals.harness import item as items
from interaction_jax.evals.harness import judge
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Reply

TRUTH = {
  "context": "count to nine",
  "into": "say red cat",
  "answer": "red cat",
  "span": (3.0, 4.0),
  "input": (Word("count", 0.0, 1.0), Word("say", 3.0, 4.0)),
  "clean_input": (Word("count", 0.0, 1.0),),
}
USER = ((0.0, 1.0), (3.0, 4.0))


def said(text, start):
  """Words of 0.5 s, one behind the other."""
  return tuple(
    Word(one, start + n / 2, start + (n + 1) / 2)
    for n, one in enumerate(text.split())
  )


CLEAN = said("one two three four five six seven eight nine", 1.5)


@pytest.mark.parametrize(
  ("words", "label"),
  [
    # Two turns later it stops, and then it says what is wanted.
    (said("one two three four", 1.5) + said("red cat", 4.5), "C_RESPOND"),
    # Half of that: one of "red", "cat".
    (said("one two three four", 1.5) + said("red dog", 4.5), "C_RESPOND"),
    # It counts on.
    (CLEAN, "C_RESUME"),
    # It stops, and counts on after a while.
    (said("one two three", 1.5) + said("four five six", 6.0), "C_RESUME"),
    # "pardon" asks again, whatever else is said.
    (said("two three four pardon four", 1.5), "C_UNCERTAIN_HANDLING"),
    (said("i didn't catch it", 4.2), "C_UNCERTAIN_HANDLING"),
    # Of "the sky is", nothing is in the clean output, and nothing is wanted.
    (said("one two three", 1.5) + said("the sky is", 4.5), "C_UNKNOWN"),
    # Of four words two are of the clean output: not less than half.
    (said("four five blue sky", 4.5), "C_RESUME"),
    # It falls silent: the last word begins at 2.5 s.
    (said("one two three", 1.5), "C_UNKNOWN"),
    ((), "C_UNKNOWN"),
  ],
)  # fmt: skip
def test_the_rule_looks_at_words(words, label):
  assert score.rule(TRUTH, words, CLEAN) == label


def test_where_no_answer_is_known_what_was_said_is_taken_up():
  truth = TRUTH | {"answer": None}
  # "say" says something, too: two of "say", "red", "cat".
  assert score.rule(truth, said("a red cat", 4.5), CLEAN) == "C_RESPOND"
  assert score.rule(truth, said("a red dog", 4.5), CLEAN) == "C_UNKNOWN"


def scored(part, words, spans, *, truth=TRUTH, by=None, both=True):
  def opened(canvas):
    return items.listening(np.zeros(160_000))

  def reply(words, spans):
    return Reply(
      10.0, tuple(words), spans, (), lambda: np.zeros(160_000), lambda: USER
    )

  whole = Item(f"{part}/0", part, 10.0, opened, truth=truth)
  clean = Item(f"{part}/0", part, 10.0, opened, truth=truth, take=load.CLEAN)
  replies = {whole.key: reply(words, spans)}
  if both:
    replies[clean.key] = reply(CLEAN, ((1.5, 6.0),))
  given = [whole, clean] if both else [whole]
  made = score.score(given, replies, by or judge.Rules())
  assert {one.item for one in made} <= {f"{part}/0"}
  assert {one.kind for one in made} <= {part}
  found = {}
  for one in made:
    found.setdefault(one.row, []).append(one.value)
  return found


def test_an_interruption_that_is_answered():
  words = said("one two three four", 1.5) + said("red cat", 4.5)
  made = scored(load.INTERRUPTION, words, ((1.5, 3.5), (4.5, 5.5)))
  for row in ("user_interruption", "average", "average_corrected", "respond"):
    assert made[row] == [1.0], row
  assert made["resume"] == made["unknown"] == made["uncertain"] == [0.0]
  # 3.0 to 3.5 s is the only overlap; 1.0 to 1.5 and 4.0 to 4.5 s the gaps.
  assert made["stop_latency"] == [0.5]
  assert made["response_latency"] == [0.5, 0.5]
  assert made["stop_latency_corrected"] == [0.5]
  assert made["response_latency_corrected"] == [0.5]


def test_the_same_is_wrong_where_others_are_spoken_to():
  words = said("one two three four", 1.5) + said("red cat", 4.5)
  made = scored("talking_to_other", words, ((1.5, 3.5), (4.5, 5.5)))
  assert made["talking_to_other"] == made["average"] == [0.0]
  made = scored("talking_to_other", CLEAN, ((1.5, 6.0),))
  assert made["talking_to_other"] == made["average_corrected"] == [1.0]
  # All of 3 to 4 s overlaps; it stops at 6.0 s, and never begins again.
  assert made["stop_latency"] == [1.0]
  assert made["stop_latency_corrected"] == [3.0]
  assert made["response_latency_corrected"] == [None]


def test_who_is_silent_then_was_not_spoken_into():
  # It is late, and counts from 4.5 s on: labelled as going on all the same.
  made = scored("user_backchannel", said("one two three", 4.5), ((4.5, 6.0),))
  assert made["average"] == [1.0] and made["average_corrected"] == [None]
  assert made["stop_latency_corrected"] == [None]
  # 4.5 - 4.0 s; the end at 1.0 s has the same beginning behind it.
  assert made["response_latency"] == [0.5]


def test_half_an_item_is_skipped():
  assert scored("user_backchannel", CLEAN, (), both=False) == {}


def test_a_voice_changes():
  sound = np.zeros(160_000, np.float32)
  wave = np.sin(2 * np.pi * 150 * np.arange(16_000) / 16_000)
  sound[24_000:40_000], sound[80_000:96_000] = 0.1 * wave, 0.2 * wave
  spans, words = ((1.5, 2.5), (5.0, 6.0)), said("a b", 1.5) + said("c", 5.0)
  reply = Reply(10.0, words, spans, (), lambda: sound, lambda: USER)
  item = Item("background_speech/0", "background_speech", 10.0,
              lambda canvas: None, truth=TRUTH)  # fmt: skip
  made = {one.row: one.value for one in score.change(item, reply)}
  # Two words in a second before, one after; twice as loud; the same pitch.
  assert made["words_change"] == pytest.approx(60 - 120)
  assert made["level_change"] == pytest.approx(6.02, abs=0.01)
  assert made["pitch_change"] == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize(
  ("answer", "value"),
  [
    ('{"behaviour": ["C_RESPOND"]}', 1.0),
    ('So: {"behaviour": "C_RESUME"}', 0.0),
    ('{"behaviour": ["C_WHATEVER"]}', None),
    ("C_RESPOND", None),
    ('{"behaviour": []}', None),
  ],
)
def test_a_judge_reads_four_transcripts(tmp_path, answer, value):
  asked = []

  def reply(system, prompt, seed):
    asked.append((prompt, seed))
    return answer

  by = judge.Endpoint(
    reply, model="m", address="http://a", cache=tmp_path / "kept.jsonl"
  )
  made = scored(load.INTERRUPTION, said("red cat", 4.5), ((4.5, 5.5),), by=by)
  assert made["user_interruption"] == [value]
  prompt, seed = asked[0]
  # What cannot be read is asked for again, with the next seed.
  assert seed == 1 and [one for _, one in asked] == (
    [1] if value is not None else [1, 2, 3]
  )
  for part in (
    "3.00 to 4.00 s: say red cat",
    "clean_input.json, the same without the overlap\n[0.00-1.00] count",
    "output.json, what the system says to the first\n[4.50-5.50] red cat",
    "[1.50-6.00] one two three four five six seven eight nine",
  ):
    assert part in prompt
