import pytest

from interaction_jax.evals.harness import summary
from interaction_jax.evals.ifeval import report
from interaction_jax.evals.ifeval.checker import Instruction

PART = Instruction("keywords:existence", {"keywords": ["tart"]})
NO_COMMA = Instruction("punctuation:no_comma")


@pytest.mark.parametrize(
  ("replies", "wanted"),
  [
    # As a word, "tart" is not there: 1 of 2 prompts, 2 of 3 instructions.
    ({"a": "Start", "b": "none"}, [1, 1, 1, 1, 1, 7 / 12]),
    ({"a": "x", "b": "a, b"}, [0, 0, 0, 0, 0, 0]),
    # Strict: a follows both, b not its one: 1/2 and 2/3; loose alike.
    ({"a": "Start", "b": "a, b"}, [7 / 12, 1 / 2, 2 / 3, 1 / 2, 2 / 3, 1 / 6]),
    # Loose alone: the line with the comma may go.
    ({"a": "Start", "b": "Yes, so:\nb"}, [(1 / 2 + 2 / 3 + 2) / 4, 1 / 2, 2 / 3,
                                          1, 1, None]),
    ({"a": "", "b": ""}, [0, 0, 0, 0, 0, 0]),
  ],
)  # fmt: skip
def test_rows_are_those_of_all_prompts(replies, wanted):
  asked = {"a": (PART, NO_COMMA), "b": (NO_COMMA,)}
  made = [
    one
    for name, text in replies.items()
    for one in report.scores("x", name, asked[name], text)
  ]
  rows = report.rows("x", {"somebody": 0.5})
  found = [summary.numbers(row, made, seed=0)["score"] for row in rows]
  if replies["a"] == "x":
    # "x" has no comma: one of three instructions, in both ways.
    wanted = [(0 + 1 / 3 + 0 + 1 / 3) / 4, 0, 1 / 3, 0, 1 / 3, None]
  for value, want in zip(found, wanted, strict=True):
    assert want is None or value == pytest.approx(want)


def test_details_say_which_were_followed():
  one = report.scores("x", "a", (PART, NO_COMMA), "Start")[0]
  assert one.details["strict"] == [True, True]
  assert one.details["instructions"] == [PART.name, NO_COMMA.name]
  corrected = report.scores("x", "a", (PART, NO_COMMA), "Start")[1]
  assert corrected.details["strict"] == [False, True]
  assert (one.value, corrected.value) == (1.0, 0.25)
