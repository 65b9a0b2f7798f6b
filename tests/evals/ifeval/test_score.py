import pytest

from interaction_jax.evals.ifeval import score
from interaction_jax.evals.ifeval.checker import Instruction
from interaction_jax.evals.ifeval.score import Verdict

NO_COMMA = Instruction("punctuation:no_comma")
TITLE = Instruction("detectable_format:title")


def test_a_reply_has_eight_forms():
  assert score.variants("Sure:\n*a*\nb\nBye") == (
    "Sure:\n*a*\nb\nBye",
    "*a*\nb\nBye",
    "Sure:\n*a*\nb",
    "*a*\nb",
    "Sure:\na\nb\nBye",
    "a\nb\nBye",
    "Sure:\na\nb",
    "a\nb",
  )


@pytest.mark.parametrize(
  ("reply", "strict", "loose"),
  [
    ("<<a>>", (True, True), (True, True)),
    ("Sure, here:\n<<a>>", (False, True), (True, True)),
    ("<<a>>\nBye, now", (False, True), (True, True)),
    ("Sure, so\n<<a>>\nBye, now", (False, True), (True, True)),
    ("a, b\nc, d\ne, f", (False, False), (False, False)),
    ("*<*<a>>", (True, False), (True, True)),  # without asterisks
    ("", (False, False), (False, False)),
  ],
)
def test_strict_and_loose(reply, strict, loose):
  assert score.judge([NO_COMMA, TITLE], reply) == Verdict(strict, loose)


def test_editions_differ_where_the_official_rule_is_odd():
  part = Instruction("keywords:existence", {"keywords": ["tart"]})
  assert score.judge([part], "Start").strict == (True,)
  assert score.judge([part], "Start", edition="corrected").strict == (False,)


A = Verdict((True, True), (True, True))
B = Verdict((False,), (True,))
C = Verdict((True, False, False), (True, False, True))


@pytest.mark.parametrize(
  ("verdicts", "wanted"),
  [
    ([A], (1, 1, 1, 1)),
    ([B], (0, 0, 1, 1)),
    ([C], (0, 1 / 3, 0, 2 / 3)),
    # One prompt of two; two instructions of three; then all.
    ([A, B], (1 / 2, 2 / 3, 1, 1)),
    # One of three, 2 + 0 + 1 of 2 + 1 + 3; two of three, 2 + 1 + 2 of six.
    ([A, B, C], (1 / 3, 3 / 6, 2 / 3, 5 / 6)),
    ([A, C], (1 / 2, 3 / 5, 1 / 2, 4 / 5)),
  ],
)
def test_the_four_numbers(verdicts, wanted):
  made = score.rates(verdicts)
  assert (
    made.strict_prompt,
    made.strict_instruction,
    made.loose_prompt,
    made.loose_instruction,
  ) == pytest.approx(wanted)
  assert made.mean == pytest.approx(sum(wanted) / 4)


def test_of_nothing_there_is_no_share():
  with pytest.raises(ValueError, match="of no prompt"):
    score.rates([])
