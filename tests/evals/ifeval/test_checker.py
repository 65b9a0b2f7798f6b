import pytest

from interaction_jax.evals.ifeval import checker
from interaction_jax.evals.ifeval.checker import CHECKERS, Instruction


def test_there_are_the_25_of_the_paper():
  assert len(CHECKERS) == 25
  families = {name.split(":")[0] for name in CHECKERS}
  assert families == {
    *("keywords", "language", "length_constraints", "detectable_content"),
    *("detectable_format", "combination", "startend", "change_case"),
    "punctuation",
  }


@pytest.mark.parametrize("name", CHECKERS)
def test_both_editions_take_the_same_arguments(name):
  one = CHECKERS[name]
  assert one.exact is None or (
    checker.Checker(one.exact).arguments == one.arguments
  )


def test_an_instruction_is_followed_or_not():
  one = Instruction("keywords:existence", {"keywords": ["tart"]})
  assert one.followed("Start")
  assert not one.followed("Start", edition="corrected")
  assert one.followed("a tart", edition="corrected")


@pytest.mark.parametrize("edition", ["official", "corrected"])
def test_an_empty_reply_follows_nothing(edition):
  one = Instruction("punctuation:no_comma")
  assert not one.followed(" \n", edition=edition)
  assert one.followed("a", edition=edition)


def test_arguments_that_are_not_meant_are_left_out():
  row = {"num_bullets": 3, "keywords": None, "relation": None}
  made = checker.instruction("detectable_format:number_bullet_lists", row)
  assert made.arguments == {"num_bullets": 3}


@pytest.mark.parametrize(
  ("name", "arguments", "reason"),
  [
    ("keyword:existence", {}, "not known .did you mean keywords:existence"),
    ("keywords:existence", {}, r"arguments \[\]; it wants \['keywords'\]"),
    (
      "length_constraints:number_words",
      {"num_words": 3},
      r"wants \['num_words', 'relation'\]",
    ),
  ],
)
def test_what_cannot_be_checked_is_refused(name, arguments, reason):
  with pytest.raises(ValueError, match=reason):
    checker.instruction(name, arguments)
