"""Scores by hand: lines at 1 to 2 s and 5 to 7 s."""

import numpy as np
import pytest

from interaction_jax.evals.fd_bench.v2 import load, score
from interaction_jax.evals.fd_bench.v2.load import Goal
from interaction_jax.evals.harness import item as items
from interaction_jax.evals.harness import judge
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Reply

FIRST = Goal("greet", "good morning", "good morning", "good morning", False)
SECOND = Goal("repeat", "say red cat now", "red cat", "red cat")
GOALS = (FIRST, SECOND)


def said(text, start, step=0.5):
  return tuple(
    Word(one, start + n * step, start + (n + 1) * step)
    for n, one in enumerate(text.split())
  )


TOLD = (*said("good morning", 1.0), *said("say red cat now", 5.0))


def reply(words, spans=(), told=TOLD, seconds=12.0):
  return Reply(
    seconds, tuple(words), spans, (), lambda: np.zeros(0), tuple, tuple(told)
  )


@pytest.mark.parametrize(
  ("words", "texts", "latencies"),
  [
    ((), ["", ""], [None, None]),
    # 2.4 - 2.0 s and 7.5 - 7.0 s.
    (said("good morning", 2.4) + said("red cat", 7.5),
     ["good morning", "red cat"], [0.4, 0.5]),
    # 1.9 s is early by less than 0.2 s; 6.5 s, which is early by more, still
    # belongs to the first line, and it goes on behind the second.
    (said("good", 1.9) + said("red cat", 6.5), ["good red", "cat"],
     [0.0, None]),
    # Into the first line: it belongs to none.
    (said("well", 1.0), ["", ""], [None, None]),
    # On and on, to 11.0 s: no utterance begins behind a line. Ten words begin
    # from 2.0 to 6.5 s, eight from 7.0 to 10.5 s.
    (said("on " * 20, 1.0), [" ".join(["on"] * n) for n in (10, 8)],
     [None, None]),
  ],
)  # fmt: skip
def test_words_belong_to_lines(words, texts, latencies):
  made = score.stages(GOALS, reply(words))
  assert [(one.start, one.end) for one in made] == [(1.0, 2.0), (5.0, 7.0)]
  assert [one.text for one in made] == texts
  for stage, wanted in zip(made, latencies, strict=True):
    assert stage.latency == (
      wanted if wanted is None else pytest.approx(wanted)
    )


def test_lines_that_were_not_said_are_no_stages():
  assert score.stages(GOALS, reply((), told=())) == []
  assert len(score.stages(GOALS, reply((), told=TOLD[:4]))) == 1
  # Cut off at 6.0 s.
  assert len(score.stages(GOALS, reply((), seconds=6.0))) == 1


@pytest.mark.parametrize(
  ("words", "spans", "points"),
  [
    ((), (), 1.0),
    # Both lines are answered within 2 s, and nobody speaks over them: 1 + 4.
    (said("good", 2.4) + said("red", 7.5), ((2.4, 2.9), (7.5, 8.0)), 5.0),
    # One of two: 1 + 4 / 2.
    (said("good", 2.4), ((2.4, 2.9),), 3.0),
    # The second one after 2.5 s, which is late.
    (said("good", 2.4) + said("red", 9.5), ((2.4, 2.9), (9.5, 10.0)), 3.0),
    # It speaks until 6.5 s, into the second line: of 6.0 to 6.8 s there are
    # 0.5 s too much, so that it is worth a half: 1 + 4 (1 + 1/2) / 2.
    (said("good", 2.4) + said("red", 7.5), ((2.4, 6.5), (7.5, 8.0)), 4.0),
    # Until 6.1 s: 0.1 s are forgiven.
    (said("good", 2.4) + said("red", 7.5), ((2.4, 6.1), (7.5, 8.0)), 5.0),
  ],
)
def test_the_rule_for_taking_turns(words, spans, points):
  made = reply(words, spans)
  stages = score.stages(GOALS, made)
  assert score.fluency(stages, made) == pytest.approx(points)


@pytest.mark.parametrize(
  ("words", "goals", "points"),
  [
    # All that is expected: 1 + 4.
    (said("good morning", 2.4) + said("a red cat", 7.5), GOALS, 5.0),
    # Half of the second: 1 + 4 (1 + 1/2) / 2.
    (said("good morning", 2.4) + said("a red dog", 7.5), GOALS, 4.0),
    # Behind the wrong line.
    (said("red cat", 2.4) + said("good morning", 7.5), GOALS, 1.0),
    # What tests the family alone: the second goal.
    (said("red cat", 7.5), GOALS[1:], 5.0),
    (said("good morning", 2.4), GOALS[1:], 1.0),
    ((), GOALS, 1.0),
    ((), (), 1.0),
  ],
)
def test_the_rule_for_goals(words, goals, points):
  made = score.stages(GOALS, reply(words))
  assert score.followed(goals, made) == pytest.approx(points)


def test_what_is_to_be_refused():
  goal = Goal("ask", "say red cat now", "sorry i can not", load.REFUSAL)
  goals = (FIRST, goal)
  for text, points in (("sorry i can not", 5.0), ("sorry a red cat", 1.0)):
    made = score.stages(goals, reply(said(text, 7.5)))
    assert score.followed(goals[1:], made) == points


def scored(words, spans, by=None):
  item = Item(
    "fast/0", "daily_fast", 12.0,
    lambda canvas: items.listening(np.zeros(3200)),
    truth={"family": "daily", "pace": "fast", "goals": GOALS},
  )  # fmt: skip
  made = score.score(
    [item], {item.key: reply(words, spans)}, by or judge.Rules()
  )
  found = {}
  for one in made:
    found.setdefault(one.row, []).append(one.value)
  return found, made


def test_rows():
  words = said("good morning", 2.4) + said("red cat", 7.5)
  found, made = scored(words, ((2.4, 5.5), (7.5, 8.5)))
  assert found["turn_taking_fast"] == found["instruction_fast"] == [5.0]
  assert found["task_fast"] == [5.0]
  assert found["answered"] == [1.0, 1.0]
  assert found["answer_latency"] == pytest.approx([0.4, 0.5])
  # Spoken into at 5.0 s, it stops at 5.5 s; nothing is spoken into at 1.0 s.
  assert found["stop_latency"] == pytest.approx([0.5])
  judged = [one for one in made if one.row.endswith("_fast")]
  assert {one.kind for one in judged} == {"daily"}
  assert judged[0].details["transcript"].splitlines()[:2] == [
    "[1.00-2.00] user: good morning",
    "[2.40-3.40] system: good morning",
  ]


@pytest.mark.parametrize(
  ("said_by", "value"),
  [
    ("Fine.\nscore: 4", 4.0),
    ("Score: **3.5**", 3.5),
    ("score: 2 at first, then score: 5", 5.0),
    ("score: 7", None),
    ("4", None),
  ],
)
def test_a_judge_gives_three_scores(tmp_path, said_by, value):
  asked = []

  def answered(system, prompt, seed):
    asked.append(prompt)
    return said_by

  by = judge.Endpoint(
    answered, model="m", address="http://a", cache=tmp_path / "kept.jsonl"
  )
  found, _ = scored(said("good morning", 2.4), ((2.4, 3.4),), by)
  for name in ("turn_taking_fast", "instruction_fast", "task_fast"):
    assert found[name] == [value]
  assert len(set(asked)) == 3
  for part in ("T2: repeat", "[2.40-3.40] system: good morning", "daily"):
    assert all(part in prompt for prompt in asked)
