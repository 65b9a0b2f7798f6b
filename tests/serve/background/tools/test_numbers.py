import asyncio

import pytest

from interaction_jax.serve.background.job import Context
from interaction_jax.serve.background.tools import numbers
from interaction_jax.serve.background.tools.numbers import Calculator, Units


def ask(tool, task):
  """What a tool finds, asked in words; None: it does not understand them."""

  async def run():
    arguments = tool.match(task)
    if arguments is None:
      return None
    found = [one async for one in tool.call(Context(task), **arguments)]
    assert [one.more for one in found] == [False]
    return found[0].text

  return asyncio.run(run())


@pytest.mark.parametrize(
  ("text", "plain"),
  [
    ("two hundred and five", "205"),
    ("a hundred cats", "100 cats"),
    ("one million two hundred thousand", "1200000"),
    ("two thousand and one", "2001"),
    ("nineteen eighty four", "19 84"),
    ("zero one", "0 1"),
    ("1,000", "1000"),
    ("two and a half", "2.5"),
    ("three point five", "3.5"),
  ],
)
def test_numbers_in_words(text, plain):
  assert numbers.digits(text) == plain


@pytest.mark.parametrize(
  ("task", "found"),
  [
    ("what is 17 times 23", "391"),
    ("seventeen times twenty three please", "391"),
    ("20 percent of 45", "9"),
    ("5% of 20", "1"),
    ("2 to the power of 10", "1024"),
    ("the square root of two hundred", "14.14213562"),
    ("sqrt 2 + 1", "2.414213562"),
    ("(3 + 4) * 2", "14"),
    ("minus five plus two", "-3"),
    ("a hundred divided by 8", "12.5"),
    ("1e5+2", "100002"),
    ("three four plus 1", "5"),
    ("0.1 + 0.2", "0.3"),
    ("the code of anna", None),
    ("on 2024-01-02", None),
    ("7", None),
    ("(" * 300, None),
  ],
)
def test_sums(task, found):
  assert ask(Calculator(), task) == found


@pytest.mark.parametrize(
  ("expression", "problem"),
  [
    ("1/0", "comes to nothing"),
    ("9**9**9", "comes to nothing"),
    ("1000000000000000*2", "more than can be said"),
    ("(-8)**(1/3)", "no such root"),
    ("__import__('os').getcwd()", "numbers and signs only"),
    ("sqrt(2).real", "numbers and signs only"),
    ("'a'*9", "numbers and signs only"),
    ("1 2", "is no sum"),
    ("1+" * 150 + "1", "too long"),
    ("(" * 199, "is no sum"),
  ],
)
def test_what_is_no_sum_is_told(expression, problem):
  with pytest.raises(ValueError, match=problem):
    numbers.value(expression)


@pytest.mark.parametrize(
  ("task", "found"),
  [
    ("3 miles in km", "4.828 km"),
    ("how many feet are there in two metres", "6.5617 feet"),
    ("how many ounces in a pound", "16 ounces"),
    ("a hundred degrees fahrenheit in celsius", "37.778 celsius"),
    ("convert -40 c to f", "-40 f"),
    ("two and a half hours to minutes", "150 minutes"),
    ("20 Celsius to Kelvin", "293.15 kelvin"),
    ("3 apples in a bag", None),
    ("how many feet does a cat have", None),
  ],
)
def test_units(task, found):
  assert ask(Units(), task) == found


def test_a_mass_is_no_length():
  with pytest.raises(ValueError, match="kg cannot be turned into miles"):
    ask(Units(), "5 kg in miles")
