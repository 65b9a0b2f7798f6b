import json
import shutil

import jax.numpy as jnp
import pytest

from interaction_jax import __main__ as cli
from interaction_jax.core import checkpoint, settings


@pytest.mark.parametrize(
  ("line", "message"),
  [
    (["inspect", "tiny", "--jsn"], "'jsn'. Did you mean: json"),
    (["inspect", "tiny", "--json=5"], "flag --json=5"),
    (["inspect"], "takes CONFIG-or-CHECKPOINT-or-RECORDS, not"),
    (["inspect", "tiny", "nano"], "not tiny nano"),
    (["inspect", "tinny"], "mean tiny?"),
    (["inspect", "no/such/file.py"], "shipped are"),
  ],
  ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_code_two(refused, line, message):
  assert message in refused(line)


def test_a_bad_config_is_one_line(tmp_path, capsys):
  path = tmp_path / "bad.py"
  path.write_text("def experiment(:")
  assert cli.main(["inspect", str(path)]) == 2
  err = capsys.readouterr().err
  assert "SyntaxError" in err and err.count("\n") == 1


def test_inspect_json_holds_the_promised_fields(capsys):
  assert cli.main(["inspect", "tiny", "--json"]) == 0
  report = json.loads(capsys.readouterr().out)
  assert report["config"]["name"] == "tiny"
  counts = report["parameters"]
  assert sum(counts["parts"].values()) == counts["total"] > counts["active"] > 0


def test_inspect_shows_a_table(capsys):
  assert cli.main(["inspect", "tiny"]) == 0
  lines = capsys.readouterr().out.splitlines()
  assert len({len(line) for line in lines[1:]}) == 1
  assert [line.split()[0] for line in lines[-2:]] == ["total", "active"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
  """A checkpoint of the tiny model; its config alone says what it is."""
  path = tmp_path_factory.mktemp("saved") / "tiny"
  plain = settings.to_dict(settings.load("tiny"))
  checkpoint.save(path, {"part": {"scale": jnp.ones(3)}}, config=plain)
  return path


def test_inspect_tells_a_checkpoint_that_is_intact(saved, capsys):
  assert cli.main(["inspect", str(saved), "--json"]) == 0
  report = json.loads(capsys.readouterr().out)
  assert report["intact"] is True
  assert report["config"]["name"] == "tiny"
  assert report["parameters"]["active"] > 0


def test_inspect_tells_a_checkpoint_that_is_damaged(saved, tmp_path, capsys):
  damaged = shutil.copytree(saved, tmp_path / "damaged")
  (damaged / "config.json").write_text("{}")
  assert cli.main(["inspect", str(damaged), "--json"]) == 0
  report = json.loads(capsys.readouterr().out)
  assert report["intact"] is False
  assert report["parameters"]["total"] == 3
  assert cli.main(["inspect", str(damaged)]) == 0
  shown = capsys.readouterr().out
  assert "config.json" in shown and " no" in shown
