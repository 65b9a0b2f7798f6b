import json

import pytest

from interaction_jax import __main__ as cli
from interaction_jax.command import bench


@pytest.mark.parametrize(
  ("line", "message"),
  [
    (["bench", "frontent"], "mean frontend?"),
    (["bench", "step", "--batch=1", "--batch=many"], "--batch='many' must"),
    (["bench", "frontend", "--rounds=-1"], "rounds=-1 must be 1 or more"),
  ],
  ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_code_two(refused, line, message):
  assert message in refused(line)


def test_a_server_has_a_checkpoint(refused):
  told = refused(["bench", "outlive", "--config=tiny"])
  assert "--config='tiny': a server has a --checkpoint" in told


def test_flags_reach_a_benchmark_read(monkeypatch, capsys):
  seen = []

  def probe(options):
    seen.append(options)
    return {"rows": [options.rounds]}, lambda report: f"{report['rows']} rounds"

  monkeypatch.setitem(bench.BENCHES, "step", probe)
  line = ["bench", "step", "--rounds=7", "--batch=2", "--batch=4"]
  assert cli.main([*line, "--context=9", "--dtype=bfloat16"]) == 0
  assert capsys.readouterr().out == "[7] rounds\n"
  (options,) = seen
  assert (options.batch, options.context) == ([2, 4], [9])
  assert (options.dtype, options.compiled) == (["bfloat16"], True)
  assert cli.main([*line, "--json"]) == 0
  report = json.loads(capsys.readouterr().out)
  assert report["rows"] == [7]
  assert report["machine"]["cores"] >= 1
