import shutil

import numpy as np
import pytest

from interaction_jax.evals import table
from interaction_jax.evals.audio_multichallenge import suite
from interaction_jax.evals.harness import judge
from interaction_jax.evals.harness.inventory import Inventory
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Reply


@pytest.fixture(scope="module")
def items(folder):
  inventory = Inventory(folder)
  found = suite.load(inventory)
  assert not inventory.problems
  return found


def test_baselines_rank_as_they_should(folder, beside):
  found = beside(suite.SUITE, folder)
  for row in ("fixed_apr", "open_apr", "open_apr_given"):
    assert found[row]["oracle"] == 1 > found[row]["random"], row
    assert found[row]["silent"] == found[row]["talking"] == 0
  # Of 1, 2, 1 and 2 rubrics: one who talks of nothing says nothing wrong,
  # (0 + 1/2 + 0 + 1/2) / 4; silence meets nothing.
  for row in ("fixed_ars", "open_ars"):
    assert found[row]["talking"] == pytest.approx(0.25)
    assert found[row]["oracle"] == 1 and found[row]["silent"] == 0
  assert found["latency"]["oracle"] == pytest.approx(0.4, abs=0.01)


def parts(items, place):
  return [one for one in items if one.name.endswith(f"twin000{place}")]


def test_turns_are_played_in_order(items):
  for item in items:
    record = item.open((0, 0))
    edges = [0.0, *item.truth["ends"]]
    loud = np.flatnonzero(np.abs(record.heard) > 0.02) / 16_000
    for n, end in enumerate(edges[1:]):
      inside = loud[(loud > edges[n] + 1e-3) & (loud <= end)]
      assert len(inside) and end - inside[-1] < 0.3
    assert loud[-1] <= edges[-1] and record.seconds == pytest.approx(
      item.seconds
    )
    assert 5.0 <= item.seconds - edges[-1] < 5.2


def test_what_was_answered_is_typed_or_left_to_be_said(items):
  fixed, opened = parts(items, 1)
  assert fixed.part == "fixed" and opened.part == "open"
  typed = fixed.open((0, 0)).text_in
  assert [(one.speaker, one.text) for one in typed] == [
    ("background", "okay"),
    ("background", "hello"),
  ]
  ends = fixed.truth["ends"]
  assert [one.at for one in typed] == [round(x * 16_000) for x in ends[:2]]
  assert opened.open((0, 0)).text_in == ()
  # Between turns 1 s, in `open` 1 / 2.2 s more for a reply of one word; turns
  # of the user begin with those of 200 ms.
  first, second = (one.truth["ends"][1] for one in (fixed, opened))
  assert 0.2 < second - first < 0.7


def reply(*words):
  said = tuple(
    Word(one, at + 0.3 * n, at + 0.3 * n + 0.2)
    for at, text in words
    for n, one in enumerate(text.split())
  )
  return Reply(60.0, said, (), (), lambda: np.zeros(0, np.float32))


def scored(item, *words, by=None):
  made = suite.score([item], {item.key: reply(*words)}, by or judge.Rules())
  return {one.row: one.value for one in made}


def test_only_the_last_reply_is_graded(items):
  fixed, opened = parts(items, 3)
  # Two rubrics: says the second, does not say the first.
  first, second = fixed.truth["said"][1].split()[1], fixed.wanted[0].text
  last = fixed.truth["ends"][-1]
  assert scored(fixed, (last + 0.5, second)) == {
    "fixed_apr": 1, "fixed_ars": 1, "voice_editing": 1,
    "latency": pytest.approx(0.5),
  }  # fmt: skip
  found = scored(fixed, (last + 0.5, f"{first} or {second}"))
  assert found["fixed_apr"] == 0 and found["fixed_ars"] == 0.5
  # In time for an earlier turn, or into the last one: not a reply to it.
  for at in (fixed.truth["ends"][0] + 0.2, last - 0.3):
    found = scored(fixed, (at, second))
    assert found["fixed_apr"] == 0 and found["latency"] is None
  found = scored(fixed, (last - 0.3, first), (last + 1.0, second))
  assert found["fixed_apr"] == 1 and found["latency"] == pytest.approx(1.0)
  last = opened.truth["ends"][-1]
  found = scored(opened, (last + 2.0, second))
  assert found["open_apr"] == found["open_apr_given"] == found["open_ars"] == 1


def test_a_judge_sees_the_replies_that_count(items, tmp_path):
  asked = []

  def answered(system, prompt, seed):
    asked.append(prompt)
    return '{"explanation": "", "criteria_met": true}'

  by = judge.Endpoint(
    answered, model="m", address="http://a", cache=tmp_path / "kept.jsonl"
  )
  _, opened = parts(items, 0)
  first, last = opened.truth["ends"]
  found = scored(opened, (first + 0.4, "sure"), (last + 0.4, "no idea"), by=by)
  assert found["open_apr"] == found["open_apr_given"] == 1
  given, own = asked
  for prompt, earlier in ((given, "okay"), (own, "sure")):
    said = f"assistant: {earlier}\n\nuser: what was the word\n\nassistant: no"
    assert said in prompt


def test_what_nobody_judged_does_not_count(items, tmp_path):
  by = judge.Endpoint(
    lambda system, prompt, seed: "hm",
    model="m", address="http://a", cache=tmp_path / "kept.jsonl",
  )  # fmt: skip
  fixed, _ = parts(items, 0)
  found = scored(fixed, (fixed.truth["ends"][-1] + 1, "hm"), by=by)
  assert found["fixed_apr"] is None and found["fixed_ars"] is None


def test_fewer_than_there_are(folder, tmp_path):
  data = shutil.copytree(folder, tmp_path / "data")
  (data / "protocol.json").unlink()
  inventory = Inventory(data)
  found = suite.load(inventory)
  assert inventory.problems == ["data: missing, 4 of 452 are there"]
  # Then the published protocol holds.
  assert found[0].open((0, 0)).text_in[0].text == "You answered: okay"
  assert 60.0 <= found[0].seconds - found[0].truth["ends"][-1] < 60.2


def test_left_out_conversations_are_left_out_in_both_ways(rows, tmp_path):
  rows[0]["axis"] = "JUGGLING"
  table.write(tmp_path / "data/test-00000-of-00001.parquet", rows)
  inventory = Inventory(tmp_path)
  assert len(suite.load(inventory)) == 6
  assert inventory.left_out == ["fixed/twin0000", "open/twin0000"]
