import numpy as np
import pytest

from interaction_jax.evals.cued import rating
from interaction_jax.evals.cued.match import Event
from interaction_jax.evals.harness import item as items
from interaction_jax.evals.harness import judge
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Reply


def item(*events, user=((0.0, 3.0),), small=True, max_extra=0):
  return Item(
    "one", "kind", 20.0,
    lambda canvas: items.listening(np.zeros(320_000, np.float32)),
    truth={
      "events": events, "user": user, "free": ((3.0, 5.0),),
      "max_extra": max_extra, "small": small, "asked": "say cat",
    },
  )  # fmt: skip


def event(at, say="cat", overlap=False):
  return Event(at, (at - 0.6, at + 1.2), (say,), say, overlap)


def scored(one, *said, by=None):
  words = tuple(
    Word(word, at + 0.3 * n, at + 0.3 * n + 0.25)
    for at, text in said
    for n, word in enumerate(text.split())
  )
  reply = Reply(20.0, words, (), (), lambda: np.zeros(0, np.float32))
  found = {}
  for made in rating.score([one], {"one": reply}, by or judge.Rules()):
    assert made.item == "one" and made.kind == "kind"
    found.setdefault(made.row, []).append(made.value)
  return found


TWO = (event(8.0), event(12.0, "dog"))


@pytest.mark.parametrize(
  ("said", "right", "wide", "events", "alarms"),
  [
    # 8.3 in 7.4 to 9.2, and 12.0 in 11.4 to 13.2.
    (((8.3, "cat"), (12.0, "the dog")), 1, 1, [1, 1], 0),
    # 9.9 is 1.9 s late: out of 1.2, within 2.4.
    (((9.9, "cat"), (12.0, "dog")), 0, 1, [0, 1], 1),
    # 5.7 is 2.3 s early: out of 0.6, and out of 1.2.
    (((5.7, "cat"), (12.0, "dog")), 0, 0, [0, 1], 1),
    # Both are served, but 15 s is nothing that was asked for.
    (((8.0, "cat"), (12.0, "dog"), (15.0, "dog")), 0, 0, [1, 1], 1),
    # What is said right after the request, 3 to 5 s, does not matter.
    (((4.0, "okay"), (8.0, "cat"), (12.0, "dog")), 1, 1, [1, 1], 0),
    # The wrong thing at the right time: missed, and nobody wanted it.
    (((8.0, "dog"), (12.0, "dog")), 0, 0, [0, 1], 1),
    ((), 0, 0, [0, 0], 0),
  ],
)
def test_items(said, right, wide, events, alarms):
  found = scored(item(*TWO), *said)
  assert found["accuracy"] == found["accuracy_small"] == [right]
  assert found["accuracy_wide"] == [wide]
  assert found["events"] == events
  assert found["false_alarms"] == [alarms]


def test_how_far_off():
  # 8.3 - 8.0 = 0.3, and 11.5 is 0.5 s early; what is missed has no distance.
  found = scored(item(*TWO), (8.3, "cat"), (11.5, "dog"))
  assert found["off_by"] == pytest.approx([0.3, 0.5])
  found = scored(item(*TWO), (8.3, "cat"))
  assert found["off_by"] == [pytest.approx(0.3), None]


def test_one_who_does_not_stop_says_much():
  # 40 words, 0.3 s each, from 6.0 s to 18 s: 4 utterances of 3 s, and that
  # at 6.0 + 3.0 = 9.0 s is in time for 8.0 s.
  words = [(6.0, " ".join(["cat"] * 40))]
  found = scored(item(event(8.0)), *words)
  assert found["events"] == [1] and found["false_alarms"] == [3]
  assert found["accuracy"] == [0]
  found = scored(item(event(8.0), max_extra=3), *words)
  assert found["accuracy"] == [1]


def test_at_cues_the_user_has_to_be_speaking():
  one = item(event(8.0, overlap=True), user=((6.0, 8.5),))
  assert scored(one, (8.4, "cat"))["accuracy"] == [1]
  found = scored(one, (8.7, "cat"))
  assert found["accuracy"] == [0] and found["accuracy_wide"] == [1]


def test_other_words_are_no_small_ones():
  assert "accuracy_small" not in scored(item(event(8.0), small=False))


def test_a_judge_says_what_it_means_and_the_clock_when(tmp_path):
  asked = []

  def answered(system, prompt, seed):
    asked.append(prompt)
    return "Yes." if "feline" in prompt else "no"

  by = judge.Endpoint(
    answered, model="m", address="http://a", cache=tmp_path / "kept.jsonl"
  )
  found = scored(item(event(8.0)), (8.0, "a feline"), (15.0, "cat"), by=by)
  assert found["events"] == [1] and found["false_alarms"] == [1]
  # Of what is out of time nobody is asked, and of the rest once.
  assert len(asked) == 1
  for part in ("[Request]\nsay cat", "now]\ncat", "[Transcript]\na feline"):
    assert part in asked[0]
