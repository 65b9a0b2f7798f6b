import asyncio
import json

import numpy as np
import pytest

from interaction_jax.data.synthetic import world
from interaction_jax.data.synthetic.scenarios import chart as scenario
from interaction_jax.evals.behaviours import language
from interaction_jax.serve.background.job import Context
from interaction_jax.serve.background.tools import chart
from interaction_jax.serve.background.tools.chart import Chart


def ask(task="", **arguments):
  tool = Chart()
  if task:
    arguments = tool.match(task)
    if arguments is None:
      return None

  async def main():
    return [one async for one in tool.call(Context("a"), **arguments)]

  (found,) = asyncio.run(main())
  return found


@pytest.mark.parametrize(
  ("task", "spec"),
  [
    ("show a chart with red two blue five",
     {"chart": "bar", "data": {"red": 2, "blue": 5}}),
    ("bar chart of apples 3, green pears 5.5 and plums minus 2",
     {"chart": "bar", "data": {"apples": 3, "green pears": 5.5, "plums": -2}}),
    ("a pie chart: rent 40 percent, food 35 percent",
     {"chart": "pie", "data": {"rent": 40, "food": 35}, "unit": "%"}),
    ("line chart of sales: may twenty, june thirty five",
     {"chart": "line", "data": {"may": 20, "june": 35}, "title": "sales"}),
    ("plot two apples and five pears please",
     {"chart": "bar", "data": {"apples": 2, "pears": 5}}),
    ("graph where red is 1 and the blue is 2",
     {"chart": "bar", "data": {"red": 1, "blue": 2}}),
    ("a scatter plot with red 1 blue 2",
     {"chart": "bar", "data": {"red": 1, "blue": 2}}),
    ("a chart", None),
    ("a chart of everything", None),
    ("a chart of 5", None),
    ("a chart with red 1 red 2", None),
    ("what is 3 plus 4", None),
  ],
)  # fmt: skip
def test_charts_in_words(task, spec):
  found = ask(task)
  assert (None if found is None else found.shown) == spec


def test_the_world_of_synthetic_talk_is_understood():
  for seed in range(40):
    words = scenario._draw(np.random.default_rng(seed)).words
    found = ask(" ".join(words))
    assert world.compact(found.shown) == scenario.spec(words)
    assert language.is_chart(found.shown)


def test_what_is_told_of_it():
  found = ask("a pie chart of money: rent 40, food 35")
  assert found.text == "a pie chart of money is on the screen"


@pytest.mark.parametrize(
  "spec",
  [
    {"chart": "line", "data": [[0, 1.5], [1, -2]], "x": "day", "unit": "m"},
    {"chart": "scatter", "data": [[0, 0]]},
    {"chart": "bar", "data": {"sold": {"may": 1}, "made": {"may": 2}}},
    {"chart": "pie", "data": {"a": 0, "b": 1e9}, "title": "parts"},
  ],
)
def test_all_of_the_grammar_can_be_called(spec):
  given = dict(spec)
  assert ask(**given).shown == spec
  assert json.loads(json.dumps(spec)) == spec


@pytest.mark.parametrize(
  ("spec", "problem"),
  [
    ({"chart": "donut", "data": {"a": 1}}, "chart='donut' is not bar, line"),
    ({"chart": ["bar"], "data": {"a": 1}}, "is not bar, line"),
    ({"chart": "bar", "data": {}}, "no numbers to be drawn"),
    ({"chart": "bar", "data": {"a": {}, "b": {"c": 1}}}, "no numbers to be"),
    ({"chart": "bar", "data": {"a": "1"}}, "'1' is no number"),
    ({"chart": "bar", "data": {"a": True}}, "True is no number"),
    ({"chart": "bar", "data": {"a": float("nan")}}, "nan is no number"),
    ({"chart": "bar", "data": {"a": 1, "b": {"c": 2}}}, "is no number"),
    ({"chart": "bar", "data": [[1, 2]]}, "numbers by names, not points"),
    ({"chart": "line", "data": [[1, 2, 3]]}, "neither numbers by names nor"),
    ({"chart": "line", "data": []}, "neither numbers by names nor points"),
    ({"chart": "line", "data": "x" * 999}, "neither numbers by names nor"),
    ({"chart": "pie", "data": {"a": -1, "b": 2}}, "none below 0"),
    ({"chart": "pie", "data": {"a": 0}}, "none below 0"),
    ({"chart": "pie", "data": {"a": {"b": 1}}}, "one series of parts"),
    ({"chart": "bar", "data": {str(n): n for n in range(41)}},
     "41 numbers are too many for a bar chart: 40"),
    ({"chart": "line", "data": [[n, n] for n in range(501)]}, "too many"),
    ({"chart": "bar", "data": {str(n): {"a": 1} for n in range(7)}},
     "7 series are too many: 6"),
    ({"chart": "bar", "data": {"a": 1}, "title": 5}, "title=5 is no text"),
  ],
)  # fmt: skip
def test_what_the_page_would_not_draw_is_refused(spec, problem):
  with pytest.raises(ValueError, match=problem) as caught:
    chart.check(spec)
  assert len(str(caught.value)) < 200


def test_limits_are_those_of_the_page(root):
  page = root / "interaction_jax" / "serve" / "web" / "static" / "chart.js"
  script = page.read_text()
  for name in ("MOST_SERIES", "MOST_POINTS", "MOST_BARS"):
    assert f"const {name} = {getattr(chart, f'_{name}')};" in script
  assert f"const KINDS = {json.dumps(chart.KINDS)};" in script
  assert f"const WORDS = {json.dumps(chart.WORDS)};" in script
