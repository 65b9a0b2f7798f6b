import json

import pytest

from interaction_jax.evals.harness import judge
from interaction_jax.evals.harness.judge import Endpoint, Question, Rules


def question(**more):
  def read(answer):
    return judge.found_json(answer)["met"]

  return Question("rubric", "is it met?", lambda: '{"met": true}', read, **more)


def endpoint(replies, cache, **more):
  asked = []

  def reply(system, prompt, seed):
    asked.append(seed)
    return replies[len(asked) - 1]

  made = Endpoint(reply, model="m", address="a", cache=cache, **more)
  return made, asked


def test_the_stand_in_says_that_it_is_one():
  rules = Rules()
  assert rules.ask(question()).value is True
  told = rules.describe()
  assert told["kind"] == "rules" and "not comparable" in told["label"]
  assert told["asked"] == {"rubric": 1}


def test_votes_are_counted_and_replies_kept(tmp_path):
  cache = tmp_path / "replies.jsonl"
  replies = ['{"met": true}', 'well: {"met": false}.', '{"met": true}']
  made, asked = endpoint(replies, cache, votes=3)
  verdict = made.ask(question(seed=5))
  assert verdict.value is True and not verdict.agree
  assert asked == [5, 8, 11]
  told = made.describe()
  assert (told["disagreements"], told["sent"], told["unlike_rule"]) == (1, 3, 0)
  kept = [json.loads(line) for line in cache.read_text().splitlines()]
  assert [one["seed"] for one in kept] == [5, 8, 11]
  assert {one["model"] for one in kept} == {"m"}
  # Another judge with the same record asks nobody.
  again, asked = endpoint([], cache, votes=3)
  assert again.ask(question(seed=5)) == verdict and asked == []


def test_what_cannot_be_read_is_asked_again(tmp_path):
  made, asked = endpoint(["what?", '{"met": false}'], tmp_path / "x")
  verdict = made.ask(question())
  assert verdict.value is False and verdict.unreadable == 1
  assert asked == [0, 1] and made.describe()["unlike_rule"] == 1
  made, _ = endpoint(["?"] * 3, tmp_path / "y")
  assert made.ask(question()).value is None
  assert made.describe()["unanswered"] == 1


@pytest.mark.parametrize(
  ("name", "message"),
  [("gpt", "neither 'rules'"), ("http://127.0.0.1:9/v1", "needs judge_model")],
)
def test_mistakes_are_told(tmp_path, name, message):
  with pytest.raises(ValueError, match=message):
    judge.choose(name, model=None, votes=1, cache=tmp_path / "x")


@pytest.mark.parametrize(
  ("answer", "value"),
  [("Yes.", True), ('"no", since', False), ("NO", False), ("- yes!", True)],
)
def test_yes_and_no_are_read(answer, value):
  assert judge.yes(answer) == value


@pytest.mark.parametrize("answer", ["", "perhaps yes", "nothing", "yesterday"])
def test_what_is_neither_is_refused(answer):
  with pytest.raises(ValueError, match="neither yes nor no"):
    judge.yes(answer)
