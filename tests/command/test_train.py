import signal
import subprocess
import sys

import pytest

from interaction_jax import __main__ as cli
from interaction_jax.command import train


@pytest.mark.parametrize(
  ("line", "message"),
  [
    (["train"], "train needs --workdir DIR"),
    (["train", "--workdir=x", "--profile=5"], "'5' is not FIRST:END"),
    (["train", "--workdir=x", "--profile=9:9"], "'9:9' is not FIRST:END"),
    (["train", "--workdir=x", "--mesh=fake_9"], "mean fake_8?"),
    (
      [
        "train",
        "--workdir=x",
        "--distributed",
        "--processes=2",
        "--process=2",
        "--coordinator=127.0.0.1:9",
      ],
      "process=2 must lie in 0 to 1",
    ),
    (
      ["train", "--workdir=x", "--distributed", "--processes=2"],
      "coordinator is not known",
    ),
  ],
  ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_code_two(refused, line, message):
  assert message in refused(line)


def test_told_to_end_before_it_began_a_run_ends_well():
  before = signal.getsignal(signal.SIGTERM)
  with train._leaving_when_told():
    during = signal.getsignal(signal.SIGTERM)
  assert during != before == signal.getsignal(signal.SIGTERM)
  code = (
    "import os, signal\n"
    "from interaction_jax.command import train\n"
    "with train._leaving_when_told():\n"
    "  os.kill(os.getpid(), signal.SIGTERM)\n"
    "  raise SystemExit(3)\n"
  )
  assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_run_begins_with_a_model_that_there_is(tmp_path, capsys):
  line = ["train", f"--workdir={tmp_path / 'run'}", "--start=nana"]
  assert cli.main(line) == 2
  told = capsys.readouterr().err
  assert "'nana'" in told and "shipped are: nano" in told
  assert not (tmp_path / "run").exists()
