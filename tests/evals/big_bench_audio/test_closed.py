import pytest

from interaction_jax.evals.big_bench_audio import closed


@pytest.mark.parametrize(
  ("category", "reply", "answer"),
  [
    ("formal_fallacies", "The argument is valid.", "valid"),
    ("formal_fallacies", "It is deductively invalid", "invalid"),
    ("formal_fallacies", "No, it's not deductively valid.", "invalid"),
    ("formal_fallacies", "This does not follow", "invalid"),
    ("formal_fallacies", "Each step is valid. So it is in valid.", "invalid"),
    ("formal_fallacies", "It seems invalid. But no: it follows.", "valid"),
    ("formal_fallacies", "I validate parking", None),
    ("navigate", "Yes, you return to the start.", "yes"),
    ("navigate", "You take ten steps. You don't return.", "no"),
    ("web_of_lies", "Fidel lies, so Leda tells the truth.", "no"),
    ("web_of_lies", "So the answer is yes.", "yes"),
    ("web_of_lies", "", None),
    ("object_counting", "You have eighteen fruits.", "18"),
    ("object_counting", "Four plus 2 plus 12. That's 18.", "18"),
    ("object_counting", "a hundred and one", "101"),
    ("object_counting", "many", None),
  ],
)
def test_answers(category, reply, answer):
  assert closed.given(category, reply) == answer


@pytest.mark.parametrize(
  ("category", "reply", "official", "right"),
  [
    ("object_counting", "it is seven", "7", True),
    ("object_counting", "it is 7", "seven", True),
    ("object_counting", "it is seventeen", "7", False),
    ("object_counting", "", "7", False),
    ("navigate", "yes", "Yes", True),
    ("navigate", "no", "Yes", False),
    ("formal_fallacies", "valid", "invalid", False),
  ],
)
def test_whether_they_are_right(category, reply, official, right):
  assert closed.right(category, reply, official) == right


@pytest.mark.parametrize(
  ("text", "value"),
  [("12", 12), ("twenty one", 21), ("a", None), ("2 3", None)],
)
def test_numbers(text, value):
  assert closed.number(text) == value
