import pytest

from interaction_jax.evals import suites


@pytest.mark.parametrize("name", suites.names())
def test_every_suite_can_be_run(name):
  suite = suites.find(name)
  assert callable(suite.run) and callable(suite.table)
  assert isinstance(suite.RESUMES, bool)
  with pytest.raises(ValueError, match="items=0 must be 1 or more"):
    suite.Options(num_items=0)


@pytest.mark.parametrize("name", suites.FIELD)
def test_every_benchmark_of_the_field_says_what_it_is(name):
  suite = suites.find(name).suite
  assert suite.name == name
  assert suite.about and suite.source and suite.protocol and suite.parts
  rows = [row.name for row in suite.rows]
  assert len(set(rows)) == len(rows) and all(row.about for row in suite.rows)
  # Some row has to tell an oracle from others.
  assert any(row.ranked and row.better is not None for row in suite.rows)


@pytest.mark.parametrize("name", ["behaviors", None])
def test_an_unknown_suite_lists_all(name):
  with pytest.raises(ValueError, match=r"there is behaviours, .*charades"):
    suites.find(name)


@pytest.mark.parametrize("name", suites.FIELD)
def test_every_benchmark_of_the_field_has_a_page(name, root):
  place = root / "docs" / "benchmarks"
  text = (place / f"{name}.md").read_text()
  assert "## What is played when\n" in text and "## The layout\n" in text
  # Whoever compares numbers can look up what they are; a page may say once
  # what several rows of a name are.
  rows = [row.name for row in suites.find(name).suite.rows if row.published]
  assert [x for x in rows if x.rsplit("_", 1)[0] not in text] == []
  assert f"`{name}`" in (place / "README.md").read_text()
