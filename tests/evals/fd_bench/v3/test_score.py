"""Scores by hand: the user speaks from 1 to 2 s, and from 3 to 4 s."""

import json

import numpy as np
import pytest

from interaction_jax.evals.fd_bench.v3 import score
from interaction_jax.evals.fd_bench.v3.call import Call
from interaction_jax.evals.harness import item as items
from interaction_jax.evals.harness import judge
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Reply
from interaction_jax.serve.events import Event

TRUTH = {
  "scenario": "find the code and set a timer for it",
  "expected": (
    Call("find", {"code": "anna"}),
    Call("timer", {"minutes": "$RESULT_0.number"}),
  ),
  "results": [{"number": 7}, {}],
  "answer": "the code is seven and timer set for seven minutes",
}
FIND = {"tool": "find", "code": "anna"}
TIMER = {"tool": "timer", "minutes": 7}


def said(text, start, step=0.5):
  return tuple(
    Word(one, start + n * step, start + (n + 1) * step)
    for n, one in enumerate(text.split())
  )


def scored(made=(), words=(), *, truth=TRUTH, by=None, at=4.5):
  item = Item(
    "a", "medium", 20.0, lambda canvas: items.listening(np.zeros(3200)),
    truth=truth,
  )  # fmt: skip
  events = tuple(
    Event(at + n, 0, "call", {"text": json.dumps(one)})
    for n, one in enumerate(made)
  )
  reply = Reply(
    20.0, tuple(words), (), events, lambda: np.zeros(0),
    lambda: ((1.0, 2.0), (3.0, 4.0)),
  )  # fmt: skip
  scores = score.score([item], {"a": reply}, by or judge.Rules())
  return {one.row: one.value for one in scores}


@pytest.mark.parametrize(
  ("made", "f1", "arguments", "exact", "passed", "corrected"),
  [
    ([FIND, TIMER], 1.0, 1.0, 1.0, 1, 1),
    ([], 0.0, 0.0, 0.0, 0, 0),
    # One of two: 2 * 1 / (2 + 1).
    ([FIND], 2 / 3, 0.5, 0.5, 0, 0),
    # In another form: right to the judge, not equal.
    ([FIND, {"tool": "timer", "minutes": "seven"}], 1.0, 1.0, 0.5, 1, 1),
    # Wrong minutes.
    ([FIND, {"tool": "timer", "minutes": 9}], 1.0, 0.5, 0.5, 0, 0),
    # A wrong one is taken back: 2 * 2 / (2 + 3), and one too many.
    ([FIND, {"tool": "timer", "minutes": 9}, TIMER], 0.8, 1.0, 1.0, 0, 1),
    # A right one is taken back.
    ([FIND, TIMER, {"tool": "timer", "minutes": 9}], 0.8, 1.0, 1.0, 0, 0),
    # One of a tool that nobody expects is too many in either way.
    ([FIND, TIMER, {"tool": "weather"}], 0.8, 1.0, 1.0, 0, 0),
    # One argument more does no harm, but is not equal.
    ([FIND | {"of": "x"}, TIMER], 1.0, 1.0, 0.5, 1, 1),
  ],
)
def test_tools(made, f1, arguments, exact, passed, corrected):
  found = scored(made)
  assert found["tool_f1"] == pytest.approx(f1)
  assert found["arguments"] == arguments
  assert found["arguments_exact"] == exact
  assert found["pass_at_1"] == passed
  assert found["pass_at_1_corrected"] == corrected


@pytest.mark.parametrize(
  ("text", "answer", "right"),
  [
    ("the code is seven and timer set for seven minutes", TRUTH["answer"], 1),
    # Of code, seven, timer, set, minutes: four, which is more than 3/4.
    ("code seven timer set", TRUTH["answer"], 1),
    # Three.
    ("code seven timer", TRUTH["answer"], 0),
    ("", TRUTH["answer"], 0),
    # Where no answer is known, what the calls bring: "7".
    ("it is 7", None, 1),
    ("it is eight", None, 0),
  ],
)
def test_the_rule_for_answers(text, answer, right):
  found = scored(words=said(text, 5.0), truth=TRUTH | {"answer": answer})
  assert found["response_quality"] == right


def test_anything_said_will_do_where_nothing_is_brought():
  truth = TRUTH | {"answer": None, "results": [{}, {}]}
  assert scored(words=said("done", 5.0), truth=truth)["response_quality"] == 1
  assert scored(truth=truth)["response_quality"] == 0


LONG = "here it is now then"


@pytest.mark.parametrize(
  ("words", "official", "corrected"),
  [
    # Turn, interruption, latency.
    ((), (0, None, None), (0, 0, None)),
    # 4.6 - 4.0 s.
    (said(LONG, 4.6), (1, 0, 0.6), (1, 0, 0.6)),
    # Into the pause from 2 to 3 s: the floor is taken, and never again.
    (said(LONG, 2.2), (1, 1, 0.0), (0, 1, None)),
    # The same, and an answer, 6.0 - 4.0 s.
    (said("here it", 2.2) + said(LONG, 6.0), (1, 1, 0.0), (1, 1, 2.0)),
    # A nod of 0.5 s interrupts as published only.
    (said("okay", 2.2) + said(LONG, 5.0), (1, 1, 0.0), (1, 0, 1.0)),
    # A single word of 0.5 s is no answer, as corrected.
    (said("done", 4.5), (1, 0, 0.5), (0, 0, None)),
    # 3.9 s is before the end, but by less than 0.2 s.
    (said(LONG, 3.9), (1, 1, 0.0), (1, 0, 0.0)),
  ],
)
def test_timing(words, official, corrected):
  found = scored(words=words)
  rows = ("turn_take", "interruption", "response_latency")
  for suffix, wanted in (("", official), ("_corrected", corrected)):
    assert [found[f"{row}{suffix}"] for row in rows] == [
      one if one is None else pytest.approx(one) for one in wanted
    ]


def test_latency_of_calls():
  # Calls at 4.5 and 5.5 s, an utterance at 4.2 s and one at 6.5 s.
  words = said("let me see", 4.2, 0.2) + said("seven", 6.5)
  found = scored([FIND, TIMER], words)
  assert found["call_latency"] == pytest.approx(0.5)
  assert found["completion_latency"] == pytest.approx(2.5)
  # Nothing is said behind the last call.
  found = scored([FIND, TIMER], words[:3])
  assert found["completion_latency"] is None
  assert scored((), words)["call_latency"] is None
  # Who calls before the user has ended is not late.
  assert scored([FIND], words, at=3.0)["call_latency"] == 0


@pytest.mark.parametrize(
  ("answer", "value"), [("Yes.", 1.0), ("no", 0.0), ("perhaps", None)]
)
def test_a_judge_reads_calls_and_words(tmp_path, answer, value):
  asked = []

  def reply(system, prompt, seed):
    asked.append(prompt)
    return answer

  by = judge.Endpoint(
    reply, model="m", address="http://a", cache=tmp_path / "kept.jsonl"
  )
  made = [FIND, {"tool": "timer", "minutes": "a few"}]
  found = scored(made, said("timer set", 5.0), by=by)
  assert found["response_quality"] == value
  # What is equal is not judged; the other is, and counts for what he says.
  assert found["arguments"] == (1.0 if value else 0.5)
  arguments, *_, quality = asked
  assert '[Expected]\n{"minutes": 7}' in arguments
  assert '[Made]\n{"minutes": "a few"}' in arguments
  for part in (
    '{"tool": "timer", "minutes": 7, "brings": {}}',
    '{"tool": "timer", "minutes": "a few"}',
    "[5.00-6.00] timer set",
  ):
    assert part in quality
