import asyncio
import re

import pytest

from interaction_jax.serve.background.job import (
  OVER,
  BackgroundModel,
  Context,
  Line,
  Report,
)


@pytest.mark.parametrize(
  ("state", "read"),
  [
    ("started", ""),
    ("partial", "22 degrees"),
    ("done", "22 degrees"),
    ("late", "22 degrees"),
    ("failed", "no answer to weather: 22 degrees"),
    ("timed_out", "no answer to weather: 22 degrees"),
    ("cancelled", ""),
    ("superseded", ""),
  ],
)
def test_what_a_model_reads_of_a_report(state, read):
  assert Report(1, state, "weather", text="22 degrees").readable == read


def test_a_job_whose_time_is_over_may_still_be_heard_of():
  assert "timed_out" not in OVER and "done" in OVER


def test_the_model_of_the_documentation_is_one(root):
  page = (root / "docs" / "background.md").read_text()
  code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
  names = {}
  exec(code, names)
  model = names["Weather"]()
  assert isinstance(model, BackgroundModel)
  lines = (Line(0.0, "user", "in celsius please"),)

  async def main():
    context = Context("weather in paris", lines)
    return [one async for one in model.run(context)]

  first, last = asyncio.run(main())
  assert first.more and last.text == "22 degrees in paris in celsius"
  # A class, and no more than 15 lines.
  body = code.partition("class ")[2].strip().splitlines()
  assert len(body) <= 15
