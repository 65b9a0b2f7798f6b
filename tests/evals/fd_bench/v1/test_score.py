"""Scores by hand; `words` are (text, start, end), spans (start, end)."""

import numpy as np
import pytest

from interaction_jax.evals.fd_bench.v1 import load, score
from interaction_jax.evals.harness import item as items
from interaction_jax.evals.harness import judge
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Reply


def scored(part, truth, words=(), spans=(), seconds=10.0, by=None):
  def opened(canvas):
    return items.listening(np.zeros(160_000))

  item = Item(f"{part}/0", part, seconds, opened, truth=truth)
  said = tuple(Word(*one) for one in words)
  reply = Reply(seconds, said, spans, (), lambda: np.zeros(0))
  made = score.score([item], {item.key: reply}, by or judge.Rules())
  assert all(one.item == item.key for one in made)
  return {one.row: one.value for one in made}


@pytest.mark.parametrize(
  ("words", "official", "corrected"),
  [
    ((), 0, 0),
    # One word of 0.3 s into the pause.
    ((("yes", 1.0, 1.3),), 0, 0),
    # Two of 0.2 s, 6.2 - 1.0 = 5.2 s from first to last: each one is a nod.
    ((("yes", 1.0, 1.2), ("right", 6.0, 6.2)), 1, 0),
    # 1.4 s, while the user is not done.
    ((("well", 2.0, 2.6), ("then", 2.7, 3.4)), 1, 1),
    # The same behind the end, at 7.0 s: nobody is interrupted.
    ((("well", 7.0, 7.6), ("then", 7.7, 8.4)), 1, 0),
    # It begins at 6.9 s, which is before the end.
    ((("well", 6.9, 7.6), ("then", 7.7, 8.4)), 1, 1),
  ],
)
@pytest.mark.parametrize("task", load.PAUSES)
def test_pauses(task, words, official, corrected):
  row = {"synthetic": "pause_synthetic", "candor": "pause_candor"}[
    task.split("_")[0]
  ]
  made = scored(task, {"pause": (2.0, 3.5), "end": 7.0}, words)
  assert made == {row: official, f"{row}_corrected": corrected}


LONG = (
  ("here", 0.0, 0.3),
  ("it", 0.3, 0.6),
  ("is", 0.6, 0.9),
  ("now", 0.9, 1.2),
)


def moved(by, words=LONG):
  return tuple((text, start + by, end + by) for text, start, end in words)


@pytest.mark.parametrize(
  ("words", "tor", "latency", "answered", "later"),
  [
    ((), 0, None, 0, None),
    # The turn ends at 4.0 s; 4.5 - 4.0 = 0.5 s later it is answered.
    (moved(4.5), 1, 0.5, 1, 0.5),
    # 3.9 s is early by less than 0.2 s: an answer at once.
    (moved(3.9), 1, 0.0, 1, 0.0),
    # 1.0 s is no answer, but it takes the floor; what is negative counts 0.
    (moved(1.0), 1, 0.0, 0, None),
    # Both: as published the first word counts.
    (moved(1.0) + moved(5.0), 1, 0.0, 1, 1.0),
    # Three words of 0.9 s are no turn.
    (moved(4.5)[:3], 0, None, 0, None),
    # A nod at 1.0 s makes a late answer an early one, as published.
    ((("yes", 1.0, 1.2), *moved(6.0)), 1, 0.0, 1, 2.0),
  ],
)
def test_turns(words, tor, latency, answered, later):
  made = scored(load.TURNS, {"end": 4.0}, words)
  assert made == {
    "turn_taking": tor,
    "turn_taking_latency": pytest.approx(latency),
    "turn_taking_corrected": answered,
    "turn_taking_latency_corrected": pytest.approx(later),
  }


def test_nods():
  # Ten windows of 1 s become fifty of 0.2 s; people nod from 2 to 3 s.
  people = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
  spans = ((2.1, 2.5), (6.0, 7.5))
  made = scored(load.NODS, {"people": people}, (("yes", 2.2, 2.5),), spans)
  # 1.5 s are the last span. Two in 10 s, of which one is a nod.
  assert made["backchannel"] == made["backchannel_corrected"] == 1
  assert made["backchannel_frequency"] == pytest.approx(0.2)
  assert made["backchannel_frequency_corrected"] == pytest.approx(0.1)
  assert made["backchannel_jsd"] > 0.7 > 0.6
  only = scored(load.NODS, {"people": people}, (), spans[:1])
  assert only["backchannel"] == only["backchannel_corrected"] == 0
  assert only["backchannel_jsd"] < made["backchannel_jsd"]
  silent = scored(load.NODS, {"people": people})
  assert silent == {
    "backchannel": 0, "backchannel_corrected": 0,
    "backchannel_frequency": 0, "backchannel_frequency_corrected": 0,
    "backchannel_jsd": 1, "backchannel_jsd_corrected": 1,
  }  # fmt: skip


TRUTH = {
  "context": "count to ten",
  "interrupt": "what is the weather",
  "answer": "here it is now",
  "span": (3.0, 4.0),
}


@pytest.mark.parametrize(
  ("words", "official", "corrected"),
  [
    ((), (0, None, None), (0, 0, None)),
    # All that is wanted is said, 4.6 - 4.0 = 0.6 s after the interruption.
    (moved(4.6), (1, 5, 0.6), (1, 5, 0.6)),
    # It talks on from 3.2 to 4.4 s: of four words one is heard then, and that
    # one is too short to take the floor.
    (moved(3.2), (0, None, None), (0, 0, None)),
    # It never stops: 4.0 s is the first that is heard, and no answer begins.
    (
      moved(2.0) + moved(3.2) + moved(4.4) + moved(5.6),
      (1, 5, 0.0),
      (0, 0, None),
    ),
    # It stops at 4.2 s and begins again at 5.0 s. Of "here it is now" two words
    # say something, and the one of them that is said is worth int(2.5) = 2.
    (
      (("well", 3.0, 4.2), ("here", 5.0, 5.5), ("we", 5.5, 6.2)),
      (1, 2, 0.0),
      (1, 2, 1.0),
    ),
    # Nothing of what is wanted.
    (
      (("a", 5.0, 5.2), ("red", 5.2, 5.6), ("cat", 5.6, 6.1)),
      (1, 0, 1.0),
      (1, 0, 1.0),
    ),
  ],
)
def test_interruptions(words, official, corrected):
  made = scored(load.INTERRUPTIONS, TRUTH, words)
  rows = ("interruption", "interruption_rating", "interruption_latency")
  assert [made[row] for row in rows] == [
    one if one is None else pytest.approx(one) for one in official
  ]
  assert [made[f"{row}_corrected"] for row in rows] == [
    one if one is None else pytest.approx(one) for one in corrected
  ]


@pytest.mark.parametrize(
  ("said", "value"),
  [
    ("Fine. I would rate the AI's response as 4", 4),
    ("I would rate the AI’s response as 2. No: I would rate the AI's response "
     "as 3.", 3),
    ("I would rate the AI's response as: 0", 0),
    ("I would rate the AI's response as 7", None),
    ("4", None),
  ],
)  # fmt: skip
def test_a_judge_says_it_in_a_sentence(tmp_path, said, value):
  asked = []

  def reply(system, prompt, seed):
    asked.append((prompt, seed))
    return said

  by = judge.Endpoint(
    reply, model="m", address="http://a", cache=tmp_path / "kept.jsonl"
  )
  made = scored(load.INTERRUPTIONS, TRUTH, moved(4.6), by=by)
  assert made["interruption_rating"] == value
  prompt, seed = asked[0]
  assert seed == 0
  for part in ("count to ten", "what is the weather", "here it is now"):
    assert part in prompt
