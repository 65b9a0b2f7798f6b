import json

import pytest

from interaction_jax.evals import suites, twins

NAMES = ("ifeval", "repcount")
OPTIONS = twins.Options(num_items=1, batch=2, keep=0, detector="energy")


@pytest.fixture
def two(monkeypatch):
  """Two benchmarks are enough."""
  field = {name: suites.FIELD[name] for name in NAMES}
  monkeypatch.setattr(suites, "FIELD", field)


@pytest.mark.usefixtures("two")
def test_all_are_run_and_go_on_where_they_stopped(model, tmp_path):
  def stop(done, total):
    assert (done, total) == (1, 2)
    raise KeyboardInterrupt

  whole, cut = tmp_path / "whole", tmp_path / "cut"
  told = []
  made = twins.run(
    model, whole, OPTIONS, progress=lambda *done: told.append(done)
  )
  assert told == [(1, 2), (2, 2)]
  with pytest.raises(KeyboardInterrupt):
    twins.run(model, cut, OPTIONS, progress=stop)
  first = (cut / "ifeval" / "report.json").read_bytes()
  assert not (cut / "repcount").exists()
  again = twins.run(model, cut, OPTIONS)
  assert (cut / "ifeval" / "report.json").read_bytes() == first
  assert again["rows"] == made["rows"]
  assert json.loads((cut / "report.json").read_bytes()) == again
  assert tuple(made["suites"]) == NAMES
  for name in NAMES:
    alone = json.loads((whole / name / "report.json").read_bytes())
    rows = {f"{name}/{row}": one["score"] for row, one in alone["rows"].items()}
    assert (
      rows.items()
      <= {row: one["score"] for row, one in made["rows"].items()}.items()
    )
    assert made["suites"][name]["items"] == alone["items"]
  lines = twins.table(made).splitlines()
  assert [line.split()[0] for line in lines[1:3]] == list(NAMES)
  with pytest.raises(ValueError, match="holds part of another run"):
    twins.run(model, cut, twins.Options(num_items=2))


def test_what_no_benchmark_takes_is_refused():
  with pytest.raises(ValueError, match="batch=0 must be 1 or more"):
    twins.Options(batch=0)
