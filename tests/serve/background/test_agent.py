import asyncio

import pytest

from interaction_jax.serve.background.agent import Agent
from interaction_jax.serve.background.job import Context, Finding
from interaction_jax.serve.background.tools.numbers import Calculator, Units


def ask(task):
  async def run():
    agent = Agent([Units(), Calculator()])
    return [one async for one in agent.run(Context(task))]

  return asyncio.run(run())


@pytest.mark.parametrize(
  ("task", "found"),
  [
    ("3 miles in km", "4.828 km"),
    ("what is 3 plus 4", "7"),
    ('{"tool": "calculator", "expression": "2 ** 5"}', "32"),
    ('{"tool":"units","amount":1,"unit":"kg","into":"g"}', "1000 g"),
  ],
  ids=["first", "second", "call", "other call"],
)
def test_who_understands_is_asked(task, found):
  assert ask(task) == [Finding(found)]


@pytest.mark.parametrize(
  ("task", "problem"),
  [
    ("sing a song", "no tool understands it"),
    ("{not json", r'a call is \{"tool": NAME, ...\}'),
    ('{"expression": "1"}', "a call is"),
    ('{"tool": ["calculator"]}', "a call is"),
    ('{"tool": "oven", "degrees": 200}', "there is no tool 'oven'"),
    ('{"tool": "calculator", "sum": "1"}',
     r"calculator: \['sum'\] unknown, \['expression'\] missing"),
    ('{"tool": "calculator", "expression": 7}', "expression=7 is no string"),
    ('{"tool":"units","amount":"x","unit":"kg","into":"g"}',
     "amount='x' is no number"),
    ('{"tool":"units","amount":true,"unit":"kg","into":"g"}',
     "amount=True is no number"),
  ],
)  # fmt: skip
def test_what_cannot_be_done_is_told(task, problem):
  with pytest.raises(ValueError, match=problem):
    ask(task)


def test_two_tools_of_one_name_are_refused():
  with pytest.raises(ValueError, match="two tools have one name: units, units"):
    Agent([Units(), Units()])
