import json

import pytest

from interaction_jax.evals.audio_multichallenge import rubric


@pytest.mark.parametrize(
  ("cell", "rubrics"),
  [
    (["Is brief.", " Is kind. "], ["Is brief.", "Is kind."]),
    ('["Is brief.", "Is kind."]', ["Is brief.", "Is kind."]),
    ("1. Is brief.\n2) Is kind.\n", ["Is brief.", "Is kind."]),
    ("- Is brief.\n\n* Is kind.", ["Is brief.", "Is kind."]),
    ("Is brief.", ["Is brief."]),
    ('"Is brief."', ["Is brief."]),
    ([{"weight": 1, "criterion": "Is brief."}], ["Is brief."]),
    ('{"a": "Is brief.", "b": "Is kind."}', ["Is brief.", "Is kind."]),
    (None, []),
    ("", []),
  ],
)
def test_rubrics_come_in_several_forms(cell, rubrics):
  assert rubric.read(cell) == rubrics


@pytest.mark.parametrize(
  ("text", "reply", "met"),
  [
    ('Says "five".', "it is five", True),
    ('Says "five".', "it is fifty", False),
    ('Says "red cup" and "tea".', "tea in a red cup", True),
    ('Says "red cup" and "tea".', "tea, a cup, red", False),
    ('Does not say "five".', "it is six", True),
    ('Does not say "five".', "five", False),
    ("Doesn't say 'five'.", "five", False),
    ("Avoids “five” altogether.", "six", True),
    # Of recommends, quiet, hotel two in three are there; of nothing none.
    ("Recommends a quiet hotel.", "a quiet hotel", True),
    ("Recommends a quiet hotel.", "a loud hotel", False),
    ("Does not recommend a hotel.", "go home", True),
    ('Does not say "five".', " ... ", False),
    ('Says "five".', "", False),
  ],
)
def test_the_stand_in_looks_for_words(text, reply, met):
  assert rubric.meets(text, reply) == met
  if met and not rubric._NOT.search(text):
    assert rubric.meets(text, rubric.wanted(text))


@pytest.mark.parametrize(
  ("verdicts", "passed", "share"),
  [
    ([True, True, True], 1, 1),
    ([True, False, True, True], 0, 3 / 4),
    ([False], 0, 0),
    ([True, None], None, 1),
    # One that fails settles it, whatever nobody judged.
    ([False, None, True], 0, 1 / 2),
    ([None], None, None),
  ],
)
def test_all_or_nothing_and_shares(verdicts, passed, share):
  assert rubric.passed(verdicts) == passed
  assert rubric.share(verdicts) == share


HISTORY = [("user", "say five"), ("assistant", "okay, five")]


def test_a_judge_is_asked_as_published():
  asked = rubric.question(HISTORY, 'Says "five".')
  assert asked.prompt.startswith("Your job is to look at a conversation")
  told = "# Conversation History\nuser: say five\n\nassistant: okay, five\n"
  assert told + '# Rubric item\nSays "five".\n' in asked.prompt
  assert '```json\n{\n"explanation"' in asked.prompt
  assert json.loads(asked.rule())["criteria_met"] is True


@pytest.mark.parametrize(
  ("said", "met"),
  [
    ('```json\n{"explanation": "yes", "criteria_met": true}\n```', True),
    ('{"criteria_met": false}', False),
  ],
)
def test_verdicts(said, met):
  assert rubric.question(HISTORY, "a").read(said) is met


@pytest.mark.parametrize(
  "said", ["true", '{"criteria_met": "true"}', '{"met": true}', ""]
)
def test_other_answers_are_none(said):
  with pytest.raises(ValueError, match=r"criteria_met|no JSON object"):
    rubric.question(HISTORY, "a").read(said)
