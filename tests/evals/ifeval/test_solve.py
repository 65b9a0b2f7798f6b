import pytest

from interaction_jax.evals.ifeval import score, solve
from interaction_jax.evals.ifeval.checker import CHECKERS, Instruction

SOME = {
  "keywords:existence": {"keywords": ["lamp", "river"]},
  "keywords:frequency": {
    "keyword": "lamp", "frequency": 3, "relation": "at least",
  },
  "keywords:forbidden_words": {"forbidden_words": ["river"]},
  "keywords:letter_frequency": {
    "letter": "z", "let_frequency": 4, "let_relation": "at least",
  },
  "language:response_language": {"language": "es"},
  "length_constraints:number_sentences": {
    "num_sentences": 6, "relation": "at least",
  },
  "length_constraints:number_paragraphs": {"num_paragraphs": 3},
  "length_constraints:number_words": {
    "num_words": 200, "relation": "at least",
  },
  "length_constraints:nth_paragraph_first_word": {
    "num_paragraphs": 3, "nth_paragraph": 2, "first_word": "weekend",
  },
  "detectable_content:number_placeholders": {"num_placeholders": 3},
  "detectable_content:postscript": {"postscript_marker": "P.P.S"},
  "detectable_format:number_bullet_lists": {"num_bullets": 3},
  "detectable_format:number_highlighted_sections": {"num_highlights": 2},
  "detectable_format:multiple_sections": {
    "section_spliter": "SECTION", "num_sections": 3,
  },
  "combination:repeat_prompt": {"prompt_to_repeat": "Say it, friend."},
  "startend:end_checker": {"end_phrase": "Any other questions?"},
  "change_case:capital_word_frequency": {
    "capital_frequency": 4, "capital_relation": "at least",
  },
}  # fmt: skip


def _instruction(name):
  return Instruction(name, SOME.get(name, {}))


@pytest.mark.parametrize("name", CHECKERS)
def test_every_instruction_can_be_followed(name):
  one = _instruction(name)
  made = solve.reply([one])
  assert made is not None
  for edition in ("official", "corrected"):
    assert score.judge([one], made, edition=edition).strict == (True,)


@pytest.mark.parametrize(
  "names",
  [
    ("punctuation:no_comma", "length_constraints:number_words"),
    ("keywords:existence", "startend:quotation"),
    ("detectable_format:title", "detectable_format:number_bullet_lists"),
    ("change_case:english_lowercase", "length_constraints:number_sentences"),
    ("detectable_content:postscript", "detectable_format:multiple_sections"),
  ],
)
def test_several_at_once(names):
  asked = [_instruction(name) for name in names]
  made = solve.reply(asked)
  assert made is not None
  assert all(score.judge(asked, made).strict)


@pytest.mark.parametrize(
  ("name", "arguments"),
  [
    ("length_constraints:number_words",
     {"num_words": 20, "relation": "less than"}),
    ("length_constraints:number_sentences",
     {"num_sentences": 2, "relation": "less than"}),
    ("keywords:frequency",
     {"keyword": "lamp", "frequency": 1, "relation": "less than"}),
    ("change_case:capital_word_frequency",
     {"capital_frequency": 1, "capital_relation": "less than"}),
    ("keywords:letter_frequency",
     {"letter": "q", "let_frequency": 1, "let_relation": "less than"}),
  ],
)  # fmt: skip
def test_less_than_something(name, arguments):
  asked = [Instruction(name, arguments)]
  made = solve.reply(asked)
  assert made is not None and all(score.judge(asked, made).strict)


def test_what_excludes_itself_has_no_reply():
  asked = [
    Instruction("change_case:english_capital"),
    Instruction("change_case:english_lowercase"),
  ]
  assert solve.reply(asked) is None
