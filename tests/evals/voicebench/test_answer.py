import pytest

from interaction_jax.evals.voicebench import answer


@pytest.mark.parametrize(
  ("reply", "letter"),
  [
    ("The answer is B.", "B"),
    ("the correct answer is **C**, since", "C"),
    ("I would choose option d", "D"),
    ("B) the sun", "B"),
    ("A. The moon", "A"),
    ("It's (C).", "C"),
    ("c", "C"),
    ("The answer is A. No, the answer is D.", "D"),
    ("(A) or (B)", None),
    ("A cat sat there", None),
    ("I'd say a dog", None),
    ("The moon", None),
    ("", None),
  ],
)
def test_letters(reply, letter):
  assert answer.letter(reply) == letter


@pytest.mark.parametrize(
  ("reply", "said"),
  [
    ("Yes, it is.", "yes"),
    ("no", "no"),
    ("The sentence is plausible.", "yes"),
    ("The sentence is not plausible.", "no"),
    ("First he lies. So the answer is yes.", "yes"),
    ("It might be true. You don't return.", "no"),
    ("Step one. Step two.", None),
    ("", None),
  ],
)
def test_yes_and_no(reply, said):
  assert answer.yes_or_no(reply) == said


@pytest.mark.parametrize(
  ("reply", "reference", "right"),
  [
    ("Yes.", "yes", True),
    ("Yes.", "No", False),
    ("Option B.", "(b)", True),
    ("Option B.", "(A)", False),
    ("Option B.", "B", True),
    ("hm", "yes", False),
  ],
)
def test_closed_answers(reply, reference, right):
  assert answer.closed(reply, reference) == right
